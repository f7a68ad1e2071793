//! What can be seen of a model: how good it is, and what it says about the adversary's records.
//!
//! Every record that anybody asks about goes through the model once a round; the model's quality and all attacks read
//! the scores of that one pass. Gradient norms and perturbed copies take passes of their own, over the adversary's
//! records alone, and only if an attack reads them.

mod neighbourhood;
mod silos;

use crate::stack::StackSeat;
use attacks::{Queries, RecordRegime, RoundSignals, SignalKind, SiloSignalKind, View};
use data::{LabelKind, Moments, SubjectIndex};
use neighbourhood::Copies;
use primitives::{ModelVector, RecordId, Round};
use rayon::prelude::*;
use report::model::Quality;
use scenarios::{Scenario, World};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use training::{Backend, Evaluator, NetworkError, RecordScore};

/// Records that one thread scores at a time. A constant, so that no score depends on the number of threads.
const CHUNK: usize = 512;

/// What every attack may read, from one pass: recorded in every run. A number that is predicted has no probability.
const ALWAYS: [SignalKind; 3] = [
    SignalKind::Loss,
    SignalKind::Margin,
    SignalKind::Probability,
];

/// What the attacks read that use shadow runs, and so what every shadow run records.
pub const OF_SHADOWS: [SignalKind; 2] = [SignalKind::Loss, SignalKind::Margin];

/// A signal out of what a model says about a record.
type OfScore = fn(&RecordScore) -> f32;

/// Asks the model of every round about the same records.
#[derive(Debug)]
pub struct Observer<'a> {
    world: &'a World,
    backend: Backend,
    /// What is looked for in the adversary's records.
    kinds: BTreeSet<SignalKind>,
    /// What is looked for in the silos' updates.
    silo_kinds: BTreeSet<SiloSignalKind>,
    copies: Option<Arc<Copies>>,
    /// The adversary's records of both regimes, in id order.
    asked: Vec<RecordId>,
    regimes: Vec<Regime<'a>>,
}

/// Who is asked about in a regime.
#[derive(Debug)]
struct Regime<'a> {
    records: RecordRegime,
    index: &'a SubjectIndex,
    queries: Queries,
    /// Where the records lie in [`Observer::asked`], in the order of the queries.
    asked: Vec<u32>,
}

/// What was seen of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// How good it is on the population's records.
    pub quality: Quality,
    /// Mean loss there: in nats, or the mean squared error.
    pub loss: f64,
    /// Signals of the adversary's records, by regime, in the order of [`Observer::regimes`].
    pub signals: Vec<RoundSignals>,
}

impl<'a> Observer<'a> {
    /// An observer of the world's models that looks for what the scenario's attacks read, and always for loss,
    /// margin and probability. A regime in which the adversary holds no record is left out, and so are both
    /// where nothing attacks.
    pub fn new(world: &'a World, scenario: &Scenario) -> Self {
        let attacks = scenario
            .attacks
            .iter()
            .flat_map(|config| config.attacks(world.seed));
        let needs: Vec<_> = attacks.map(|attack| attack.needs()).collect();
        let read = needs.iter().flat_map(|needs| needs.signals);
        let mut kinds: BTreeSet<_> = ALWAYS.iter().chain(read).copied().collect();
        if world.dataset.label_kind() == LabelKind::Targets {
            kinds.remove(&SignalKind::Probability);
        }
        let observer = Self::of_kinds(world, scenario.training.backend(), kinds);
        let mut observer = observer.with_copies(scenario);
        if scenario.attacks.is_empty() {
            observer.regimes.clear();
            observer.asked.clear();
        }
        if scenario.adversary.view >= View::SiloUpdates {
            let read = needs.iter().flat_map(|needs| needs.silo_signals).copied();
            // Source inference reads the loss.
            observer.silo_kinds = std::iter::once(SiloSignalKind::Loss).chain(read).collect();
        }
        observer
    }

