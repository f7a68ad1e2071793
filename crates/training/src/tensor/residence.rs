//! Data sets that stay on a device.

use super::labels::TensorLabels;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use data::{Dataset, Labels};
use primitives::RecordId;
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What all that train and score on a device have brought there: one copy a data set, as long as somebody has it.
static RESIDENTS: Mutex<Vec<Resident>> = Mutex::new(Vec::new());

struct Resident {
    /// Keeps the address from being used again, and nothing else.
    dataset: Weak<Dataset>,
    /// A device and [`Columns`] on it.
    columns: Box<dyn Any + Send + Sync>,
}

/// A data set on a device.
#[derive(Clone)]
struct Columns<B: Backend> {
    /// Shape: `[records, inputs]`.
    features: Tensor<B, 2>,
    labels: TensorLabels<B>,
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
    let Columns { features, labels } = resident(dataset, device);
    let indices = records.iter().map(|record| record.0.cast_signed());
    let indices = TensorData::new::<i32, _>(indices.collect(), [records.len()]);
    let indices = Tensor::from_data(indices, device);
    (features.select(0, indices.clone()), labels.select(indices))
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

fn resident<B: Backend>(dataset: &Arc<Dataset>, device: &B::Device) -> Columns<B> {
    let mut residents = RESIDENTS.lock().unwrap_or_else(PoisonError::into_inner);
    residents.retain(|resident| resident.dataset.strong_count() > 0);
    let here = residents
        .iter()
        .filter(|resident| std::ptr::eq(resident.dataset.as_ptr(), Arc::as_ptr(dataset)))
        .filter_map(|resident| resident.columns.downcast_ref::<(B::Device, Columns<B>)>())
        .find(|(on, _)| on == device);
    if let Some((_, columns)) = here {
        return columns.clone();
    }
    let records: Vec<RecordId> = dataset.records().collect();
    let (features, labels) = upload(dataset, &records, device);
    let columns = Columns { features, labels };
    residents.push(Resident {
        dataset: Arc::downgrade(dataset),
        columns: Box::new((device.clone(), columns.clone())),
    });
    columns
}
