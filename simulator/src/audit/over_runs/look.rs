//! What an auditor looks at in a trial: a few numbers a round, and the statistics that are made of them.

use crate::audit::readings::Sheet;
use crate::exit::Failure;
use crate::stack::StackSeat;
use crate::training_run::Seen;
use attacks::MembershipScore;
use attacks::audit::CanaryScores;
use data::Dataset;
use primitives::{ModelVector, RecordId, Round};
use scenarios::{Resolved, Trials};
use std::sync::Arc;
use training::{Evaluator, NetworkError, RecordScore};

/// Numbers a round of a subject with records.
const LOSS: usize = 0;
const MARGIN: usize = 1;
const ALIGNMENT: usize = 2;

/// A statistic of a trial: its name, and its value out of what every round showed, the untrained model first.
type Statistic = (&'static str, fn(&[Vec<f64>]) -> f64);

/// What can be made of a subject's records.
const OF_RECORDS: [Statistic; 5] = [
    ("minus the loss after the last round", |rounds| {
        -last(rounds)[LOSS]
    }),
    ("the margin after the last round", |rounds| {
        last(rounds)[MARGIN]
    }),
    ("minus the mean loss of all rounds", |rounds| {
        let trained = &rounds[1..];
        -trained.iter().map(|round| round[LOSS]).sum::<f64>() / trained.len() as f64
    }),
    ("the fall of the loss since before training", |rounds| {
        rounds[0][LOSS] - last(rounds)[LOSS]
    }),
    (
        "the way that every update went along the subject's gradient",
        |rounds| last(rounds)[ALIGNMENT],
    ),
];

/// What can be made of a crafted gradient's readings.
const OF_READINGS: [Statistic; 1] = [("the log-likelihood ratio of the readings", |rounds| {
    last(rounds)[0]
})];

fn last(rounds: &[Vec<f64>]) -> &[f64] {
    &rounds[rounds.len() - 1]
}

fn statistics(trials: &Trials) -> &'static [Statistic] {
    if trials.records.is_empty() {
        &OF_READINGS
    } else {
        &OF_RECORDS
    }
}

/// Looks at one trial, round by round.
pub(super) enum Look<'a> {
    /// Records: loss, margin, and how far the updates so far went along minus the subject's gradient.
    Records(Box<OfRecords<'a>>),
    /// A crafted gradient: the log-likelihood ratio of the readings so far.
    Readings(Sheet<'a>),
}

/// What is held against a subject's records.
pub(super) struct OfRecords<'a> {
    eye: Eye<'a>,
    dataset: Arc<Dataset>,
    records: &'a [RecordId],
    /// The model of the round before, and the subject's gradient there.
    before: Option<(ModelVector, Vec<f32>)>,
    alignment: f64,
}

/// What works out what a model says about records.
enum Eye<'a> {
    /// An evaluator of this trial's own.
    Own(Evaluator),
    /// The stack in which the trial is trained.
    Seat(&'a StackSeat),
}

impl Eye<'_> {
    fn scores(
        &mut self,
        model: &ModelVector,
        dataset: &Arc<Dataset>,
        records: &[RecordId],
    ) -> Result<Vec<RecordScore>, NetworkError> {
        match self {
            Self::Own(evaluator) => evaluator.scores(model, dataset, records),
            Self::Seat(seat) => seat.scores(model, dataset, records),
        }
    }

    fn mean_gradient(
        &mut self,
        model: &ModelVector,
        dataset: &Arc<Dataset>,
        records: &[RecordId],
    ) -> Result<Vec<f32>, NetworkError> {
        let (model, dataset) = (model.clone(), Arc::clone(dataset));
        let records = records.to_vec();
        let work = move |evaluator: &mut Evaluator| {
            let mut gradient = vec![0.0; model.len()];
            evaluator.mean_gradient(&model, &dataset, &records, &mut gradient)?;
            Ok(gradient)
        };
        match self {
            Self::Own(evaluator) => work(evaluator),
            Self::Seat(seat) => seat.evaluate(work),
        }
    }
}

impl<'a> Look<'a> {
    /// Before the first round of `federation`, which is one of `trials`; at `seat` if it is trained in a stack.
    pub(super) fn new(
        trials: &'a Trials,
        federation: &'a Resolved,
        seat: Option<&'a StackSeat>,
    ) -> Self {
        if trials.records.is_empty() {
            return Self::Readings(Sheet::new(&federation.schedule.canaries));
        }
        let backend = federation.file.scenario.training.backend();
        let own = || Eye::Own(Evaluator::new(&federation.world.architecture, backend));
        Self::Records(Box::new(OfRecords {
            eye: seat.map_or_else(own, Eye::Seat),
            dataset: Arc::clone(&federation.world.dataset),
            records: &trials.records,
            before: None,
            alignment: 0.0,
        }))
    }

    /// Numbers a round.
    pub(super) const fn width(trials: &Trials) -> usize {
        if trials.records.is_empty() { 1 } else { 3 }
    }

