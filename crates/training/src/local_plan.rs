//! What a silo does in a round, decided before it begins.
//!
//! The plan holds the sampler, the clipping and the noise of a local step, and the [`Mechanism`] that says what
//! they are. All of them are read off one [`Protection`], so what is done and what is accounted cannot differ.

#[cfg(feature = "planted-faults")]
use crate::Fault;
use crate::{
    AdaptiveClip, Batches, Canary, ClipBound, ClipStyle, Clipping, Optimizer, Schedule,
    TrainingConfig, sampling,
};
use accounting::{ClipNorm, ClippedStep, Mechanism, NoiseMultiplier, SamplingRate};
use data::Dataset;
use primitives::{RecordId, Role, Round, Seed, SiloId, Stream, SubjectId};
use std::num::NonZeroU32;

/// How the local steps of a silo protect records and subjects. `C`: `clip_norm`; `z`: `noise_multiplier`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Protection {
    /// Not at all. Also for runs whose coordinator adds the noise.
    None,
    /// Each record's gradient is clipped to `C`; noise `z C`.
    Record {
        /// `C`.
        clip_norm: ClipNorm,
        /// `z`.
        noise_multiplier: NoiseMultiplier,
    },
    /// As `Record`, with at most `G` records of a subject, drawn once for the whole run; noise `z G C`.
    Group {
        /// `C`.
        clip_norm: ClipNorm,
        /// `z`.
        noise_multiplier: NoiseMultiplier,
        /// `G`.
        group_size: NonZeroU32,
    },
    /// Each record's gradient is clipped to `C`, then a subject's sampled records are averaged; noise `z C`.
    AveragedGradient {
        /// `C`.
        clip_norm: ClipNorm,
        /// `z`.
        noise_multiplier: NoiseMultiplier,
    },
    /// Subjects are sampled; at most `G` records of each, drawn anew each step, are averaged and the average is
    /// clipped to `C`; noise `z C`.
    SubjectSampling {
        /// `C`.
        clip_norm: ClipNorm,
        /// `z`.
        noise_multiplier: NoiseMultiplier,
        /// `G`.
        records_per_subject: NonZeroU32,
    },
}

impl Protection {
    /// `C` and `z`, if anything is clipped.
    pub const fn bound(&self) -> Option<(ClipNorm, NoiseMultiplier)> {
        match *self {
            Self::None => None,
            Self::Record {
                clip_norm,
                noise_multiplier,
            }
            | Self::Group {
                clip_norm,
                noise_multiplier,
                ..
            }
            | Self::AveragedGradient {
                clip_norm,
                noise_multiplier,
            }
            | Self::SubjectSampling {
                clip_norm,
                noise_multiplier,
                ..
            } => Some((clip_norm, noise_multiplier)),
        }
    }

    /// How many records of one subject the noise is for.
    const fn group_size(&self) -> u32 {
        match self {
            Self::Group { group_size, .. } => group_size.get(),
            _ => 1,
        }
    }

    /// One local step without its noise, if anything is protected.
    const fn step(&self, sampling_rate: SamplingRate) -> Option<ClippedStep> {
        Some(match *self {
            Self::None => return None,
            Self::Record { .. } => ClippedStep::Record { sampling_rate },
            Self::Group { group_size, .. } => ClippedStep::Group {
                sampling_rate,
                group_size,
            },
            Self::AveragedGradient { .. } => ClippedStep::AveragedGradient { sampling_rate },
            Self::SubjectSampling { .. } => ClippedStep::SubjectSampling { sampling_rate },
        })
    }

    /// The same protection with this `C`.
    const fn with_clip_norm(mut self, norm: ClipNorm) -> Self {
        match &mut self {
            Self::None => {}
            Self::Record { clip_norm, .. }
            | Self::Group { clip_norm, .. }
            | Self::AveragedGradient { clip_norm, .. }
            | Self::SubjectSampling { clip_norm, .. } => *clip_norm = norm,
        }
        self
    }
}

