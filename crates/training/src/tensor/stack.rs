//! Local steps of many silos as one computation.
//!
//! Silos with the same model, of one federation or of many, are *replicas* on the leading axis of every tensor. What
//! is random is drawn on the host as for a silo by itself, from the same streams: batches before the first step, so that
//! nothing has to be asked of the device until the last; noise as the places in the streams where it lies, from
//! which the device draws it ([`Arithmetic::normals`]). Clip norms that adapt follow their noised counts on the device.
//! One tensor comes back when the round is over.

use super::arithmetic::Arithmetic;
use super::batch::{TensorBatch, side_by_side};
use super::clip::{Clip, clipped_sum, part_ends};
use super::footprint::{self, Footprint, Packing};
use super::layout::{Layout, Placed};
use super::network::floats;
use super::optimizer::{Pace, TensorOptimizer};
use super::replica::Replica;
use super::residence;
use crate::clipping::ROUNDING_MARGIN;
use crate::host_steps::HostSteps;
use crate::local_sgd::{LocalRound, LocalRun, Steps};
use crate::network::check_resident;
use crate::{Architecture, NetworkError};
use burn::tensor::{Tensor, TensorData};
use primitives::{NoiseStream, RecordId};
use std::sync::Arc;

/// Trains silos side by side on a device.
pub(crate) struct Stack<B: Arithmetic> {
    architecture: Architecture,
    device: B::Device,
    /// Bytes of the device's memory that may be used.
    memory: u64,
    /// Takes the rounds that an auditor looks into, which reads the sums of every step.
    one_by_one: HostSteps,
}

