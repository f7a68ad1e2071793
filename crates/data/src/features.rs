//! The features of all records, in the smallest form that loses nothing.

use primitives::{Digest, RecordId};

/// The features of all records of a data set, record after record.
///
/// Every form reads as `f32` ([`crate::Dataset::copy_features`]); images stay bytes so that 70,000 of
/// 28 × 28 take 55 MB instead of 220.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// One byte a feature; the feature is `byte · scale + offset`.
    Bytes {
        /// Shape: `[records × width]`.
        values: Vec<u8>,
        /// What one step of a byte is worth.
        scale: f32,
        /// What byte 0 is worth.
        offset: f32,
    },
    /// One `f32` a feature. Shape: `[records × width]`.
    Floats(Vec<f32>),
    /// Windows over running texts; a feature is the index of a character in the vocabulary.
    Tokens(TokenWindows),
}

/// Records that are windows over running texts: window `i` is `text[starts[i]..starts[i] + width]`.
///
/// Overlapping windows share their text, so four million windows of 80 characters take 17 MB, not 340.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenWindows {
    /// All texts, one after the other, as indices into the vocabulary.
    pub text: Vec<u8>,
    /// Where each record's window begins in `text`.
    pub starts: Vec<u32>,
    /// Characters in a window.
    pub width: usize,
}

impl Features {
    /// Features a record if there are `records` of them, or `None` if they do not come out even.
    pub(crate) fn width(&self, records: usize) -> Option<usize> {
        let even = |values: usize| {
            (records > 0 && values.is_multiple_of(records)).then(|| values / records)
        };
        match self {
            Self::Bytes { values, .. } => even(values.len()),
            Self::Floats(values) => even(values.len()),
            Self::Tokens(windows) => (windows.starts.len() == records).then_some(windows.width),
        }
    }

    /// Memory taken, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Bytes { values, .. } => values.len(),
            Self::Floats(values) => size_of_val(values.as_slice()),
            Self::Tokens(windows) => windows.text.len() + size_of_val(windows.starts.as_slice()),
        }
    }

    /// Writes the features of `record` to `out`, which has the record's width.
    pub(crate) fn copy(&self, record: RecordId, out: &mut [f32]) {
        let width = out.len();
        let row = record.index() * width..(record.index() + 1) * width;
        match self {
            Self::Bytes {
                values,
                scale,
                offset,
            } => {
                for (feature, &byte) in out.iter_mut().zip(&values[row]) {
                    *feature = f32::from(byte) * scale + offset;
                }
            }
            Self::Floats(values) => out.copy_from_slice(&values[row]),
            Self::Tokens(windows) => {
                let start = windows.starts[record.index()] as usize;
                for (feature, &token) in out.iter_mut().zip(&windows.text[start..start + width]) {
                    *feature = f32::from(token);
                }
            }
        }
    }

    /// Appends the features of each of `records` again. `width`: features a record.
    pub(crate) fn repeat(&mut self, records: &[RecordId], width: usize) {
        for record in records {
            let row = record.index() * width..(record.index() + 1) * width;
            match self {
                Self::Bytes { values, .. } => values.extend_from_within(row),
                Self::Floats(values) => values.extend_from_within(row),
                Self::Tokens(windows) => windows.starts.push(windows.starts[record.index()]),
            }
        }
    }

    /// The first feature that is not a finite number, as its index.
    pub(crate) fn first_non_finite(&self) -> Option<usize> {
        match self {
            Self::Floats(values) => values.iter().position(|value| !value.is_finite()),
            Self::Bytes { .. } | Self::Tokens(_) => None,
        }
    }

    /// A digest of every value.
    pub(crate) fn digest(&self) -> Digest {
        match self {
            Self::Bytes {
                values,
                scale,
                offset,
            } => {
                let form = [scale.to_le_bytes(), offset.to_le_bytes()].concat();
                combine(&[Digest::of(b"bytes"), Digest::of(&form), Digest::of(values)])
            }
            Self::Floats(values) => {
                let bytes: Vec<u8> = values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                combine(&[Digest::of(b"floats"), Digest::of(&bytes)])
            }
            Self::Tokens(windows) => combine(&[
                Digest::of(&(windows.width as u64).to_le_bytes()),
                Digest::of(&windows.text),
                digest_of_u32s(windows.starts.iter().copied()),
            ]),
        }
    }
}

/// The digest of some digests, in order.
pub(crate) fn combine(parts: &[Digest]) -> Digest {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| *part.as_bytes()).collect();
    Digest::of(&bytes)
}

/// The digest of some numbers, in order.
pub(crate) fn digest_of_u32s(numbers: impl Iterator<Item = u32>) -> Digest {
    Digest::of(&numbers.flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_as_floats() {
        let mut out = [0.0; 2];
        let bytes = Features::Bytes {
            values: vec![0, 255, 51, 102],
            scale: 1.0 / 255.0,
            offset: 1.0,
        };
        bytes.copy(RecordId(1), &mut out);
        assert!((out[0] - 1.2).abs() < 1e-6 && (out[1] - 1.4).abs() < 1e-6);
        Features::Floats(vec![1.0, 2.0, 3.0, 4.0]).copy(RecordId(1), &mut out);
        assert_eq!(out.map(f32::to_bits), [3.0_f32, 4.0].map(f32::to_bits));
        let windows = TokenWindows {
            text: vec![5, 6, 7],
            starts: vec![0, 1],
            width: 2,
        };
        Features::Tokens(windows).copy(RecordId(1), &mut out);
        assert_eq!(out.map(f32::to_bits), [6.0_f32, 7.0].map(f32::to_bits));
    }

    #[test]
    fn a_repeated_record_reads_as_the_first() {
        let windows = TokenWindows {
            text: vec![5, 6, 7],
            starts: vec![0, 1],
            width: 2,
        };
        let forms = [
            Features::Bytes {
                values: vec![0, 255, 51, 102],
                scale: 1.0,
                offset: 0.0,
            },
            Features::Floats(vec![1.0, 2.0, 3.0, 4.0]),
            Features::Tokens(windows),
        ];
        for mut features in forms {
            features.repeat(&[RecordId(1), RecordId(0)], 2);
            assert_eq!(features.width(4), Some(2));
            let (mut first, mut again) = ([0.0; 2], [0.0; 2]);
            features.copy(RecordId(1), &mut first);
            features.copy(RecordId(2), &mut again);
            assert_eq!(first.map(f32::to_bits), again.map(f32::to_bits));
        }
    }

    #[test]
    fn a_digest_sees_values_and_form() {
        let base = Features::Floats(vec![0.0, 1.0]).digest();
        assert_eq!(base, Features::Floats(vec![0.0, 1.0]).digest());
        assert_ne!(base, Features::Floats(vec![1.0, 0.0]).digest());
        let bytes = |scale| {
            Features::Bytes {
                values: vec![0, 1],
                scale,
                offset: 0.0,
            }
            .digest()
        };
        assert_ne!(base, bytes(1.0));
        assert_ne!(bytes(1.0), bytes(0.5));
    }
}