/// A plan that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Batches of fixed size with protection.
    #[error(
        "training.batch_size with a protection: amplification by sampling is proved for Poisson batches; \
         give training.sampling_rate instead"
    )]
    FixedBatches,
    /// A silo with nothing to train on.
    #[error("{0} has no records: leave it out of the federation")]
    NoRecords(SiloId),
}

/// What a silo does in every round: which of its records take part, how a batch is drawn, what is clipped, how
/// much noise is added, and what all that is divided by.
#[derive(Clone, Debug)]
pub struct LocalPlan {
    silo: SiloId,
    /// The records that take part, by subject, then by id.
    records: Vec<RecordId>,
    /// The subject of each.
    subjects: Vec<SubjectId>,
    /// Where each subject's records end in `records`.
    subject_ends: Vec<u32>,
    protection: Protection,
    adaptive: Option<AdaptiveClip>,
    clip_style: ClipStyle,
    batches: Batches,
    steps: u32,
    /// The public denominator, where the records are not those that it was planned for.
    planned_batch: Option<f64>,
    learning_rate: f64,
    schedule: Schedule,
    optimizer: Optimizer,
    canaries: Vec<Canary>,
    #[cfg(feature = "planted-faults")]
    fault: Option<Fault>,
}

impl LocalPlan {
    /// The plan of `silo`, which holds `records` of `dataset`.
    ///
    /// # Errors
    /// If a protection meets batches of fixed size, or there are no records.
    pub fn try_new(
        config: &TrainingConfig,
        protection: Protection,
        dataset: &Dataset,
        records: &[RecordId],
        silo: SiloId,
        seed: &Seed,
    ) -> Result<Self, PlanError> {
        if protection != Protection::None && matches!(config.batches, Batches::Shuffled(_)) {
            return Err(PlanError::FixedBatches);
        }
        if records.is_empty() {
            return Err(PlanError::NoRecords(silo));
        }
        let mut records = records.to_vec();
        records.sort_unstable_by_key(|&record| (dataset.subject(record), record));
        if let Protection::Group { group_size, .. } = protection {
            records = cap(dataset, &records, group_size.get() as usize, silo, seed);
        }
        let (subjects, subject_ends) = by_subject(dataset, &records);
        Ok(Self {
            silo,
            steps: config.work.steps(config.batches, records.len()),
            planned_batch: None,
            records,
            subjects,
            subject_ends,
            protection,
            adaptive: None,
            clip_style: config.clipping,
            batches: config.batches,
            learning_rate: config.learning_rate,
            schedule: config.schedule,
            optimizer: config.optimizer,
            canaries: Vec::new(),
            #[cfg(feature = "planted-faults")]
            fault: None,
        })
    }

    /// The same plan with a clip norm that adapts from step to step, beginning with `adaptive`'s; without protection
    /// the plan as it is. The protection's noise multiplier is that of sum and count together.
    #[must_use]
    pub fn with_adaptive_clip(mut self, adaptive: AdaptiveClip) -> Self {
        if self.protection != Protection::None {
            self.adaptive = Some(adaptive);
            self.protection = self.protection.with_clip_norm(adaptive.initial());
        }
        self
    }

    /// How the clip norm adapts, if it does.
    pub const fn adaptive_clip(&self) -> Option<AdaptiveClip> {
        self.adaptive
    }

    /// The same plan, clipping to `norm`.
    pub(crate) fn set_clip_norm(&mut self, norm: ClipNorm) {
        self.protection = self.protection.with_clip_norm(norm);
    }

    /// The same plan in a silo that holds `records` instead: a neighbouring data set. What is public stays: steps, what
    /// a sum is divided by, and so the mechanism. No cap on a subject's records is drawn anew: `records` are those that
    /// take part.
    ///
    /// # Errors
    /// If there are no records.
    pub fn holding(mut self, dataset: &Dataset, records: &[RecordId]) -> Result<Self, PlanError> {
        if records.is_empty() {
            return Err(PlanError::NoRecords(self.silo));
        }
        self.planned_batch = self.expected_batch();
        self.records = records.to_vec();
        self.records
            .sort_unstable_by_key(|&record| (dataset.subject(record), record));
        (self.subjects, self.subject_ends) = by_subject(dataset, &self.records);
        Ok(self)
    }

