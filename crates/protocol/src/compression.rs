//! How the values of an update are written: exactly, or with less precision.
//!
//! Compression happens to an update that is on its way, so for privacy it is post-processing, with one
//! condition: the update must already be what the ledger says it is. Where a silo adds the noise, it
//! has been added before. Where the coordinator clips and noises (silo noise), it clips what it has *decoded*,
//! so a value that rounding has made longer is cut off like any other. Either way no ε changes.
//!
//! Half precision and 8-bit integers change numbers, and so belong to the plan. `zstd` changes none.

use serde::{Deserialize, Serialize};

/// How updates travel. Models always travel exactly, and under the same `zstd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// As 32-bit floating-point numbers.
    #[default]
    #[serde(rename = "none")]
    None,
    /// As they are, in the encoding of zstd.
    #[serde(rename = "zstd")]
    Zstd,
    /// Rounded to half precision; beyond its largest number, 65504, to that.
    #[serde(rename = "fp16")]
    Fp16,
    /// Rounded to 255 levels between plus and minus the largest magnitude of 256 neighbours.
    #[serde(rename = "int8")]
    Int8,
    /// Half precision, in the encoding of zstd.
    #[serde(rename = "fp16+zstd")]
    Fp16Zstd,
    /// Eight bits, in the encoding of zstd.
    #[serde(rename = "int8+zstd")]
    Int8Zstd,
}

impl Compression {
    /// Whether an update arrives as other numbers than it left with.
    pub const fn is_lossy(self) -> bool {
        !matches!(self, Self::None | Self::Zstd)
    }

    pub(crate) const fn zstd(self) -> bool {
        matches!(self, Self::Zstd | Self::Fp16Zstd | Self::Int8Zstd)
    }

    pub(crate) const fn format(self) -> Format {
        match self {
            Self::None | Self::Zstd => Format::Full,
            Self::Fp16 | Self::Fp16Zstd => Format::Half,
            Self::Int8 | Self::Int8Zstd => Format::Byte,
        }
    }

    /// Bytes that `values` of an update take, zstd and headers left out of account.
    pub const fn bytes(self, values: u64) -> u64 {
        match self.format() {
            Format::Full | Format::Ring => 4 * values,
            Format::Half => 2 * values,
            Format::Byte => values + 4 * values.div_ceil(BLOCK as u64),
        }
    }
}

/// Neighbours that share a scale as 8-bit integers.
const BLOCK: usize = 256;

/// How one value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    /// `f32`, little-endian.
    Full,
    /// IEEE half precision, little-endian.
    Half,
    /// A scale (`f32`) for each 256 values, then one signed byte a value.
    Byte,
    /// Integers modulo 2³², little-endian.
    Ring,
}

/// The values of a vector that arrives.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Floats(Vec<f32>),
    Words(Vec<u32>),
}

impl Values {
    /// An empty vector for what `format` writes.
    pub(crate) const fn empty(format: Format) -> Self {
        match format {
            Format::Full | Format::Half | Format::Byte => Self::Floats(Vec::new()),
            Format::Ring => Self::Words(Vec::new()),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Words(values) => values.len(),
        }
    }

    /// Takes memory for `values`, unless some was taken.
    pub(crate) fn make_room(&mut self, values: usize) {
        match self {
            Self::Floats(floats) if floats.capacity() == 0 => floats.reserve_exact(values),
            Self::Words(words) if words.capacity() == 0 => words.reserve_exact(values),
            Self::Floats(_) | Self::Words(_) => {}
        }
    }

    /// Appends the `count` values of `bytes`, whose length is that of as many in `format`.
    pub(crate) fn read(&mut self, format: Format, bytes: &[u8], count: usize) {
        match self {
            Self::Floats(values) => format.read(bytes, count, values),
            Self::Words(words) => {
                let (chunks, _) = bytes.as_chunks::<4>();
                words.extend(chunks.iter().map(|&word| u32::from_le_bytes(word)));
            }
        }
    }
}

