//! Models that were trained elsewhere: named tensors in PyTorch's layouts, brought into a model vector.
//!
//! A safetensors file keeps tensors by name and forgets the order in which a model applies them. Here they are put
//! together by module (`modules`), matched with the layers of an [`Architecture`] by shape, and rewritten
//! (`slot`). Where two modules have the same shapes, only numbers in otherwise equal names (`fc1`, `fc2`) tell which
//! comes first; anything else has to be said, for a model put together in the wrong order is a model that nobody
//! trained.
//!
//! | layer | PyTorch's tensors |
//! |---|---|
//! | linear | `weight` `[outputs, inputs]`, `bias` `[outputs]`; after an image, inputs run over channels, rows, columns |
//! | conv2d | `weight` `[outputs, channels / groups, kernel, kernel]`, `bias` `[outputs]` |
//! | embedding | `weight` `[vocabulary, width]` |
//! | lstm, gru | `weight_ih_lN` `[4 or 3 hidden, inputs]`, `weight_hh_lN`, `bias_ih_lN`, `bias_hh_lN`; gates i, f, g, o or r, z, n |
//! | layer norm, group norm | `weight`, `bias` `[channels]` |
//! | learnt shift | one tensor of as many numbers |
//! | attention | `in_proj_weight`, `in_proj_bias`, `out_proj`: linear layers before and after |
//!
//! A bias may be missing: it is zero then.

mod modules;
mod slot;

use crate::Architecture;
use modules::{Module, alike};
use primitives::ModelVector;
use slot::Slot;

/// A tensor of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Its name, e.g. `fc1.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row by row.
    pub values: Vec<f32>,
}

/// Why named tensors are not a model of this architecture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    /// More or fewer modules than the model has layers with parameters.
    #[error(
        "{found} modules with parameters, the model has {expected} layers with parameters; expected: {wanted}; given: \
         {given}; choose the [model] that was trained, and leave out tensors that are no parameters"
    )]
    Count {
        /// Layers with parameters.
        expected: usize,
        /// Modules.
        found: usize,
        /// What the layers need.
        wanted: String,
        /// What there is.
        given: String,
    },
    /// A module that does not fit its layer.
    #[error("{layer} needs {wanted}; given: {given}")]
    Shape {
        /// The layer.
        layer: String,
        /// The tensors that it needs.
        wanted: String,
        /// The tensors that it was to be made of.
        given: String,
    },
    /// Modules of the same shapes whose names do not say which comes first.
    #[error(
        "{first:?} and {second:?} have the same shapes, and their names do not say which of them is {layer}: give \
         checkpoints.names = [...], the modules in the order in which the model applies them"
    )]
    Ambiguous {
        /// A module.
        first: String,
        /// Another one.
        second: String,
        /// The layer that either would fit.
        layer: String,
    },
    /// A name that no module has.
    #[error("checkpoints.names: there is no module {name:?}; there are {given}")]
    UnknownName {
        /// The name.
        name: String,
        /// The modules there are.
        given: String,
    },
}

/// The model vector that `tensors` hold.
///
/// `names`: the modules in the order in which the model applies them, e.g. `["conv1", "conv2", "fc"]`; found from
/// shapes and numbers in the names if it is not given. A single tensor of one dimension with as many numbers as the
/// model is taken as the vector itself.
///
/// # Errors
/// If the tensors are those of another model, or their order cannot be told.
pub fn model_of(
    architecture: &Architecture,
    tensors: &[NamedTensor],
    names: Option<&[String]>,
) -> Result<ModelVector, ForeignError> {
    if let [only] = tensors
        && only.shape == [architecture.parameters()]
    {
        return Ok(ModelVector::from(only.values.clone()));
    }
    let slots = Slot::all(architecture);
    let modules = Module::all(tensors);
    let ordered = match names {
        Some(names) => modules::named(&modules, names)?,
        None => modules.iter().collect(),
    };
    if ordered.len() != slots.len() {
        return Err(ForeignError::Count {
            expected: slots.len(),
            found: ordered.len(),
            wanted: listed(
                slots
                    .iter()
                    .map(|slot| format!("{slot} ({})", slot.wanted())),
            ),
            given: listed(ordered.iter().map(ToString::to_string)),
        });
    }
    let matched = match names {
        Some(_) => ordered,
        None => matched(&slots, &ordered)?,
    };
    let mut model = Vec::with_capacity(architecture.parameters());
    for (slot, module) in slots.iter().zip(matched) {
        if !slot.fits(module) {
            return Err(unfit(slot, module));
        }
        slot.write(module, &mut model);
    }
    Ok(ModelVector::from(model))
}