    /// What is clipped to, at the first step where that adapts.
    pub fn clip_norm(&self) -> Option<ClipNorm> {
        self.protection.bound().map(|(norm, _)| norm)
    }

    /// The same plan with an auditor's canaries beside the silo's records. They change neither what is divided by
    /// nor the ledger.
    #[must_use]
    pub fn with_canaries(mut self, canaries: Vec<Canary>) -> Self {
        self.canaries = canaries;
        self
    }

    /// The same plan, carried out wrongly.
    #[cfg(feature = "planted-faults")]
    #[must_use]
    pub const fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// The mistake that the plan is carried out with.
    #[cfg(feature = "planted-faults")]
    pub const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// What one local step of this plan is, for the ledger.
    pub fn mechanism(&self) -> Mechanism {
        let (Batches::Poisson(sampling_rate), Some((_, z))) =
            (self.batches, self.protection.bound())
        else {
            return Mechanism::None;
        };
        let Some(step) = self.protection.step(sampling_rate) else {
            return Mechanism::None;
        };
        match self.adaptive {
            None => step.with_noise(z),
            Some(adaptive) => {
                let (gradient_noise, count_noise) = adaptive.noises(z);
                Mechanism::AdaptiveClip {
                    step,
                    gradient_noise,
                    count_noise,
                }
            }
        }
    }

    /// What one local step clips.
    pub fn clipping(&self) -> Clipping {
        #[cfg(feature = "planted-faults")]
        if self.fault == Some(Fault::ClipPerBatch) {
            return Clipping::Nothing;
        }
        let bound = |norm| ClipBound {
            norm,
            style: self.clip_style,
        };
        match self.protection {
            Protection::None => Clipping::Nothing,
            Protection::Record { clip_norm, .. } | Protection::Group { clip_norm, .. } => {
                Clipping::Records(bound(clip_norm))
            }
            Protection::AveragedGradient { clip_norm, .. } => {
                Clipping::RecordsInSubjectMeans(bound(clip_norm))
            }
            Protection::SubjectSampling { clip_norm, .. } => {
                Clipping::SubjectMeans(bound(clip_norm))
            }
        }
    }

    /// Deviation of the noise that is added to each entry of the clipped sum.
    pub fn noise_deviation(&self) -> f64 {
        #[cfg(feature = "planted-faults")]
        match self.fault {
            Some(Fault::NoiseHalved) => return self.planned_deviation() / 2.0,
            Some(Fault::ForgetfulSilo(silo)) if silo == self.silo => return 0.0,
            _ => {}
        }
        self.planned_deviation()
    }

    fn planned_deviation(&self) -> f64 {
        let Some((norm, z)) = self.protection.bound() else {
            return 0.0;
        };
        let z = self.adaptive.map_or(z, |adaptive| adaptive.noises(z).0);
        z.get() * f64::from(self.protection.group_size()) * norm.get()
    }

    /// Deviation of the noise that is added to the count of gradients within the clip norm; 0 if nobody counts.
    pub fn count_deviation(&self) -> f64 {
        let (Some(adaptive), Some((_, z))) = (self.adaptive, self.protection.bound()) else {
            return 0.0;
        };
        adaptive.noises(z).1.get() * f64::from(self.protection.group_size()) / 2.0
    }

    /// What the noisy sum of a Poisson batch is divided by: how many gradients are expected to be in it, never how
    /// many there were. Counts are those of records, or of subjects where gradients are averaged over a subject's.
    /// `None` if batches have a size of their own.
    pub fn expected_batch(&self) -> Option<f64> {
        let Batches::Poisson(rate) = self.batches else {
            return None;
        };
        if self.planned_batch.is_some() {
            return self.planned_batch;
        }
        let rate = rate.get();
        Some(match self.protection {
            Protection::None | Protection::Record { .. } | Protection::Group { .. } => {
                rate * self.records.len() as f64
            }
            Protection::SubjectSampling { .. } => rate * self.subject_ends.len() as f64,
            Protection::AveragedGradient { .. } => self
                .subject_records()
                .map(|(_, records)| 1.0 - (1.0 - rate).powi(records.cast_signed()))
                .sum(),
        })
    }

