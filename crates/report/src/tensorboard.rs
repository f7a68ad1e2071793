//! A run as an event file of TensorBoard: its [series](RunReport::series) as scalars.
//!
//! An event file is a sequence of records: length, checksum of the length, data, checksum of the data. The data is a
//! message of TensorFlow's `event.proto`, of whose fields five are needed here; they are written by hand, since that is
//! less than a compiler for the schema brings along. Sources: TensorFlow, `core/lib/io/record_writer.h`,
//! `core/util/event.proto`, `core/framework/summary.proto`.
//!
//! TensorBoard keeps scalars in 32 bits: bounds are rounded away from flattery there. Its wall time is
//! [virtual](RunReport::clock), so that equal reports are equal bytes.

use crate::RunReport;
use crate::model::Real;
use crate::series::{Rounding, Series};
use std::collections::BTreeMap;

/// The name of the file; TensorBoard looks for `tfevents` in it.
pub const TENSORBOARD_FILE: &str = "events.out.tfevents.0.siloscope";

/// What an event file begins with.
const VERSION: &str = "brain.Event:2";

impl RunReport {
    /// The event file of this run: one event a round, with every number that there is of it.
    pub fn to_tensorboard(&self) -> Vec<u8> {
        events(&self.series(), &self.clock())
    }
}

/// The event file of these series, whose rounds ended at these seconds.
fn events(series: &[Series], clock: &BTreeMap<u32, f64>) -> Vec<u8> {
    let mut version = Message::default();
    version.bytes(event::FILE_VERSION, VERSION.as_bytes());
    let mut file = record(&version.0);
    let mut rounds: BTreeMap<u32, Message> = BTreeMap::new();
    for series in series {
        for (i, &(round, number)) in series.points.iter().enumerate() {
            // TensorBoard takes what a series is from its first point.
            let what = (i == 0).then_some(series.what.as_str());
            let value = value(&series.name, single(number, series.rounding), what);
            let summary = rounds.entry(round).or_default();
            summary.bytes(summary::VALUE, &value.0);
        }
    }
    for (round, summary) in rounds {
        let mut message = Message::default();
        let seconds = clock.get(&round).copied();
        message.double(event::WALL_TIME, seconds.unwrap_or(f64::from(round)));
        message.integer(event::STEP, u64::from(round));
        message.bytes(event::SUMMARY, &summary.0);
        file.extend(record(&message.0));
    }
    file
}

/// One number of one series.
fn value(name: &str, number: f32, what: Option<&str>) -> Message {
    let mut value = Message::default();
    value.bytes(summary::TAG, name.as_bytes());
    value.single(summary::SIMPLE_VALUE, number);
    if let Some(what) = what {
        let mut plugin = Message::default();
        plugin.bytes(summary::PLUGIN_NAME, b"scalars");
        let mut metadata = Message::default();
        metadata.bytes(summary::PLUGIN, &plugin.0);
        metadata.bytes(summary::DESCRIPTION, what.as_bytes());
        value.bytes(summary::METADATA, &metadata.0);
    }
    value
}

/// A number in 32 bits, rounded as it may be.
fn single(number: Real, rounding: Rounding) -> f32 {
    let exact = number.get();
    let nearest = exact as f32;
    match rounding {
        Rounding::Up if f64::from(nearest) < exact => nearest.next_up(),
        Rounding::Down if f64::from(nearest) > exact => nearest.next_down(),
        _ => nearest,
    }
}

/// Fields of an `Event`.
mod event {
    pub(super) const WALL_TIME: u64 = 1;
    pub(super) const STEP: u64 = 2;
    pub(super) const FILE_VERSION: u64 = 3;
    pub(super) const SUMMARY: u64 = 5;
}

/// Fields of a `Summary`, of its values and of their metadata.
mod summary {
    pub(super) const VALUE: u64 = 1;
    pub(super) const TAG: u64 = 1;
    pub(super) const SIMPLE_VALUE: u64 = 2;
    pub(super) const METADATA: u64 = 9;
    pub(super) const PLUGIN: u64 = 1;
    pub(super) const PLUGIN_NAME: u64 = 1;
    pub(super) const DESCRIPTION: u64 = 3;
}

