//! Any sequence of operations on a coordinator: for random bytes in the tests, and for a fuzzer's in `fuzz/`.

use accounting::{LedgerEntry, Mechanism, NoiseMultiplier, SamplingRate};
use arbitrary::{Result, Unstructured};
use primitives::{Digest, ModelVector, Round, Seed, SiloId};
use protocol::{
    BudgetReached, Decline, FinishReason, Join, PROTOCOL_VERSION, Release, RoundGate, SiloUpdate,
    ToCoordinator, ToSilo, UpdateMetrics, Weights,
};
use siloscope_server::{
    Aggregator, CohortLaw, Coordinator, CoordinatorEvent, CoordinatorPlan, FedAvg, LostQuorum,
    MOST_NEEDLESS_MESSAGES, Parts, Patience, RoundOutcome, Strategy, WeightedMean,
};
use std::collections::BTreeMap;
use std::time::Duration;

const SILOS: u32 = 3;
const PARAMETERS: usize = 2;

/// Admits a fixed number of rounds.
#[derive(Debug)]
struct UpTo(u32);

impl RoundGate for UpTo {
    fn admit(&mut self, round: Round, _entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        if round.0 <= self.0 {
            return Ok(());
        }
        let why = "enough".to_owned();
        Err(BudgetReached { round, why })
    }
}

fn release() -> Release {
    let mechanism = Mechanism::Record {
        sampling_rate: SamplingRate::try_new(0.5).expect("a rate"),
        noise_multiplier: NoiseMultiplier::try_new(1.0).expect("noise"),
    };
    Release {
        mechanism,
        steps: 2,
    }
}

fn plan(input: &mut Unstructured) -> Result<CoordinatorPlan> {
    let roster = || (0..SILOS).map(SiloId);
    let cohort = input.int_in_range(1..=SILOS)?;
    let seed = Seed::from_number(input.int_in_range(0..=3)?);
    let lost_quorum = match input.int_in_range(0..=2)? {
        0 => LostQuorum::End,
        at_most => LostQuorum::Repeat { at_most },
    };
    let seconds: u64 = input.int_in_range(0..=9)?;
    Ok(CoordinatorPlan {
        digest: Digest::of(b"plan"),
        rounds: input.int_in_range(1..=4)?,
        cohorts: CohortLaw::try_new(roster().collect(), cohort, seed).expect("a cohort of some"),
        releases: roster().map(|silo| (silo, vec![release()])).collect(),
        weights: Weights::Uniform,
        protected: true,
        max_update_norm: None,
        keep_deltas: true,
        clip_norm: None,
        patience: Patience {
            deadline: (seconds > 0).then(|| Duration::from_secs(seconds)),
            quorum: input.int_in_range(1..=cohort)?,
            lost_quorum,
        },
    })
}

fn silo(input: &mut Unstructured) -> Result<SiloId> {
    // Now and then one that is not in the plan.
    Ok(SiloId(input.int_in_range(0..=8 * SILOS)? % (SILOS + 1)))
}

fn round(input: &mut Unstructured, current: Round) -> Result<Round> {
    Ok(match input.int_in_range(0..=5)? {
        0 => Round(input.int_in_range(0..=6)?),
        1 => current,
        _ => current.next(),
    })
}

fn message(input: &mut Unstructured, from: SiloId, current: Round) -> Result<ToCoordinator> {
    let named = if input.ratio(1, 16)? {
        silo(input)?
    } else {
        from
    };
    let spoilt = input.ratio(1, 5)?;
    Ok(match input.int_in_range(0..=7)? {
        0 | 1 => ToCoordinator::Join(Join {
            version: if spoilt {
                input.arbitrary()?
            } else {
                PROTOCOL_VERSION
            },
            silo: named,
            plan: Digest::of(if input.ratio(1, 16)? {
                b"none"
            } else {
                b"plan"
            }),
        }),
        2 => ToCoordinator::Decline {
            round: round(input, current)?,
            reason: Decline::TrainingFailed,
        },
        _ => {
            let length = if spoilt {
                input.int_in_range(0..=3)?
            } else {
                PARAMETERS
            };
            let delta: Vec<f32> = (0..length)
                .map(|_| {
                    if spoilt {
                        input.arbitrary()
                    } else {
                        Ok(f32::from(input.arbitrary::<i8>()?))
                    }
                })
                .collect::<Result<_>>()?;
            ToCoordinator::Update(SiloUpdate {
                round: round(input, current)?,
                silo: named,
                delta: delta.into(),
                weight: if spoilt { input.arbitrary()? } else { 1.0 },
                clip_norm: None,
                releases: if spoilt && input.arbitrary()? {
                    Vec::new()
                } else {
                    vec![release()]
                },
                metrics: UpdateMetrics::Withheld,
            })
        }
    })
}

/// What the coordinator was seen to do.
#[derive(Default)]
struct Seen {
    outcomes: Vec<RoundOutcome>,
    /// The round under way and what was admitted for it.
    open: Option<(Round, Vec<LedgerEntry>)>,
    finished: Option<FinishReason>,
    /// Answers since the last attempt began, by silo.
    answers: BTreeMap<SiloId, u32>,
}

