//! A reader of TensorBoard's event files, as slow and plain as can be, and nothing of it shared with the writer.

use std::collections::BTreeMap;

/// A round's numbers, and when it ended.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) wall_time: f64,
    pub(crate) step: u64,
    pub(crate) version: String,
    /// By tag.
    pub(crate) scalars: BTreeMap<String, f32>,
    /// What a tag is, where this event says so.
    pub(crate) descriptions: BTreeMap<String, String>,
}

/// All events of a file; ends the test where a checksum, a length or a field is wrong.
#[track_caller]
pub(crate) fn read(mut file: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !file.is_empty() {
        let length = take(&mut file, 8);
        assert_eq!(number(take(&mut file, 4)), u64::from(checksum(length)));
        let data = take(&mut file, number(length) as usize);
        assert_eq!(number(take(&mut file, 4)), u64::from(checksum(data)));
        events.push(event(data));
    }
    events
}

fn event(data: &[u8]) -> Event {
    let mut event = Event::default();
    for (field, bytes) in fields(data) {
        match field {
            1 => event.wall_time = f64::from_le_bytes(bytes.try_into().unwrap()),
            2 => event.step = number(&bytes),
            3 => event.version = String::from_utf8(bytes).unwrap(),
            5 => {
                for (field, value) in fields(&bytes) {
                    assert_eq!(field, 1);
                    read_value(&value, &mut event);
                }
            }
            other => panic!("field {other} of an event"),
        }
    }
    event
}

fn read_value(data: &[u8], event: &mut Event) {
    let parts: BTreeMap<u64, Vec<u8>> = fields(data).into_iter().collect();
    let tag = String::from_utf8(parts[&1].clone()).unwrap();
    let number = f32::from_le_bytes(parts[&2][..].try_into().unwrap());
    assert!(event.scalars.insert(tag.clone(), number).is_none(), "{tag}");
    if let Some(metadata) = parts.get(&9) {
        let about: BTreeMap<u64, Vec<u8>> = fields(metadata).into_iter().collect();
        assert_eq!(fields(&about[&1]), [(1, b"scalars".to_vec())]);
        let what = String::from_utf8(about[&3].clone()).unwrap();
        event.descriptions.insert(tag, what);
    }
}

/// The fields of a protocol buffer, as bytes; integers as eight little-endian ones.
fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let bytes = match key % 8 {
            0 => varint(&mut data).to_le_bytes().to_vec(),
            1 => take(&mut data, 8).to_vec(),
            2 => {
                let length = varint(&mut data) as usize;
                take(&mut data, length).to_vec()
            }
            5 => take(&mut data, 4).to_vec(),
            other => panic!("wire type {other}"),
        };
        found.push((key / 8, bytes));
    }
    found
}

fn varint(data: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut place = 1;
    loop {
        let byte = u64::from(take(data, 1)[0]);
        number += byte % 128 * place;
        if byte < 128 {
            return number;
        }
        place *= 128;
    }
}

#[track_caller]
fn take<'a>(data: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (head, rest) = data.split_at(length);
    *data = rest;
    head
}

/// A little-endian integer.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum * 256 + u64::from(byte))
}

/// The masked CRC-32C, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        for bit in 0..8 {
            let odd = (crc ^ u32::from(byte >> bit)) & 1;
            crc >>= 1;
            if odd == 1 {
                crc ^= 0x82f6_3b78;
            }
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}
