//! Tensors put together by the module that owns them.

use super::{ForeignError, NamedTensor};
use std::cmp::Ordering;
use std::fmt;

/// The tensors of one module, by the part they play in it.
#[derive(Clone, Debug)]
pub(super) struct Module<'a> {
    /// Its name, e.g. `fc1`, `lstm[0]` for the first of its recurrent layers, `attention.in_proj`.
    pub(super) name: String,
    parts: Vec<(String, &'a NamedTensor)>,
}

impl<'a> Module<'a> {
    /// The modules of `tensors`, by name, numbers in names by size.
    pub(super) fn all(tensors: &'a [NamedTensor]) -> Vec<Self> {
        let mut modules: Vec<Self> = Vec::new();
        for tensor in tensors {
            let (name, part) = parsed(&tensor.name);
            match modules.iter_mut().find(|module| module.name == name) {
                Some(module) => module.parts.push((part, tensor)),
                None => modules.push(Self {
                    name,
                    parts: vec![(part, tensor)],
                }),
            }
        }
        modules.sort_by(|a, b| by_number(&a.name, &b.name));
        modules
    }

    /// The tensor that plays this part.
    pub(super) fn part(&self, part: &str) -> Option<&'a NamedTensor> {
        let found = self.parts.iter().find(|(name, _)| name == part);
        found.map(|&(_, tensor)| tensor)
    }

    /// The tensor, if there is one only.
    pub(super) fn only(&self) -> Option<&'a NamedTensor> {
        match self.parts[..] {
            [(_, tensor)] => Some(tensor),
            _ => None,
        }
    }

    /// How many tensors there are.
    pub(super) const fn len(&self) -> usize {
        self.parts.len()
    }
}

impl fmt::Display for Module<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (_, tensor)) in self.parts.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{} {:?}", tensor.name, tensor.shape)?;
        }
        Ok(())
    }
}

/// The modules of these names, in this order. The name of a module with several recurrent layers stands for all.
pub(super) fn named<'a, 'b>(
    modules: &'b [Module<'a>],
    names: &[String],
) -> Result<Vec<&'b Module<'a>>, ForeignError> {
    let mut ordered = Vec::new();
    for name in names {
        let before = ordered.len();
        ordered.extend(modules.iter().filter(|module| {
            module.name == *name
                || module
                    .name
                    .split_once('[')
                    .is_some_and(|(of, _)| of == name)
        }));
        if ordered.len() == before {
            let given: Vec<&str> = modules.iter().map(|module| module.name.as_str()).collect();
            return Err(ForeignError::UnknownName {
                name: name.clone(),
                given: given.join(", "),
            });
        }
    }
    Ok(ordered)
}

/// A tensor's module and the part it plays there.
fn parsed(name: &str) -> (String, String) {
    let (module, last) = name.rsplit_once('.').unwrap_or(("", name));
    if last == "weight" || last == "bias" {
        return (module.to_owned(), last.to_owned());
    }
    for part in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
        let layer = last
            .strip_prefix(part)
            .and_then(|rest| rest.strip_prefix("_l"));
        if let Some(layer) = layer.filter(|layer| layer.parse::<u32>().is_ok()) {
            return (format!("{module}[{layer}]"), part.to_owned());
        }
    }
    for part in ["weight", "bias"] {
        if last.strip_prefix("in_proj_") == Some(part) {
            let dot = if module.is_empty() { "" } else { "." };
            return (format!("{module}{dot}in_proj"), part.to_owned());
        }
    }
    (name.to_owned(), "value".to_owned())
}

/// A name as runs of digits and of other characters.
fn runs(name: &str) -> impl Iterator<Item = &str> {
    let bytes = name.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        let first = bytes.get(start)?.is_ascii_digit();
        let length = bytes[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() == first)
            .count();
        start += length;
        Some(&name[start - length..start])
    })
}

/// Alphabetical, but numbers by size.
fn by_number(a: &str, b: &str) -> Ordering {
    let key = |run: &str| run.parse::<u64>().ok();
    let mut others = runs(b);
    for run in runs(a) {
        let Some(other) = others.next() else {
            return Ordering::Greater;
        };
        let order = match (key(run), key(other)) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => run.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
    if others.next().is_some() {
        Ordering::Less
    } else {
        a.cmp(b)
    }
}

/// Whether two names differ in numbers alone.
pub(super) fn alike(a: &str, b: &str) -> bool {
    let shape = |name: &str| -> Vec<String> {
        let word = |run: &str| {
            if run.parse::<u64>().is_ok() {
                "0".to_owned()
            } else {
                run.to_owned()
            }
        };
        runs(name).map(word).collect()
    };
    shape(a) == shape(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_put_together_by_module_and_numbers_count_by_size() {
        let names = [
            "10.weight",
            "2.bias",
            "2.weight",
            "rnn.bias_hh_l1",
            "rnn.weight_ih_l0",
            "rnn.weight_ih_l1",
            "attention.in_proj_weight",
            "position",
        ];
        let tensor = |name: &&str| NamedTensor {
            name: (*name).to_owned(),
            shape: vec![1],
            values: vec![0.0],
        };
        let tensors: Vec<_> = names.iter().map(tensor).collect();
        let modules = Module::all(&tensors);
        let found: Vec<_> = modules
            .iter()
            .map(|module| (module.name.as_str(), module.len()))
            .collect();
        assert_eq!(
            found,
            [
                ("2", 2),
                ("10", 1),
                ("attention.in_proj", 1),
                ("position", 1),
                ("rnn[0]", 1),
                ("rnn[1]", 2)
            ]
        );
        assert!(modules[2].part("weight").is_some() && modules[3].only().is_some());
        let named = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            named(&modules, &names).map(|found| {
                found
                    .iter()
                    .map(|module| module.name.clone())
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(named(&["rnn", "2"]).unwrap(), ["rnn[0]", "rnn[1]", "2"]);
        assert!(named(&["fc"]).unwrap_err().to_string().contains("\"fc\""));
    }

    #[test]
    fn names_that_differ_in_numbers_alone_are_alike() {
        assert!(alike("layer1.0.conv2", "layer12.1.conv1"));
        assert!(!alike("encoder.0", "decoder.0") && !alike("fc1", "fc"));
    }
}