impl Format {
    /// Bytes of `values`.
    pub(crate) const fn bytes(self, values: usize) -> usize {
        match self {
            Self::Full | Self::Ring => 4 * values,
            Self::Half => 2 * values,
            Self::Byte => values + 4 * values.div_ceil(BLOCK),
        }
    }

    /// Bytes that belong together: zstd finds more in all first bytes, then all second bytes, ….
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Full | Self::Ring => 4,
            Self::Half => 2,
            Self::Byte => 1,
        }
    }

    /// Appends `values` to `bytes`.
    pub(crate) fn write(self, values: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Self::Full | Self::Ring => put(values, f32::to_le_bytes, bytes),
            Self::Half => put(values, |value| half(value).to_le_bytes(), bytes),
            Self::Byte => {
                let scales = values.chunks(BLOCK).map(scale);
                bytes.extend(scales.flat_map(f32::to_le_bytes));
                for block in values.chunks(BLOCK) {
                    let scale = scale(block);
                    bytes.extend(
                        block
                            .iter()
                            .map(|&value| level(value, scale).to_le_bytes()[0]),
                    );
                }
            }
        }
    }

    /// Appends the `count` values of `bytes`, whose length is [`bytes`](Self::bytes) of them, to `values`.
    pub(crate) fn read(self, bytes: &[u8], count: usize, values: &mut Vec<f32>) {
        match self {
            Self::Full | Self::Ring => {
                let (words, _) = bytes.as_chunks::<4>();
                values.extend(words.iter().map(|&word| f32::from_le_bytes(word)));
            }
            Self::Half => {
                let (words, _) = bytes.as_chunks::<2>();
                let halves = words.iter().map(|&word| half::f16::from_le_bytes(word));
                values.extend(halves.map(half::f16::to_f32));
            }
            Self::Byte => {
                let (scales, levels) = bytes.split_at(bytes.len() - count);
                let (scales, _) = scales.as_chunks::<4>();
                for (block, &scale) in levels.chunks(BLOCK).zip(scales) {
                    let scale = f32::from_le_bytes(scale);
                    let levels = block.iter().map(|&level| f32::from(level.cast_signed()));
                    values.extend(levels.map(|level| level * scale));
                }
            }
        }
    }
}

/// Appends integers modulo 2³² to `bytes`.
pub(crate) fn write_words(words: &[u32], bytes: &mut Vec<u8>) {
    put(words, u32::to_le_bytes, bytes);
}

/// Appends what `write` makes of each value. In blocks of a known length this is a copy of memory where the machine is
/// little-endian; byte after byte it would take as long as sending them.
fn put<T: Copy, const WIDTH: usize>(
    values: &[T],
    write: impl Fn(T) -> [u8; WIDTH],
    bytes: &mut Vec<u8>,
) {
    let mut written = [[0; WIDTH]; 1024];
    for values in values.chunks(written.len()) {
        for (written, &value) in written.iter_mut().zip(values) {
            *written = write(value);
        }
        bytes.extend_from_slice(written[..values.len()].as_flattened());
    }
}

/// The nearest half, ties to even; a finite number stays finite.
fn half(value: f32) -> half::f16 {
    let most = half::f16::MAX.to_f32();
    let value = if value.is_finite() {
        value.clamp(-most, most)
    } else {
        value
    };
    half::f16::from_f32(value)
}

/// One level of a block: its largest magnitude over 127. A block with a value that is no finite number has
/// none, and arrives as such: it must not look like a good one.
fn scale(block: &[f32]) -> f32 {
    let most = block.iter().fold(0.0_f32, |most, value| {
        if most.is_nan() || value.is_nan() {
            f32::NAN
        } else {
            most.max(value.abs())
        }
    });
    if most.is_finite() {
        most / 127.0
    } else {
        f32::NAN
    }
}