    /// An observer of shadow federations, which are asked about the same records: for what attacks that use them read, and
    /// for what the scenario's other attacks read, who attack every shadow in its turn.
    pub fn of_shadows(world: &'a World, scenario: &Scenario) -> Self {
        let attacks = scenario
            .attacks
            .iter()
            .flat_map(|config| config.attacks(world.seed));
        let read = attacks.flat_map(|attack| attack.needs().signals);
        let kinds = OF_SHADOWS.iter().chain(read).copied().collect();
        Self::of_kinds(world, scenario.training.backend(), kinds).with_copies(scenario)
    }

    /// The same observer, with the noisy copies if it looks at any.
    fn with_copies(mut self, scenario: &Scenario) -> Self {
        if self.kinds.contains(&SignalKind::NeighbourhoodLoss) {
            self.copies = Some(Arc::new(Copies::new(
                scenario.adversary.neighbourhood,
                &self.world.dataset,
                self.world.pools.population_records(),
                &self.world.seed,
            )));
        }
        self
    }

    fn of_kinds(world: &'a World, backend: Backend, kinds: BTreeSet<SignalKind>) -> Self {
        let asked = world.adversary.all_records();
        let position = |record: &RecordId| {
            asked
                .binary_search(record)
                .expect("every record asked about is in the list") as u32
        };
        let regimes = [
            (RecordRegime::Fresh, world.adversary.fresh()),
            (RecordRegime::Training, world.adversary.training()),
        ];
        let regime = |(regime, index): (RecordRegime, &'a SubjectIndex)| {
            Some(Regime {
                records: regime,
                index,
                queries: queries(index)?,
                asked: index.all_records().iter().map(position).collect(),
            })
        };
        Self {
            regimes: regimes.into_iter().filter_map(regime).collect(),
            world,
            backend,
            kinds,
            silo_kinds: BTreeSet::new(),
            copies: None,
            asked,
        }
    }

    /// The regimes that are observed, with whom they ask about.
    pub fn regimes(&self) -> impl Iterator<Item = (RecordRegime, &Queries)> {
        self.regimes
            .iter()
            .map(|regime| (regime.records, &regime.queries))
    }

    /// How many records the model is asked about, in all.
    pub const fn records(&self) -> usize {
        self.asked.len()
    }

    /// What is looked for.
    pub const fn kinds(&self) -> &BTreeSet<SignalKind> {
        &self.kinds
    }

    /// Looks at the model of `round`.
    ///
    /// # Errors
    /// If the model does not fit the data.
    pub fn look(&self, round: Round, model: &ModelVector) -> Result<Sight, NetworkError> {
        // Two passes, for a score depends in its last bit on the records beside it: so the adversary's are the same
        // when it looks alone.
        let asked = self.scores_of(&self.asked, model)?;
        let population = self.scores_of(self.world.pools.population_records(), model)?;
        let count = population.len().max(1) as f64;
        let losses = population.iter().map(|score| f64::from(score.loss));
        let loss = losses.sum::<f64>() / count;
        let quality = match self.world.dataset.targets() {
            None => {
                let right = |score: &&RecordScore| score.correct == Some(true);
                let correct = population.iter().filter(right).count();
                Quality::Accuracy((correct as f64 / count).into())
            }
            Some(targets) => {
                let records = self.world.pools.population_records();
                let targets = records.iter().map(|record| targets[record.index()]);
                Quality::RSquared((1.0 - loss / Moments::of(targets).variance).into())
            }
        };
        Ok(Sight {
            quality,
            loss,
            signals: self.read(round, model, &asked, &self.kinds, None)?,
        })
    }

    /// Looks for `kinds` in the model of `round`, and for nothing else: at `seat` together with others, if there is one.
    /// By regime.
    ///
    /// # Errors
    /// If the model does not fit the data.
    pub fn signals(
        &self,
        round: Round,
        model: &ModelVector,
        kinds: &BTreeSet<SignalKind>,
        seat: Option<&StackSeat>,
    ) -> Result<Vec<RoundSignals>, NetworkError> {
        let is_read = ALWAYS.iter().any(|kind| kinds.contains(kind));
        let scores = match seat {
            _ if !is_read => Vec::new(),
            Some(seat) => seat.scores(model, &self.world.dataset, &self.asked)?,
            None => self.scores_of(&self.asked, model)?,
        };
        self.read(round, model, &scores, kinds, seat)
    }

