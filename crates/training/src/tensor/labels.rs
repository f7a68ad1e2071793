//! What is to be predicted, on a device, and the losses.

use burn::tensor::activation::log_softmax;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use data::LabelSlice;

/// The class or the target of every record.
#[derive(Clone, Debug)]
pub(super) enum TensorLabels<B: Backend> {
    /// Shape: `[records, 1]`.
    Classes(Tensor<B, 2, Int>),
    /// Shape: `[records, 1]`.
    Targets(Tensor<B, 2>),
}

/// Takes the place of logits that a maximum is not to see. No logit of a model that has not diverged is as small.
const UNSEEN: f32 = -1e30;

impl<B: Backend> TensorLabels<B> {
    /// Brings labels to the device.
    pub(super) fn new(labels: LabelSlice<'_>, device: &B::Device) -> Self {
        match labels {
            LabelSlice::Classes(classes) => {
                let classes = classes.iter().map(|&class| class.cast_signed()).collect();
                let data = TensorData::new::<i32, _>(classes, [labels.len(), 1]);
                Self::Classes(Tensor::from_data(data, device))
            }
            LabelSlice::Targets(targets) => {
                let data = TensorData::new(targets.to_vec(), [labels.len(), 1]);
                Self::Targets(Tensor::from_data(data, device))
            }
        }
    }

    /// The same labels `times` times over.
    pub(super) fn repeated(&self, times: usize) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(classes.clone().repeat_dim(0, times)),
            Self::Targets(targets) => Self::Targets(targets.clone().repeat_dim(0, times)),
        }
    }

    /// The same labels where there is something to differentiate.
    pub(super) fn lifted<A: AutodiffBackend<InnerBackend = B>>(self) -> TensorLabels<A> {
        match self {
            Self::Classes(classes) => TensorLabels::Classes(Tensor::from_inner(classes)),
            Self::Targets(targets) => TensorLabels::Targets(Tensor::from_inner(targets)),
        }
    }

    /// The loss of every record. `outputs`: `[records, outputs]`; result: `[records, 1]`.
    pub(super) fn losses(self, outputs: Tensor<B, 2>) -> Tensor<B, 2> {
        match self {
            Self::Classes(classes) => -log_softmax(outputs, 1).gather(1, classes),
            Self::Targets(targets) => {
                let errors = outputs - targets;
                errors.clone() * errors
            }
        }
    }

    /// Three columns: the loss of every record; its margin; and whether its class has the largest logit, the first of
    /// equal ones, as 1 or 0. Where numbers are predicted the loss alone counts. Shape: `[records, 3]`.
    pub(super) fn scores(self, outputs: Tensor<B, 2>) -> Tensor<B, 2> {
        let classes = match &self {
            Self::Targets(_) => return self.losses(outputs).repeat_dim(1, 3),
            Self::Classes(classes) => classes.clone(),
        };
        let [_, count] = outputs.dims();
        let numbers: Vec<i32> = (0..count as u32).map(u32::cast_signed).collect();
        let numbers = TensorData::new(numbers, [1, count]);
        let numbers = Tensor::<B, 2, Int>::from_data(numbers, &outputs.device());
        let own = outputs.clone().gather(1, classes.clone());
        let others = outputs
            .clone()
            .mask_fill(numbers.clone().sub(classes.clone()).equal_elem(0), UNSEEN);
        let before = outputs
            .clone()
            .mask_fill(numbers.sub(classes).greater_equal_elem(0), UNSEEN);
        let correct = before
            .max_dim(1)
            .lower(own.clone())
            .bool_and(others.clone().max_dim(1).lower_equal(own.clone()));
        let loss = log_sum(outputs) - own.clone();
        let margin = own - log_sum(others);
        Tensor::cat(vec![loss, margin, correct.float()], 1)
    }
}

/// `ln Σ eˣ` of every row. Shape: `[rows, 1]`.
fn log_sum<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let top = x.clone().max_dim(1);
    (x - top.clone()).exp().sum_dim(1).log() + top
}