/// How many levels `value` is, to the nearest.
fn level(value: f32, scale: f32) -> i8 {
    if scale > 0.0 {
        (f64::from(value) / f64::from(scale))
            .round()
            .clamp(-127.0, 127.0) as i8
    } else {
        0
    }
}

/// `values` of `width` bytes each, all first bytes before all second ones.
pub(crate) fn shuffle(bytes: &[u8], width: usize) -> Vec<u8> {
    let mut planes = Vec::with_capacity(bytes.len());
    for plane in 0..width {
        planes.extend(bytes.iter().skip(plane).step_by(width));
    }
    planes
}

/// What [`shuffle`] was given.
pub(crate) fn unshuffle(planes: &[u8], width: usize) -> Vec<u8> {
    let values = planes.len() / width;
    let mut bytes = Vec::with_capacity(planes.len());
    for value in 0..values {
        bytes.extend((0..width).map(|plane| planes[plane * values + value]));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn there_and_back(format: Format, values: &[f32]) -> Vec<f32> {
        let mut bytes = Vec::new();
        format.write(values, &mut bytes);
        assert_eq!(bytes.len(), format.bytes(values.len()));
        let mut back = Vec::new();
        format.read(&bytes, values.len(), &mut back);
        back
    }

    /// IEEE 754: 1 + 2⁻¹¹ lies between two halves and goes to the even one; 65520 would round to infinity.
    #[test]
    fn golden_halves() {
        let values = [
            1.0 + 2_f32.powi(-11),
            1.0 + 3.0 * 2_f32.powi(-11),
            65520.0,
            -1e9,
            6e-8,
            1e-8,
        ];
        let halves = [
            1.0,
            1.0 + 2_f32.powi(-9),
            65504.0,
            -65504.0,
            2_f32.powi(-24),
            0.0,
        ];
        assert_eq!(there_and_back(Format::Half, &values), halves);
    }

    #[test]
    fn golden_bytes_of_a_block() {
        let mut bytes = Vec::new();
        Format::Byte.write(&[127.0, -63.4, 0.4, 0.6], &mut bytes);
        assert_eq!(bytes, [0, 0, 0x80, 0x3f, 127, 193, 0, 1]);
        assert_eq!(there_and_back(Format::Byte, &[0.0; 3]), [0.0; 3]);
    }

    #[test]
    fn what_is_no_number_does_not_arrive_as_one() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for format in [Format::Full, Format::Half, Format::Byte] {
                let back = there_and_back(format, &[1.0, bad, 2.0]);
                assert!(
                    back.iter().any(|value| !value.is_finite()),
                    "{format:?} {bad}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn rounding_stays_within_half_a_level(values in prop::collection::vec(-1e3f32..1e3, 0..700)) {
            prop_assert_eq!(&there_and_back(Format::Full, &values), &values);
            for (back, value) in there_and_back(Format::Half, &values).iter().zip(&values) {
                prop_assert!((back - value).abs() <= value.abs() * 2_f32.powi(-11) + 2_f32.powi(-25));
            }
            for (back, block) in there_and_back(Format::Byte, &values).chunks(BLOCK).zip(values.chunks(BLOCK)) {
                let level = block.iter().fold(0.0_f32, |most, value| most.max(value.abs())) / 127.0;
                for (back, value) in back.iter().zip(block) {
                    prop_assert!((back - value).abs() <= 0.5001 * level);
                }
            }
        }

        /// What arrives is sent on as it is: a stored update may be sent twice.
        #[test]
        fn rounding_twice_is_rounding_once(values in prop::collection::vec(-1e3f32..1e3, 0..300)) {
            let once = there_and_back(Format::Half, &values);
            prop_assert_eq!(there_and_back(Format::Half, &once), once);
        }

        #[test]
        fn planes_and_back(bytes in prop::collection::vec(any::<u8>(), 0..64), width in prop::sample::select(vec![1usize, 2, 4])) {
            let whole = &bytes[..bytes.len() / width * width];
            prop_assert_eq!(unshuffle(&shuffle(whole, width), width), whole);
        }
    }
}
