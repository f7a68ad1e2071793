//! What can be seen of a model: how good it is, and what it says about the adversary's records.
//!
//! Every record that anybody asks about goes through the model once a round; accuracy and all attacks read
//! the scores of that one pass.

use attacks::{Queries, RecordRegime, RoundSignals, SignalKind};
use data::SubjectIndex;
use primitives::{ModelVector, RecordId, Round};
use rayon::prelude::*;
use scenarios::{Scenario, World};
use std::collections::{BTreeMap, BTreeSet};
use training::{Backend, Evaluator, NetworkError, RecordScore};

/// Records that one thread scores at a time. A constant, so that no score depends on the number of threads.
const CHUNK: usize = 512;

/// A signal out of what a model says about a record.
type OfScore = fn(&RecordScore) -> f32;

/// Asks the model of every round about the same records.
#[derive(Debug)]
pub struct Observer<'a> {
    world: &'a World,
    backend: Backend,
    /// What is looked for in the adversary's records.
    kinds: BTreeSet<SignalKind>,
    /// Everything that is asked about, in id order.
    records: Vec<RecordId>,
    /// Positions in `records` of the population's.
    population: Vec<u32>,
    /// For each regime, who is asked about and where their records are in `records`.
    regimes: Vec<(RecordRegime, Queries, Vec<u32>)>,
}

/// What was seen of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// Share of right answers on the population's records.
    pub accuracy: f64,
    /// Mean loss there, in nats.
    pub loss: f64,
    /// Signals of the adversary's records, by regime, in the order of [`Observer::regimes`].
    pub signals: Vec<RoundSignals>,
}

impl<'a> Observer<'a> {
    /// An observer of the world's models that looks for what the scenario's attacks read, and always for loss,
    /// margin and probability. A regime in which the adversary holds no record is left out.
    pub fn new(world: &'a World, scenario: &Scenario) -> Self {
        let mut records = world.adversary.all_records();
        records.extend_from_slice(world.pools.population_records());
        records.sort_unstable();
        records.dedup();
        let position = |record: &RecordId| {
            records
                .binary_search(record)
                .expect("every record asked about is in the list") as u32
        };
        let population = world
            .pools
            .population_records()
            .iter()
            .map(position)
            .collect();
        let regimes = [
            (RecordRegime::Fresh, world.adversary.fresh()),
            (RecordRegime::Training, world.adversary.training()),
        ];
        let regimes = regimes
            .into_iter()
            .filter_map(|(regime, index)| {
                let queries = queries(index)?;
                Some((
                    regime,
                    queries,
                    index.all_records().iter().map(position).collect(),
                ))
            })
            .collect();
        Self {
            world,
            backend: scenario.training.backend,
            kinds: BTreeSet::from([
                SignalKind::Loss,
                SignalKind::Margin,
                SignalKind::Probability,
            ]),
            records,
            population,
            regimes,
        }
    }

    /// The regimes that are observed, with whom they ask about.
    pub fn regimes(&self) -> impl Iterator<Item = (RecordRegime, &Queries)> {
        self.regimes
            .iter()
            .map(|(regime, queries, _)| (*regime, queries))
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
        let scores = self.scores(model)?;
        let count = self.population.len().max(1) as f64;
        let of_population = || {
            self.population
                .iter()
                .map(|&position| &scores[position as usize])
        };
        let accuracy = of_population().filter(|score| score.correct).count() as f64 / count;
        let loss = of_population()
            .map(|score| f64::from(score.loss))
            .sum::<f64>()
            / count;
        Ok(Sight {
            accuracy,
            loss,
            signals: self.read(round, &scores, &self.kinds),
        })
    }

    /// Looks for `kinds` in the model of `round`, and for nothing else. By regime.
    ///
    /// # Errors
    /// If the model does not fit the data.
    pub fn signals(
        &self,
        round: Round,
        model: &ModelVector,
        kinds: &BTreeSet<SignalKind>,
    ) -> Result<Vec<RoundSignals>, NetworkError> {
        Ok(self.read(round, &self.scores(model)?, kinds))
    }

    /// The signals of every regime out of the scores of all records.
    fn read(
        &self,
        round: Round,
        scores: &[RecordScore],
        kinds: &BTreeSet<SignalKind>,
    ) -> Vec<RoundSignals> {
        let of_scores: [(SignalKind, OfScore); 3] = [
            (SignalKind::Loss, |score| score.loss),
            (SignalKind::Margin, |score| score.margin),
            (SignalKind::Probability, |score| (-score.loss).exp()),
        ];
        let regime = |(_, _, positions): &(_, _, Vec<u32>)| {
            let column = |signal: OfScore| {
                let of_record = |&position: &u32| signal(&scores[position as usize]);
                positions.iter().map(of_record).collect()
            };
            let columns = of_scores
                .into_iter()
                .filter(|(kind, _)| kinds.contains(kind))
                .map(|(kind, signal)| (kind, column(signal)));
            RoundSignals {
                round,
                columns: columns.collect(),
            }
        };
        self.regimes.iter().map(regime).collect()
    }

    fn scores(&self, model: &ModelVector) -> Result<Vec<RecordScore>, NetworkError> {
        let chunks: Vec<Vec<RecordScore>> = self
            .records
            .par_chunks(CHUNK)
            .map_init(
                || Evaluator::new(&self.world.architecture, self.backend),
                |evaluator, records| evaluator.scores(model, &self.world.dataset, records),
            )
            .collect::<Result<_, NetworkError>>()?;
        Ok(chunks.concat())
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