    /// The signals of every regime, those of one pass out of the scores of all that is asked.
    fn read(
        &self,
        round: Round,
        model: &ModelVector,
        scores: &[RecordScore],
        kinds: &BTreeSet<SignalKind>,
        seat: Option<&StackSeat>,
    ) -> Result<Vec<RoundSignals>, NetworkError> {
        let of_scores: [(SignalKind, OfScore); 3] = [
            (SignalKind::Loss, |score| score.loss),
            (SignalKind::Margin, |score| score.margin),
            (SignalKind::Probability, |score| (-score.loss).exp()),
        ];
        let mut columns: Vec<(SignalKind, Vec<f32>)> = of_scores
            .into_iter()
            .filter(|(kind, _)| kinds.contains(kind))
            .map(|(kind, signal)| (kind, scores.iter().map(signal).collect()))
            .collect();
        if kinds.contains(&SignalKind::GradientNorm) {
            let (model, dataset) = (model.clone(), Arc::clone(&self.world.dataset));
            let norms = self.of_asked(seat, move |evaluator, records| {
                evaluator.gradient_norms(&model, &dataset, records)
            })?;
            columns.push((SignalKind::GradientNorm, norms));
        }
        if let Some(copies) = self
            .copies
            .as_ref()
            .filter(|_| kinds.contains(&SignalKind::NeighbourhoodLoss))
        {
            let (model, dataset) = (model.clone(), Arc::clone(&self.world.dataset));
            let copies = Arc::clone(copies);
            let losses = self.of_asked(seat, move |evaluator, records| {
                let perturb = |record, features: &mut [f32]| copies.perturb(record, features);
                evaluator.mean_losses(&model, &dataset, records, copies.count(), &perturb)
            })?;
            columns.push((SignalKind::NeighbourhoodLoss, losses));
        }
        let regime = |regime: &Regime<'_>| {
            let of_regime = |(kind, all): &(SignalKind, Vec<f32>)| {
                let column = regime.asked.iter().map(|&at| all[at as usize]);
                (*kind, column.collect())
            };
            RoundSignals {
                round,
                columns: columns.iter().map(of_regime).collect(),
            }
        };
        Ok(self.regimes.iter().map(regime).collect())
    }

    fn scores_of(
        &self,
        records: &[RecordId],
        model: &ModelVector,
    ) -> Result<Vec<RecordScore>, NetworkError> {
        self.each(records, CHUNK, |evaluator, records| {
            evaluator.scores(model, &self.world.dataset, records)
        })
    }

    /// One value for each of the adversary's records.
    fn of_asked(
        &self,
        seat: Option<&StackSeat>,
        values: impl Fn(&mut Evaluator, &[RecordId]) -> Result<Vec<f32>, NetworkError>
        + Send
        + Sync
        + 'static,
    ) -> Result<Vec<f32>, NetworkError> {
        let Some(seat) = seat else {
            return self.each(&self.asked, CHUNK, values);
        };
        let asked = self.asked.clone();
        seat.evaluate(move |evaluator| values(evaluator, &asked))
    }

    /// One value for each of `items`: so many a thread at a time, or all with one network on a backend that stacks.
    fn each<I: Sync, T: Clone + Send>(
        &self,
        items: &[I],
        at_a_time: usize,
        values: impl Fn(&mut Evaluator, &[I]) -> Result<Vec<T>, NetworkError> + Send + Sync,
    ) -> Result<Vec<T>, NetworkError> {
        if self.backend.stacks() {
            return values(&mut self.evaluator(), items);
        }
        let chunks: Vec<Vec<T>> = items
            .par_chunks(at_a_time)
            .map_init(|| self.evaluator(), values)
            .collect::<Result<_, NetworkError>>()?;
        Ok(chunks.concat())
    }

    fn evaluator(&self) -> Evaluator {
        Evaluator::new(&self.world.architecture, self.backend)
    }
}

/// Whom `index` asks about; none if it holds no record.
fn queries(index: &SubjectIndex) -> Option<Queries> {
    let counts: BTreeMap<_, _> = index
        .subjects()
        .map(|subject| (subject, index.records(subject).len() as u32))
        .collect();
    Queries::try_new(&counts).ok()
}