/// A message in the wire format of protocol buffers. Zeros are left out, as proto3 has it, but for those of a `oneof`.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// The lowest seven bits first, each byte but the last with its highest bit set.
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn integer(&mut self, field: u64, number: u64) {
        if number != 0 {
            self.key(field, 0);
            self.varint(number);
        }
    }

    fn double(&mut self, field: u64, number: f64) {
        if number.to_bits() != 0 {
            self.key(field, 1);
            self.0.extend(number.to_le_bytes());
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    /// A number of a `oneof`: it is there even if it is zero.
    fn single(&mut self, field: u64, number: f32) {
        self.key(field, 5);
        self.0.extend(number.to_le_bytes());
    }
}

/// A record of the file.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let checksum = |bytes: &[u8]| masked(crc32c(bytes)).to_le_bytes();
    [&length[..], &checksum(&length), data, &checksum(data)].concat()
}

/// A checksum of bytes that may hold checksums themselves.
const fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), as iSCSI has it: RFC 3720, section 12.1.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let place = (crc as u8 ^ byte) as usize;
        CRC32C[place] ^ crc >> 8
    };
    !bytes.iter().fold(!0, step)
}

/// What a byte makes of a checksum.
const CRC32C: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Test vectors of RFC 3720, appendix B.4, and of PyPI's crc32c 2.9; masked by its value and TensorFlow's formula.
    #[test]
    fn checksums_are_those_of_others() {
        let counting: Vec<u8> = (0..32).collect();
        for (bytes, plain, hidden) in [
            (&b""[..], 0, 0xa282_ead8),
            (b"123456789", 0xe306_9283, 0xc78a_b0e5),
            (&[0; 32], 0x8a91_36aa, 0x0fd7_fffa),
            (&[0xff; 32], 0x62a8_ab43, 0xf909_b029),
            (&counting, 0x46dd_794e, 0x951f_7892),
            (&24_u64.to_le_bytes(), 0x4a65_bfe4, 0x224b_7fa3),
        ] {
            assert_eq!(crc32c(bytes), plain, "{bytes:?}");
            assert_eq!(masked(plain), hidden, "{bytes:?}");
        }
    }

    /// The bytes that PyPI's tensorboard 2.21.0 (`RecordWriter`, `event_pb2`) writes for the same events.
    #[test]
    fn an_event_file_is_tensorboards_own() {
        let series = |name: &str, what: &str, points: &[(u32, f64)]| Series {
            name: name.to_owned(),
            what: what.to_owned(),
            rounding: Rounding::Nearest,
            points: points
                .iter()
                .map(|&(round, number)| (round, number.into()))
                .collect(),
        };
        let all = [
            series(
                "epsilon/subject",
                "worst-off",
                &[(0, 0.0), (1, f64::INFINITY)],
            ),
            series("loss", "mean loss", &[(0, 2.5), (300, -0.007_812_5)]),
        ];
        let clock = BTreeMap::from([(0, 0.0), (1, 1.0), (300, 2.5)]);
        let expected = concat!(
            "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc9851295700000000000000e6ba948c2a550a",
            "2e0a0f657073696c6f6e2f7375626a65637415000000004a160a090a077363616c6172731a09776f7273742d6f66",
            "660a230a046c6f737315000020404a160a090a077363616c6172731a096d65616e206c6f7373ae7c81b525000000",
            "00000000eabc36f309000000000000f03f10012a180a160a0f657073696c6f6e2f7375626a656374150000807fe5",
            "dd9f471b000000000000001a0d9e1309000000000000044010ac022a0d0a0b0a046c6f737315000000bc2d2ddb33",
        );
        assert_eq!(hex(&events(&all, &clock)), expected);
    }

    #[test]
    fn a_bound_in_32_bits_is_no_better_than_in_64() {
        // 0.1 lies below its nearest single, 0.7 above.
        for exact in [0.1, 0.7, 1e-300, 7.996, 1e39, f64::INFINITY, 0.0] {
            let up = f64::from(single(exact.into(), Rounding::Up));
            let down = f64::from(single(exact.into(), Rounding::Down));
            let nearest = f64::from(single(exact.into(), Rounding::Nearest));
            assert!(down <= exact && exact <= up, "{down} {exact} {up}");
            assert!(down <= nearest && nearest <= up);
            assert!(up - down <= exact * 2.0_f64.powi(-23) || !(1e-30..=1e38).contains(&exact));
        }
        assert!(f64::from(single(0.7.into(), Rounding::Nearest)) < 0.7);
    }
}