/// One module for each slot, by shape and then by number.
fn matched<'a>(
    slots: &[Slot<'_>],
    modules: &[&'a Module<'a>],
) -> Result<Vec<&'a Module<'a>>, ForeignError> {
    let mut taken = vec![false; modules.len()];
    let mut chosen = Vec::with_capacity(slots.len());
    for (place, slot) in slots.iter().enumerate() {
        let left: Vec<usize> = (0..modules.len())
            .filter(|&i| !taken[i] && slot.fits(modules[i]))
            .collect();
        let Some(&first) = left.first() else {
            // What stands at the same place by name is what was most likely meant.
            let meant = (0..modules.len()).find(|&i| !taken[i]);
            return Err(unfit(slot, modules[meant.unwrap_or(place)]));
        };
        if let Some(&other) = left[1..]
            .iter()
            .find(|&&other| !alike(&modules[first].name, &modules[other].name))
        {
            return Err(ForeignError::Ambiguous {
                first: modules[first].name.clone(),
                second: modules[other].name.clone(),
                layer: slot.to_string(),
            });
        }
        taken[first] = true;
        chosen.push(modules[first]);
    }
    Ok(chosen)
}

fn unfit(slot: &Slot<'_>, module: &Module<'_>) -> ForeignError {
    ForeignError::Shape {
        layer: slot.to_string(),
        wanted: slot.wanted(),
        given: module.to_string(),
    }
}