impl<B: Arithmetic> Steps for Stack<B>
where
    B::Device: Send,
{
    fn run(&mut self, rounds: &[LocalRound<'_>]) -> Vec<Result<LocalRun, NetworkError>> {
        let mut results: Vec<Option<Result<LocalRun, NetworkError>>> = Vec::new();
        for round in rounds {
            results.push(match self.check(round) {
                Err(error) => Some(Err(error)),
                Ok(()) if is_looked_into(round) => {
                    self.one_by_one.run(std::slice::from_ref(round)).pop()
                }
                Ok(()) => None,
            });
        }
        while let Some(first) = results.iter().position(Option::is_none) {
            let mut alike: Vec<usize> = (first..rounds.len())
                .filter(|&i| results[i].is_none() && are_alike(&rounds[first], &rounds[i]))
                .collect();
            // Those with as many steps side by side: a replica that is done rests until all are.
            alike.sort_by_key(|&i| rounds[i].plan.steps());
            let replicas = alike.iter().map(|&i| Replica::new(&rounds[i])).collect();
            for (i, run) in alike.into_iter().zip(self.run_alike(replicas)) {
                results[i] = Some(run);
            }
        }
        results.into_iter().flatten().collect()
    }
}

/// Whether an auditor looks into the steps of the round.
fn is_looked_into(round: &LocalRound<'_>) -> bool {
    #[cfg(feature = "planted-faults")]
    if round.plan.fault().is_some() {
        return true;
    }
    !round.plan.canaries().is_empty()
}

/// Whether two rounds can be one computation: of the same data, with steps of the same kind.
fn are_alike(a: &LocalRound<'_>, b: &LocalRound<'_>) -> bool {
    let style = |round: &LocalRound<'_>| round.plan.clipping().bound().map(|bound| bound.style);
    Arc::ptr_eq(a.dataset, b.dataset)
        && a.plan.optimizer() == b.plan.optimizer()
        && style(a) == style(b)
        && a.plan.adaptive_clip() == b.plan.adaptive_clip()
}

impl<B: Arithmetic> Stack<B>
where
    B::Device: Send,
{
    pub(crate) fn new(
        architecture: &Architecture,
        device: B::Device,
        memory: u64,
        one_by_one: HostSteps,
    ) -> Self {
        Self {
            architecture: architecture.clone(),
            device,
            memory,
            one_by_one,
        }
    }

    fn check(&self, round: &LocalRound<'_>) -> Result<(), NetworkError> {
        let records = round.plan.records();
        check_resident(&self.architecture, &[round.start], round.dataset, records)
    }

    /// Runs rounds that are alike, as many at a time as fit.
    fn run_alike(&self, mut replicas: Vec<Replica<'_>>) -> Vec<Result<LocalRun, NetworkError>> {
        let units = replicas.iter().map(Replica::most_units).max();
        let units = footprint::places(units.unwrap_or(0));
        let records = replicas.iter().map(Replica::longest_unit).max();
        let records = records.unwrap_or(0).max(1);
        let footprint = Footprint::of(&self.architecture, records);
        let packing = footprint.pack(replicas.len(), units, records, self.memory);
        let mut runs = Vec::with_capacity(replicas.len());
        while !replicas.is_empty() {
            let others = replicas.split_off(packing.replicas.min(replicas.len()));
            runs.extend(self.run_pack(&mut replicas, packing, records));
            replicas = others;
        }
        runs
    }

    /// Runs rounds side by side. `records`: the most of a unit.
    fn run_pack(
        &self,
        replicas: &mut [Replica<'_>],
        packing: Packing,
        records: usize,
    ) -> Vec<Result<LocalRun, NetworkError>> {
        let parameters = self.architecture.parameters();
        let plan = replicas[0].round.plan;
        let style = plan.clipping().bound().map(|bound| bound.style);
        let ends = part_ends(&self.architecture, style);
        let steps = replicas.iter().map(Replica::steps).max().unwrap_or(0);
        let starts: Vec<&[f32]> = replicas
            .iter()
            .map(|replica| replica.round.start.as_slice())
            .collect();
        let starts = side_by_side::<B>(&starts, &self.device);
        let mut models = starts.clone();
        let mut optimizer = TensorOptimizer::new(plan.optimizer());
        let is_noisy = replicas
            .iter()
            .any(|replica| replica.round.plan.noise_deviation() > 0.0);
        let mut norms = style.map(|_| {
            let [norms] = self.columns(replicas, |replica| [replica.clip_norm()]);
            norms
        });
        let mut counts = Tensor::<B, 2>::zeros([replicas.len(), 2], &self.device);
        let mut losses = Tensor::<B, 2>::zeros([replicas.len(), 1], &self.device);
        for step in 0..steps {
            let clip = norms.clone().zip(style);
            let clip = clip.map(|(norms, style)| Clip { norms, style });
            let units = replicas.iter().map(|replica| replica.units(step)).max();
            let mut sums = Tensor::<B, 2>::zeros([replicas.len(), parameters], &self.device);
            let mut counted = Tensor::<B, 2>::zeros([replicas.len(), 2], &self.device);
            for first in (0..units.unwrap_or(0)).step_by(packing.units) {
                let layout = Layout {
                    replicas: replicas.len(),
                    units: packing.units,
                    records,
                };
                let batch = self.batch(replicas, step, first, layout);
                let after = batch.after.clone();
                let (gradients, loss) = batch.gradients(&self.architecture, models.clone());
                let clipped = clipped_sum(gradients, &after, clip.as_ref(), &ends);
                sums = sums + clipped.sum;
                losses = losses + loss;
                if let Some(more) = clipped.counts {
                    counted = counted + more;
                }
            }
            let [rates, shares, ratios, speeds, count_noise] =
                self.columns(replicas, |replica| replica.numbers(step));
            let deviations = norms.clone().map(|norms| norms * ratios);
            if let Some(deviations) = deviations.as_ref().filter(|_| is_noisy) {
                let streams: Vec<NoiseStream> = replicas
                    .iter_mut()
                    .map(|replica| replica.next_noise(parameters))
                    .collect();
                let normals = B::normals(&streams, parameters, &self.device);
                sums = sums + normals * deviations.clone();
            }
            if let (Some(before), Some(adaptive)) = (norms.take(), plan.adaptive_clip()) {
                let balance = counted.clone().narrow(1, 1, 1) * (1.0 - ROUNDING_MARGIN);
                let within = (balance + count_noise) * shares.clone() + 0.5;
                let off = within.clamp(0.0, 1.0) - adaptive.quantile();
                let (least, most) = adaptive.range();
                norms = Some((before * (off * speeds * -1.0).exp()).clamp(least, most));
            } else {
                norms = clip.map(|clip| clip.norms);
            }
            let pace = Pace {
                rates,
                shares,
                deviations,
            };
            models = optimizer.step(models, sums, pace);
            counts = counts + counted;
        }
        let norms = norms.unwrap_or_else(|| Tensor::zeros([replicas.len(), 1], &self.device));
        let all = Tensor::cat(vec![models - starts, counts, losses, norms], 1);
        let width = parameters + 4;
        let results = floats(all);
        let results = results.chunks_exact(width).zip(&*replicas);
        results
            .map(|(result, replica)| replica.run(result, ends.len()))
            .collect()
    }

    /// Some units of every replica's batch of `step`, from unit `first` on.
    fn batch(
        &self,
        replicas: &[Replica<'_>],
        step: usize,
        first: usize,
        layout: Layout,
    ) -> TensorBatch<B> {
        let parts: Vec<_> = replicas
            .iter()
            .map(|replica| replica.part(step, first..first + layout.units))
            .collect();
        let placed = Placed::new(layout, &parts, |replica, row| {
            replicas[replica].record(step, row)
        });
        let records: Vec<RecordId> = placed.rows.iter().copied().map(RecordId).collect();
        let dataset = replicas[0].round.dataset;
        let (features, labels) =
            residence::gather(dataset, &records, self.memory / 4, &self.device);
        TensorBatch::new(&placed, features, labels, &self.device)
    }

    /// Some numbers of each replica, in one go. Shape of each: `[replicas, 1]`.
    fn columns<'a, const N: usize>(
        &self,
        replicas: &mut [Replica<'a>],
        numbers: impl Fn(&mut Replica<'a>) -> [f64; N],
    ) -> [Tensor<B, 2>; N] {
        let rows = replicas.iter_mut().map(numbers);
        let all = rows.flatten().map(|number| number as f32).collect();
        let data = TensorData::new(all, [replicas.len(), N]);
        let all = Tensor::<B, 2>::from_data(data, &self.device);
        std::array::from_fn(|column| all.clone().narrow(1, column, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::{READS, TensorNetwork};
    use super::*;
    use crate::{
        Batches, InputShape, LocalPlan, LocalWork, ModelConfig, Protection, TrainingConfig,
    };
    use accounting::{ClipNorm, NoiseMultiplier, SamplingRate};
    use burn::backend::Flex;
    use burn::backend::flex::FlexDevice;
    use data::{Dataset, DatasetParts, Features};
    use primitives::{Role, Round, Seed, SiloId, Stream, SubjectId};
    use std::num::NonZeroU32;

    /// Memory for all at once, for a few, for one unit of one silo with every batch brought by itself.
    #[test]
    fn how_much_memory_there_is_cannot_be_seen_in_the_result() {
        let model = ModelConfig::Mlp { hidden: vec![4] };
        let model = model.architecture(InputShape::Features(5), 2).unwrap();
        let records = 60;
        let dataset = Dataset::try_new(DatasetParts {
            name: "made for a test".to_owned(),
            features: Features::Floats((0..5 * records).map(|i| (i as f32).sin()).collect()),
            shape: vec![5],
            labels: (0..records).map(|i| i % 2).collect(),
            classes: vec!["a".to_owned(), "b".to_owned()],
            subjects: (0..records).map(|i| SubjectId(i / 4)).collect(),
            subject_names: (0..records / 4).map(|i| i.to_string()).collect(),
            natural_silos: None,
            splits: None,
        });
        let dataset = Arc::new(dataset.unwrap());
        let seed = Seed::from_number(2);
        let start = model.initial(&mut seed.stream(Stream::run(Role::Init)));
        let rate = SamplingRate::try_new(0.6).unwrap();
        let config = TrainingConfig::sgd(LocalWork::Steps(3), Batches::Poisson(rate), 0.2);
        let protection = Protection::SubjectSampling {
            clip_norm: ClipNorm::try_new(0.4).unwrap(),
            noise_multiplier: NoiseMultiplier::try_new(0.5).unwrap(),
            records_per_subject: NonZeroU32::new(3).unwrap(),
        };
        let plans = [0..60, 0..20, 12..52].map(|records| {
            let silo = SiloId(records.end);
            let records: Vec<RecordId> = records.map(RecordId).collect();
            LocalPlan::try_new(&config, protection, &dataset, &records, silo, &seed).unwrap()
        });
        let rounds: Vec<LocalRound<'_>> = plans
            .iter()
            .map(|plan| LocalRound {
                plan,
                dataset: &dataset,
                start: &start,
                clip_norm: None,
                seed: &seed,
                round: Round(3),
            })
            .collect();
        let run = |memory| {
            let network = TensorNetwork::<Flex>::new(&model, FlexDevice);
            let one_by_one = HostSteps::new(Box::new(network));
            let mut stack = Stack::<Flex>::new(&model, FlexDevice, memory, one_by_one);
            let runs = stack.run(&rounds).into_iter();
            runs.map(Result::unwrap).collect::<Vec<_>>()
        };
        let before = READS.get();
        let whole = run(1 << 30);
        assert_eq!(
            READS.get() - before,
            1,
            "one wait for all steps of all silos"
        );
        for memory in [60_000, 8_000, 0] {
            for (part, whole) in run(memory).iter().zip(&whole) {
                let error = part.update.minus(&whole.update).unwrap().l2_norm();
                assert!(error < 1e-6 * whole.update.l2_norm(), "{memory}: {error}");
                assert_eq!(part.clipping.clipped, whole.clipping.clipped);
                assert_eq!(part.clipping.units, whole.clipping.units);
            }
        }
    }
}
