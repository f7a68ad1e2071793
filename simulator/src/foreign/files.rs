//! Checkpoints as files: which round each is of, and the tensors in it.

use crate::exit::Failure;
use crate::folder;
use primitives::{Digest, Round};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use training::foreign::NamedTensor;

/// The checkpoints of a folder, by round; at least one.
#[derive(Debug)]
pub(super) struct Checkpoints {
    files: BTreeMap<Round, PathBuf>,
    last: Round,
}

impl Checkpoints {
    /// The files of `folder` that end in `.safetensors`. The last number in a file's name is its round.
    ///
    /// # Errors
    /// If the folder cannot be read, holds none, or a file's round is missing or another's too.
    pub(super) fn find(folder: &Path) -> Result<Self, Failure> {
        let entries = std::fs::read_dir(folder).map_err(|error| {
            Failure::scenario(format!(
                "{}: cannot be read ({error}): give a folder with one safetensors file a round, e.g. \
                 round-0000.safetensors",
                folder.display()
            ))
        })?;
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|ending| ending == "safetensors")
            })
            .collect();
        paths.sort();
        let mut files = BTreeMap::new();
        for path in paths {
            let round = round_of(&path).ok_or_else(|| {
                Failure::scenario(format!(
                    "{}: no number in its name says of which round it is; name it like round-0012.safetensors, round 0 \
                     being the model before training",
                    path.display()
                ))
            })?;
            if let Some(other) = files.insert(round, path.clone()) {
                return Err(Failure::scenario(format!(
                    "{}: is of {round}, and so is {}; a round has one model",
                    path.display(),
                    other.display()
                )));
            }
        }
        let Some((&last, _)) = files.last_key_value() else {
            return Err(Failure::scenario(format!(
                "{}: no file here ends in .safetensors; save the model of every round in one, round 0 being the model \
                 before training",
                folder.display()
            )));
        };
        if last == Round::UNTRAINED {
            return Err(Failure::scenario(format!(
                "{}: is of round 0, the model before training, and there is no other; number the models by the rounds \
                 they were trained for, from 1 on",
                files[&last].display()
            )));
        }
        if !files.contains_key(&Round::UNTRAINED) {
            return Err(Failure::scenario(format!(
                "{}: no file is of round 0, the model before training, which attacks and checks start from; save it too, \
                 e.g. as round-0000.safetensors",
                folder.display()
            )));
        }
        Ok(Self { files, last })
    }

    /// Rounds and files, in order.
    pub(super) fn rounds(&self) -> impl Iterator<Item = (Round, &Path)> {
        self.files
            .iter()
            .map(|(&round, path)| (round, path.as_path()))
    }

    /// The last round.
    pub(super) const fn last(&self) -> Round {
        self.last
    }

    /// What tells them from others.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(super) fn digest(&self) -> Result<Digest, Failure> {
        let mut text = String::new();
        for (round, path) in self.rounds() {
            let digest = Digest::of(&folder::read(path)?);
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{} {digest}", round.0);
        }
        Ok(Digest::of(text.as_bytes()))
    }
}

/// The last number in a file's name.
fn round_of(path: &Path) -> Option<Round> {
    let stem = path.file_stem()?.to_str()?;
    let digits = |c: char| c.is_ascii_digit();
    let end = stem.rfind(digits)? + 1;
    let start = stem[..end].rfind(|c| !digits(c)).map_or(0, |before| {
        before + stem[before..].chars().next().map_or(1, char::len_utf8)
    });
    stem[start..end].parse().ok().map(Round)
}

/// The tensors of a file, as `f32`.
///
/// # Errors
/// If it is no safetensors file, or a tensor is not of floating-point numbers.
pub(super) fn tensors(path: &Path) -> Result<Vec<NamedTensor>, Failure> {
    let fail = |what: String| Failure::scenario(format!("{}: {what}", path.display()));
    let bytes = folder::read(path)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| fail(format!("is no safetensors file ({error})")))?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        let values = floats(&view).ok_or_else(|| {
            fail(format!(
                "tensor {name:?} is of type {:?}; parameters are F32, F64, F16 or BF16: leave out what is no parameter",
                view.dtype()
            ))
        })?;
        tensors.push(NamedTensor {
            name,
            shape: view.shape().to_vec(),
            values,
        });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = view.data();
    let halves = || {
        data.chunks_exact(2)
            .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    match view.dtype() {
        Dtype::F32 => Some(
            data.chunks_exact(4)
                .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                .collect(),
        ),
        Dtype::F64 => Some(data.chunks_exact(8).map(double).collect()),
        Dtype::BF16 => Some(
            halves()
                .map(|bits| f32::from_bits(u32::from(bits) << 16))
                .collect(),
        ),
        Dtype::F16 => Some(halves().map(half).collect()),
        _ => None,
    }
}

fn double(bytes: &[u8]) -> f32 {
    let mut eight = [0; 8];
    eight.copy_from_slice(bytes);
    f64::from_le_bytes(eight) as f32
}

/// A number of IEEE 754's 16 bits: one of sign, five of exponent, ten of fraction.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_of_a_name_is_the_round() {
        let round = |name: &str| round_of(Path::new(name)).map(|round| round.0);
        assert_eq!(round("a/round-0012.safetensors"), Some(12));
        assert_eq!(round("fold2_global_7.safetensors"), Some(7));
        assert_eq!(round("7.safetensors"), Some(7));
        assert_eq!(round("é5x.safetensors"), Some(5));
        assert_eq!(round("final.safetensors"), None);
        assert_eq!(round("99999999999.safetensors"), None);
    }

    #[test]
    fn halves_are_read_as_ieee_754_writes_them() {
        for (bits, value) in [
            (0x3C00, 1.0_f32),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x3555, 1365.0 / 4096.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x0400, 2.0_f32.powi(-14)),
            (0xFC00, f32::NEG_INFINITY),
        ] {
            assert_eq!(half(bits).to_bits(), value.to_bits(), "{bits:x}");
        }
        assert!(half(0x7E00).is_nan());
    }
}