    /// What the auditor sees, in a sentence.
    pub(super) const fn view(trials: &Trials) -> &'static str {
        if trials.records.is_empty() {
            "The auditor reads every noised sum along the subject's gradient and knows all that others added to it."
        } else {
            "The auditor holds the subject's records and sees the global model of every round."
        }
    }

    /// What there is to choose from, in words.
    pub(super) fn names(trials: &Trials) -> Vec<&'static str> {
        statistics(trials).iter().map(|(name, _)| *name).collect()
    }

    /// The scores of all trials by every statistic, higher = with the subject. Shape of `looks`:
    /// `[trials][rounds + 1][width]`.
    ///
    /// # Errors
    /// If a number is not finite.
    pub(super) fn statistics(
        trials: &Trials,
        looks: &[Vec<Vec<f64>>],
    ) -> Result<Vec<CanaryScores>, Failure> {
        let by = |(_, of): &Statistic| {
            let mut sides = [Vec::new(), Vec::new()];
            for (trial, rounds) in looks.iter().enumerate() {
                let included = Trials::includes(trial);
                let score = MembershipScore::try_new(of(rounds)).map_err(Failure::run)?;
                sides[usize::from(included)].push(score);
            }
            let [without, with] = sides;
            CanaryScores::try_new(with, without).map_err(Failure::run)
        };
        statistics(trials).iter().map(by).collect()
    }

    /// What a round shows. Shape: `[width]`.
    ///
    /// # Errors
    /// If the model has diverged, or readings are missing.
    pub(super) fn at(&mut self, seen: &Seen<'_>) -> Result<Vec<f32>, Failure> {
        let row = match self {
            Self::Records(look) => look.at(seen)?,
            Self::Readings(sheet) => {
                for entry in seen.entries {
                    sheet.follow(entry, &seen.readings).map_err(Failure::run)?;
                }
                vec![sheet.first_score() as f32]
            }
        };
        if row.iter().all(|value| value.is_finite()) {
            return Ok(row);
        }
        Err(diverged(seen.round))
    }
}

fn diverged(round: Round) -> Failure {
    Failure::run(format!(
        "what {round} shows of the subject is not finite: the model diverged; lower the learning rate or clip the gradients"
    ))
}

impl OfRecords<'_> {
    fn at(&mut self, seen: &Seen<'_>) -> Result<Vec<f32>, Failure> {
        let model = seen.model;
        let scores = self
            .eye
            .scores(model, &self.dataset, self.records)
            .map_err(Failure::run)?;
        let count = scores.len() as f64;
        let loss: f64 = scores.iter().map(|score| f64::from(score.loss)).sum();
        let margin: f64 = scores.iter().map(|score| f64::from(score.margin)).sum();
        if !(loss.is_finite() && margin.is_finite()) {
            return Err(diverged(seen.round));
        }
        if let Some((before, gradient)) = &self.before {
            self.alignment += along(before.as_slice(), model.as_slice(), gradient);
        }
        let gradient = self
            .eye
            .mean_gradient(model, &self.dataset, self.records)
            .map_err(Failure::run)?;
        self.before = Some((model.clone(), gradient));
        Ok(vec![
            (loss / count) as f32,
            (margin / count) as f32,
            self.alignment as f32,
        ])
    }
}

/// How far the step from `before` to `after` goes along minus `gradient`: `⟨after − before, −g⟩ / ‖g‖`; 0 if there is no
/// gradient.
fn along(before: &[f32], after: &[f32], gradient: &[f32]) -> f64 {
    let (mut product, mut square) = (0.0, 0.0);
    for ((&before, &after), &gradient) in before.iter().zip(after).zip(gradient) {
        let gradient = f64::from(gradient);
        product -= (f64::from(after) - f64::from(before)) * gradient;
        square += gradient * gradient;
    }
    if square > 0.0 {
        product / square.sqrt()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_along_the_gradient_is_as_long_as_it_goes_that_way() {
        // From (1, 1) to (−2, 5): a step (−3, 4) of length 5; the gradient (3, −4) points straight back.
        let along_it = along(&[1.0, 1.0], &[-2.0, 5.0], &[3.0, -4.0]);
        assert!((along_it - 5.0).abs() < 1e-12);
        let across = along(&[1.0, 1.0], &[-2.0, 5.0], &[4.0, 3.0]);
        assert!(across.abs() < 1e-12);
        assert!(along(&[1.0], &[2.0], &[0.0]).abs() < 1e-12);
    }

    #[test]
    fn statistics_are_higher_the_more_a_run_speaks_for_the_subject() {
        let round = |loss, margin, alignment| vec![loss, margin, alignment];
        let with = [
            round(2.0, 0.0, 0.0),
            round(1.0, 1.0, 0.5),
            round(0.5, 2.0, 1.5),
        ];
        let without = [
            round(2.0, 0.0, 0.0),
            round(1.5, 0.5, 0.1),
            round(1.0, 1.0, 0.2),
        ];
        let expected = [-0.5, 2.0, -0.75, 1.5, 1.5];
        for ((name, of), expected) in OF_RECORDS.iter().zip(expected) {
            assert!((of(&with) - expected).abs() < 1e-12, "{name}");
            assert!(of(&with) > of(&without), "{name}");
        }
    }
}
