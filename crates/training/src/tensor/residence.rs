//! Data sets that stay on a device.

use super::labels::TensorLabels;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use data::{Dataset, LabelSlice, Labels};
use primitives::RecordId;
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What all that train and score on a device have brought there: one copy a data set, as long as somebody has it.
static RESIDENTS: Mutex<Vec<Resident>> = Mutex::new(Vec::new());

struct Resident {
    /// Keeps the address from being used again, and nothing else.
    dataset: Weak<Dataset>,
    /// A device, and a row for each record on it: features, then the class or the target.
    rows: Box<dyn Any + Send + Sync>,
}

/// Features and labels of `records` of `dataset`, in that order. Shape of the features: `[records, inputs]`.
///
/// A data set of at most `room` bytes is brought to the device once, and of each batch only the numbers of its records
/// are; of a larger one each batch is brought there by itself.
pub(super) fn gather<B: Backend>(
    dataset: &Arc<Dataset>,
    records: &[RecordId],
    room: u64,
    device: &B::Device,
) -> (Tensor<B, 2>, TensorLabels<B>) {
    let bytes = dataset.len() as u64 * (dataset.width() as u64 + 1) * 4;
    if bytes > room {
        return upload(dataset, records, device);
    }
    let indices = records.iter().map(|record| record.0.cast_signed());
    let indices = TensorData::new::<i32, _>(indices.collect(), [records.len()]);
    let rows = resident(dataset, device).select(0, Tensor::from_data(indices, device));
    let inputs = dataset.width();
    let labels = rows.clone().narrow(1, inputs, 1);
    let labels = match dataset.labels() {
        LabelSlice::Classes(_) => TensorLabels::Classes(labels.int()),
        LabelSlice::Targets(_) => TensorLabels::Targets(labels),
    };
    (rows.narrow(1, 0, inputs), labels)
}

fn upload<B: Backend>(
    dataset: &Dataset,
    records: &[RecordId],
    device: &B::Device,
) -> (Tensor<B, 2>, TensorLabels<B>) {
    let (mut features, mut labels) = (Vec::new(), Labels::default());
    dataset.gather(records, &mut features, &mut labels);
    let features = TensorData::new(features, [records.len(), dataset.width()]);
    (
        Tensor::from_data(features, device),
        TensorLabels::new(labels.as_slice(), device),
    )
}

/// Features and labels of all records. Shape: `[records, inputs + 1]`.
fn resident<B: Backend>(dataset: &Arc<Dataset>, device: &B::Device) -> Tensor<B, 2> {
    let mut residents = RESIDENTS.lock().unwrap_or_else(PoisonError::into_inner);
    residents.retain(|resident| resident.dataset.strong_count() > 0);
    let here = residents
        .iter()
        .filter(|resident| std::ptr::eq(resident.dataset.as_ptr(), Arc::as_ptr(dataset)))
        .filter_map(|resident| resident.rows.downcast_ref::<(B::Device, Tensor<B, 2>)>())
        .find(|(on, _)| on == device);
    if let Some((_, rows)) = here {
        return rows.clone();
    }
    let width = dataset.width() + 1;
    let mut rows = vec![0.0; dataset.len() * width];
    for (record, row) in dataset.records().zip(rows.chunks_exact_mut(width)) {
        let (label, features) = row.split_last_mut().expect("a row has a label");
        dataset.copy_features(record, features);
        *label = match dataset.labels() {
            // Exact: there are fewer classes than 2²⁴.
            LabelSlice::Classes(classes) => classes[record.index()] as f32,
            LabelSlice::Targets(targets) => targets[record.index()],
        };
    }
    let rows = TensorData::new(rows, [dataset.len(), width]);
    let rows = Tensor::<B, 2>::from_data(rows, device);
    residents.push(Resident {
        dataset: Arc::downgrade(dataset),
        rows: Box::new((device.clone(), rows.clone())),
    });
    rows
}