    /// Every subject of the silo with the number of its records that take part, by id.
    pub fn subject_records(&self) -> impl Iterator<Item = (SubjectId, u32)> {
        let starts = std::iter::once(0).chain(self.subject_ends.iter().copied());
        starts
            .zip(&self.subject_ends)
            .map(|(start, &end)| (self.subjects[start as usize], end - start))
    }

    /// The silo.
    pub const fn silo(&self) -> SiloId {
        self.silo
    }

    /// The records that take part, by subject, then by id.
    pub fn records(&self) -> &[RecordId] {
        &self.records
    }

    /// Local steps a round.
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    /// The auditor's canaries.
    pub fn canaries(&self) -> &[Canary] {
        &self.canaries
    }

    /// How records and subjects are protected.
    pub const fn protection(&self) -> &Protection {
        &self.protection
    }

    /// The chance that a unit joins a step; `None` if batches have a size.
    pub(crate) const fn joining_rate(&self) -> Option<f64> {
        let Batches::Poisson(rate) = self.batches else {
            return None;
        };
        #[cfg(feature = "planted-faults")]
        if matches!(self.fault, Some(Fault::RateDoubled)) {
            return Some((2.0 * rate.get()).min(1.0));
        }
        Some(rate.get())
    }

    /// How a batch is drawn.
    pub const fn batches(&self) -> Batches {
        self.batches
    }

    /// Size of a step in `round`.
    pub fn learning_rate(&self, round: Round) -> f64 {
        self.learning_rate * self.schedule.factor(round)
    }

    /// What a step does with the gradient.
    pub const fn optimizer(&self) -> Optimizer {
        self.optimizer
    }

    /// Puts a random batch into `rows`: places in [`LocalPlan::records`], in order.
    pub(crate) fn draw_poisson(&self, rate: f64, rng: &mut impl rand::Rng, rows: &mut Vec<u32>) {
        let Protection::SubjectSampling {
            records_per_subject,
            ..
        } = self.protection
        else {
            return sampling::poisson(self.records.len(), rate, rng, rows);
        };
        let (mut joined, mut chosen) = (Vec::new(), Vec::new());
        sampling::poisson(self.subject_ends.len(), rate, rng, &mut joined);
        rows.clear();
        for subject in joined.into_iter().map(|subject| subject as usize) {
            let start = if subject == 0 {
                0
            } else {
                self.subject_ends[subject - 1]
            };
            let count = records_per_subject.get() as usize;
            sampling::subset(start..self.subject_ends[subject], count, rng, &mut chosen);
            rows.extend_from_slice(&chosen);
        }
    }

    /// The subject of the record at `row` of [`LocalPlan::records`].
    pub(crate) fn subject(&self, row: u32) -> SubjectId {
        self.subjects[row as usize]
    }
}

/// The subject of each of `records`, which lie by subject, and where each subject's records end.
fn by_subject(dataset: &Dataset, records: &[RecordId]) -> (Vec<SubjectId>, Vec<u32>) {
    let subjects: Vec<SubjectId> = records
        .iter()
        .map(|&record| dataset.subject(record))
        .collect();
    let ends = subjects
        .chunk_by(|a, b| a == b)
        .scan(0, |end, chunk| {
            *end += chunk.len() as u32;
            Some(*end)
        })
        .collect();
    (subjects, ends)
}

/// At most `count` of each subject's records, drawn once for the run. `records` lie by subject.
fn cap(
    dataset: &Dataset,
    records: &[RecordId],
    count: usize,
    silo: SiloId,
    seed: &Seed,
) -> Vec<RecordId> {
    let mut rng = seed.stream(Stream::silo(Role::Sampling, silo, Round::UNTRAINED));
    let mut chosen = Vec::new();
    let same_subject = |a: &RecordId, b: &RecordId| dataset.subject(*a) == dataset.subject(*b);
    let mut kept = Vec::with_capacity(records.len());
    for records in records.chunk_by(same_subject) {
        sampling::subset(0..records.len() as u32, count, &mut rng, &mut chosen);
        kept.extend(chosen.iter().map(|&i| records[i as usize]));
    }
    kept
}