fn listed(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::ImageShape;
    use crate::{Backend, Batch, InputShape, ModelConfig};
    use serde::Deserialize;

    /// What PyTorch says: made by `tests/foreign/make.py` with torch 2.15 in double precision.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        model: ModelConfig,
        features: usize,
        classes: usize,
        names: Option<Vec<String>>,
        tensors: Vec<(String, Vec<usize>)>,
        losses: Vec<f64>,
    }

    /// The numbers of both sides: no weight is stored.
    fn wave(count: usize, phase: usize) -> impl Iterator<Item = f64> {
        (0..count).map(move |i| 0.4 * (0.7 * i as f64 + phase as f64).sin())
    }

    impl Case {
        fn all() -> Vec<Self> {
            serde_json::from_str(include_str!("../../tests/foreign/losses.json")).unwrap()
        }

        fn of(name: &str) -> Self {
            let case = Self::all().into_iter().find(|case| case.name == name);
            case.unwrap()
        }

        fn reads_text(&self) -> bool {
            ["lstm", "gru", "transformer"].contains(&self.name.as_str())
        }

        fn architecture(&self) -> Architecture {
            let side = self.features.isqrt();
            let input = if self.reads_text() {
                InputShape::Tokens {
                    length: self.features,
                    vocabulary: self.classes,
                }
            } else if side * side == self.features {
                InputShape::Image(ImageShape {
                    height: side,
                    width: side,
                    channels: 1,
                })
            } else {
                InputShape::Features(self.features)
            };
            self.model.architecture(input, self.classes).unwrap()
        }

        /// In the alphabet's order, as a safetensors file has them.
        fn tensors(&self) -> Vec<NamedTensor> {
            let tensor = |(phase, (name, shape)): (usize, &(String, Vec<usize>))| NamedTensor {
                name: name.clone(),
                shape: shape.clone(),
                values: wave(shape.iter().product(), phase)
                    .map(|value| value as f32)
                    .collect(),
            };
            let mut tensors: Vec<_> = self.tensors.iter().enumerate().map(tensor).collect();
            tensors.sort_by(|a, b| a.name.cmp(&b.name));
            tensors
        }

        fn model(&self, tensors: &[NamedTensor]) -> Result<ModelVector, ForeignError> {
            model_of(&self.architecture(), tensors, self.names.as_deref())
        }
    }

    #[test]
    fn losses_are_those_of_pytorch() {
        for case in Case::all() {
            let model = case.model(&case.tensors()).unwrap();
            let feature = |value: f64| {
                if case.reads_text() {
                    ((value + 0.4) * 7.0).floor().clamp(0.0, 5.0) as f32
                } else {
                    value as f32
                }
            };
            let features: Vec<f32> = wave(4 * case.features, 100).map(feature).collect();
            let labels: Vec<u32> = (0..4).map(|record| record % case.classes as u32).collect();
            let batch = Batch {
                features: &features,
                labels: data::LabelSlice::Classes(&labels),
                subjects: &[0; 4],
            };
            let mut scores = Vec::new();
            let mut network = Backend::default().network(&case.architecture());
            network
                .evaluate(model.as_slice(), &batch, &mut scores)
                .unwrap();
            for (score, loss) in scores.iter().zip(&case.losses) {
                let error = (f64::from(score.loss) / loss - 1.0).abs();
                assert!(error < 1e-5, "{}: {} for {loss}", case.name, score.loss);
            }
            assert_eq!(scores.len(), case.losses.len());
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_would() {
        let case = Case::of("mlp");
        let refusal = |tensors: &[NamedTensor]| case.model(tensors).unwrap_err().to_string();
        let tensors = case.tensors();

        let mut other = tensors.clone();
        other[1].shape = vec![4, 6];
        let error = refusal(&other);
        for part in [
            "parameter layer 1, linear,",
            "weight [4, 5], bias [4]",
            "0.weight [4, 6]",
        ] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
        let error = refusal(&tensors[2..]);
        assert!(
            error.contains("2 modules") && error.contains("3 layers"),
            "{error}"
        );
        let mut more = tensors.clone();
        more[0].name = "0.running_mean".to_owned();
        assert!(refusal(&more).contains("4 modules"));

        // Two layers of 4 to 4 would both fit; names that are no numbers do not say which comes first.
        let deep = Case {
            model: serde_json::from_str(r#"{"kind":"mlp","hidden":[4,4,4]}"#).unwrap(),
            ..Case::of("mlp")
        };
        let mut four = tensors.clone();
        for part in ["bias", "weight"] {
            let twin = tensors
                .iter()
                .find(|tensor| tensor.name == format!("2.{part}"));
            four.push(NamedTensor {
                name: format!("inner.{part}"),
                ..twin.unwrap().clone()
            });
        }
        let error = deep.model(&four).unwrap_err();
        assert!(matches!(error, ForeignError::Ambiguous { .. }), "{error}");
        let order = |names: [&str; 4]| {
            let names = names.map(str::to_owned);
            model_of(&deep.architecture(), &four, Some(&names))
        };
        assert!(order(["0", "inner", "2", "4"]).is_ok());
        assert!(matches!(
            order(["0", "inner", "2", "six"]),
            Err(ForeignError::UnknownName { .. })
        ));
        assert!(matches!(
            order(["inner", "0", "2", "4"]),
            Err(ForeignError::Shape { .. })
        ));
    }

    #[test]
    fn a_missing_bias_is_zero_and_a_vector_of_our_own_is_taken_as_it_is() {
        let case = Case::of("mlp");
        let without: Vec<_> = case
            .tensors()
            .into_iter()
            .filter(|tensor| tensor.name.ends_with("weight"))
            .collect();
        let model = case.model(&without).unwrap();
        assert_eq!(&model.as_slice()[20..24], [0.0; 4]);
        let own = NamedTensor {
            name: "model".to_owned(),
            shape: vec![model.as_slice().len()],
            values: model.as_slice().to_vec(),
        };
        assert_eq!(case.model(&[own]).unwrap(), model);
    }
}