impl Seen {
    /// Takes in what the coordinator says after an operation.
    fn look(&mut self, plan: &CoordinatorPlan, coordinator: &mut Coordinator) {
        while let Some(event) = coordinator.poll_event() {
            match event {
                CoordinatorEvent::RoundStarted {
                    round,
                    cohort,
                    entries,
                } => {
                    assert!(self.open.is_none(), "two rounds at once");
                    assert_eq!(round.0 as usize, self.outcomes.len() + 1);
                    assert_eq!(cohort, plan.cohorts.cohort(round));
                    assert_eq!(entries.len(), cohort.len());
                    self.answers.clear();
                    self.open = Some((round, entries));
                }
                CoordinatorEvent::RoundRepeated {
                    round,
                    accepted,
                    quorum,
                    ..
                } => {
                    assert!(accepted < quorum);
                    assert!(self.open.as_ref().is_some_and(|open| open.0 == round));
                    self.answers.clear();
                }
                CoordinatorEvent::RoundFinished(outcome) => {
                    let open = self.open.take().expect("a round was under way");
                    assert_eq!(open, (outcome.round, outcome.entries.clone()));
                    assert!(outcome.updates.len() >= plan.patience.quorum as usize);
                    let silos = outcome.updates.keys().chain(outcome.missing.keys());
                    assert_eq!(silos.count(), plan.cohorts.size());
                    self.outcomes.push(outcome);
                }
                CoordinatorEvent::RoundAbandoned(given_up) => {
                    let open = self.open.take().expect("a round was under way");
                    assert_eq!(open, (given_up.round, given_up.entries));
                }
                CoordinatorEvent::Finished(reason) => {
                    assert!(self.open.is_none() && self.finished.is_none());
                    self.finished = Some(reason);
                }
                _ => {}
            }
        }
        let open = self.open.as_ref().map(|open| open.0);
        while let Some(transmit) = coordinator.poll_transmit() {
            *self.answers.entry(transmit.to).or_default() += 1;
            let answers = self.answers[&transmit.to];
            assert!(
                answers <= 2 * (MOST_NEEDLESS_MESSAGES + 1) + 8,
                "{answers} answers"
            );
            // One message may end two rounds: then the first one's tasks are stale already.
            if let ToSilo::Train(task) = transmit.message
                && Some(task.round) == open
            {
                assert_eq!(task.model, coordinator.state().model);
            }
        }
        assert!(coordinator.state().model.is_finite());
    }

    /// The rounds' models are made of the accepted updates and of nothing else.
    fn check_models(&self) {
        let strategy = FedAvg::new(1.0);
        let mut state = strategy.init(ModelVector::zeros(PARAMETERS));
        for outcome in &self.outcomes {
            let update = WeightedMean.aggregate(outcome.round, &outcome.updates);
            let update = update.expect("a quorum of good updates");
            state = strategy
                .apply(state, &update)
                .expect("of the model's shape");
            assert_eq!(state.model, outcome.model);
        }
    }
}

/// Whatever is done to a coordinator, and however often it is made again out of its checkpoint: no panic, rounds in
/// order, each with the entries that were admitted for it and a model made of accepted updates, and a bounded number
/// of answers.
pub(crate) fn coordinator(input: &mut Unstructured) -> Result<()> {
    let plan = plan(input)?;
    let budget = input.int_in_range(0..=5)?;
    let parts = || Parts {
        strategy: Box::new(FedAvg::new(1.0)),
        aggregator: Box::new(WeightedMean),
        gate: Box::new(UpTo(budget)),
    };
    let initial = ModelVector::zeros(PARAMETERS);
    let mut coordinator =
        Coordinator::new(plan.clone(), parts(), initial).expect("a plan that fits together");
    let mut seen = Seen::default();
    let mut now = Duration::ZERO;
    if input.ratio(3, 4)? {
        for silo in (0..SILOS).map(SiloId) {
            let plan = Digest::of(b"plan");
            let version = PROTOCOL_VERSION;
            coordinator.handle(
                now,
                silo,
                ToCoordinator::Join(Join {
                    version,
                    silo,
                    plan,
                }),
            );
        }
        seen.look(&plan, &mut coordinator);
    }
    while !input.is_empty() {
        match input.int_in_range(0..=15)? {
            0 => {
                now += Duration::from_millis(input.int_in_range(0..=5000)?);
                coordinator.handle_timeout(now);
            }
            1 => now = coordinator.next_timeout().unwrap_or(now),
            2 => coordinator.handle_malformed(now, silo(input)?),
            3 => {
                let from = silo(input)?;
                let current = coordinator.state().round;
                let message = message(input, from, current)?;
                for _ in 0..100 {
                    coordinator.handle(now, from, message.clone());
                    seen.look(&plan, &mut coordinator);
                }
            }
            4 => {
                let written = serde_json::to_string(&coordinator.checkpoint());
                let read = serde_json::from_str(&written.expect("a checkpoint is JSON"));
                let read = read.expect("and is read back");
                coordinator =
                    Coordinator::restore(plan.clone(), parts(), read).expect("of the same plan");
                seen.open = None;
                seen.answers.clear();
            }
            _ => {
                let from = silo(input)?;
                let current = coordinator.state().round;
                let message = message(input, from, current)?;
                coordinator.handle(now, from, message);
            }
        }
        seen.look(&plan, &mut coordinator);
    }
    assert_eq!(coordinator.state().round.0 as usize, seen.outcomes.len());
    seen.check_models();
    Ok(())
}
