//! What was promised: the ledger, replayed.

use accounting::{
    Accountant, Delta, Holding, Holdings, Ledger, LedgerEntry, NeighboringRelation, Odometer,
    Presence, PrivacyLoss, PrivacyUnit, RdpAccountant, TightestAccountant,
};
use primitives::SubjectId;
use report::model as shown;
use scenarios::Resolved;
use std::collections::BTreeMap;
use std::sync::LazyLock;

mod observers;

/// The relation of every ε of a run.
pub const RELATION: NeighboringRelation = NeighboringRelation::AddOrRemoveOne;

/// Work beyond which not every subject is accounted for numerically: some two seconds of one core.
pub const MOST_WORK: u64 = 20_000;

/// The accountant that follows a run round by round. All of them share the curves that one has computed.
pub fn accountant() -> TightestAccountant {
    static PROTOTYPE: LazyLock<TightestAccountant> =
        LazyLock::new(|| TightestAccountant::new(RELATION));
    PROTOTYPE.clone()
}

/// What the worst-off of every kind has lost after one round.
#[derive(Clone, Debug)]
pub struct Losses {
    /// The worst-off record.
    pub record: PrivacyLoss,
    /// The worst-off subject.
    pub subject: PrivacyLoss,
    /// The worst-off silo.
    pub silo: PrivacyLoss,
}

impl Losses {
    /// Reads the odometer.
    pub fn read<A: Accountant + Clone>(
        odometer: &mut Odometer<A>,
        holdings: &Holdings,
        delta: Delta,
    ) -> Self {
        Self {
            record: odometer.worst_record(delta),
            subject: odometer.worst_subject(holdings, delta),
            silo: odometer.worst_silo(delta),
        }
    }
}

/// What every subject has lost, and who is in the middle.
#[derive(Clone, Debug)]
pub struct Everybody {
    /// ε in the order of the holdings.
    pub losses: Vec<shown::Epsilon>,
    /// Place of the median subject among the holdings; the larger of the middle two.
    pub median: Option<usize>,
    /// The median subject's ε.
    pub middle: shown::Epsilon,
    /// How the losses were found, if not all in the same way as the worst one.
    pub note: Option<String>,
}

impl Everybody {
    /// Asks the numerical accountant for everybody, or for the worst and the median if that is too much work.
    pub fn read(
        odometer: &mut Odometer<TightestAccountant>,
        holdings: &Holdings,
        delta: Delta,
    ) -> Self {
        let numerical = odometer.work(holdings) <= MOST_WORK;
        let entries = odometer.ledger().entries();
        let losses = if numerical {
            followed(accountant(), entries).subjects(holdings, delta)
        } else {
            let rdp = accountant().rdp().cloned();
            let rdp = rdp.unwrap_or_else(|| RdpAccountant::new(RELATION));
            followed(rdp, entries).subjects(holdings, delta)
        };
        // Nobody has lost more than the worst-off, whose loss is known more tightly.
        let worst = odometer.worst_subject(holdings, delta).epsilon.get();
        let losses: Vec<shown::Epsilon> = losses
            .iter()
            .map(|loss| loss.epsilon.get().min(worst).into())
            .collect();
        let median = median(&losses);
        let middle = median.and_then(|at| holdings.iter().nth(at));
        let middle = middle.map(|records| odometer.loss(Presence::Subject(records), delta));
        let middle = middle.as_ref().map_or(0.0.into(), epsilon);
        let note = "So many subjects differ in their records that only the worst-off and the median subject are \
                    accounted for by every accountant; the ε of each single subject is by RDP, but never above \
                    that of the worst-off.";
        Self {
            losses,
            median,
            middle,
            note: (!numerical).then(|| note.to_owned()),
        }
    }
}

/// An odometer that has followed `entries`, which are in order.
pub fn followed<A: Accountant + Clone>(prototype: A, entries: &[LedgerEntry]) -> Odometer<A> {
    let mut odometer = Odometer::new(prototype);
    for entry in entries {
        odometer
            .append(entry.clone())
            .expect("a ledger is in order");
    }
    odometer
}

/// The place of the median; the larger of the middle two.
fn median(losses: &[shown::Epsilon]) -> Option<usize> {
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|&a, &b| losses[a].get().total_cmp(&losses[b].get()));
    order.get(order.len() / 2).copied()
}

/// The statement of a run, and what every member has lost at its end.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The report's section.
    pub promise: shown::PrivacyStatement,
    /// ε of every member.
    pub subjects: BTreeMap<SubjectId, shown::Epsilon>,
}

impl Statement {
    /// Replays `ledger` over `rounds` rounds.
    pub fn of(resolved: &Resolved, ledger: &Ledger, rounds: u32) -> Self {
        let privacy = &resolved.file.scenario.privacy;
        let delta = privacy.delta();
        let by_subject = resolved.schedule.holdings();
        let holdings = Holdings::new(by_subject.values().cloned());
        let mut odometer = followed(accountant(), ledger.entries());
        let everybody = Everybody::read(&mut odometer, &holdings, delta);
        let mut guarantees = guarantees(&mut odometer, &holdings, &everybody, delta);
        let checkpoints = resolved.file.scenario.checkpoints.as_ref();
        let unknown = checkpoints.is_some_and(|checkpoints| checkpoints.ledger.is_none());
        for guarantee in guarantees.iter_mut().filter(|_| unknown) {
            guarantee.why_infinite = Some(
                "the models were trained elsewhere and no ledger came with them, so what was released is unknown"
                    .to_owned(),
            );
        }
        let budget = privacy.budget().map(|budget| shown::Budget {
            unit: unit(budget.unit),
            epsilon: budget.epsilon.get().into(),
            delta: budget.delta.get().into(),
            spent: guarantees
                .iter()
                .find(|guarantee| guarantee.unit == unit(budget.unit))
                .map_or(shown::Epsilon::INFINITE, |guarantee| guarantee.epsilon),
        });
        let promise = shown::PrivacyStatement {
            protection: match checkpoints {
                None => privacy.protection.name(),
                Some(_) if unknown => "unknown",
                Some(_) => "as the ledger says",
            }
            .to_owned(),
            mechanism: match checkpoints {
                None => privacy.in_words(),
                Some(_) if unknown => "Trained elsewhere; no ledger came with the models.".to_owned(),
                Some(_) => "Trained elsewhere; what was released is what the ledger says that came with the models.".to_owned(),
            },
            rounds: by_round(ledger, rounds, &holdings, &everybody, &guarantees),
            guarantees,
            budget,
            notes: everybody.note.into_iter().collect(),
            // Who sees what of a training that happened elsewhere is not for us to say.
            observers: if checkpoints.is_some() {
                Vec::new()
            } else {
                observers::observers(&resolved.file.scenario)
            },
        };
        Self {
            promise,
            subjects: by_subject.into_keys().zip(everybody.losses).collect(),
        }
    }
}

/// The guarantees for record, subject and silo by what `odometer` has followed.
pub fn guarantees(
    odometer: &mut Odometer<TightestAccountant>,
    holdings: &Holdings,
    everybody: &Everybody,
    delta: Delta,
) -> Vec<shown::Guarantee> {
    [PrivacyUnit::Record, PrivacyUnit::Subject, PrivacyUnit::Silo]
        .into_iter()
        .map(|unit| {
            let (who, loss) = odometer.worst(unit, holdings, delta);
            let median = (unit == PrivacyUnit::Subject).then_some(everybody.middle);
            let bounds = bounds(odometer, &who, delta);
            guarantee(&loss, median, bounds)
        })
        .collect()
}

/// The loss after each round. The worst-off may be somebody else in every round; the median subject is the
/// one that is so at the end. What is known of the end bounds every round before it.
fn by_round(
    ledger: &Ledger,
    rounds: u32,
    holdings: &Holdings,
    everybody: &Everybody,
    end: &[shown::Guarantee],
) -> Vec<shown::RoundLoss> {
    let Some(delta) = end.first().map(|guarantee| guarantee.delta.get()) else {
        return Vec::new();
    };
    let delta = Delta::from_computed(delta);
    let most = |unit: usize, loss: &PrivacyLoss| -> shown::Epsilon {
        loss.epsilon.get().min(end[unit].epsilon.get()).into()
    };
    let median = everybody.median.and_then(|at| holdings.iter().nth(at));
    let mut odometer = Odometer::new(accountant());
    let mut entries = ledger.entries().iter().peekable();
    (0..=rounds)
        .map(|round| {
            while let Some(entry) = entries.next_if(|entry| entry.round() <= round) {
                odometer
                    .append(entry.clone())
                    .expect("a ledger is in order");
            }
            let losses = Losses::read(&mut odometer, holdings, delta);
            let middle = median.map_or(0.0, |records| {
                let loss = odometer.loss(Presence::Subject(records), delta);
                loss.epsilon.get().min(everybody.middle.get())
            });
            shown::RoundLoss {
                round,
                record: most(0, &losses.record),
                subject_worst: most(1, &losses.subject),
                subject_median: middle.into(),
                silo: most(2, &losses.silo),
            }
        })
        .collect()
}

/// A loss as the report has it.
pub fn epsilon(loss: &PrivacyLoss) -> shown::Epsilon {
    loss.epsilon.get().into()
}

/// What each accountant says of one unit.
pub fn bounds(
    odometer: &mut Odometer<TightestAccountant>,
    who: &Holding,
    delta: Delta,
) -> Vec<shown::AccountantBound> {
    let Ok(composed) = odometer.accountant(who.presence()) else {
        return Vec::new();
    };
    let rdp = composed.rdp().map(|rdp| shown::AccountantBound {
        accountant: rdp.name().to_uppercase(),
        upper: rdp.epsilon(delta).get().into(),
        lower: None,
    });
    let pld = composed.pld().map(|pld| {
        let (lower, upper) = pld.epsilon_bounds(delta);
        shown::AccountantBound {
            accountant: pld.name().to_uppercase(),
            upper: upper.get().into(),
            lower: Some(lower.get().into()),
        }
    });
    rdp.into_iter().chain(pld).collect()
}

fn guarantee(
    loss: &PrivacyLoss,
    median: Option<shown::Epsilon>,
    by_accountant: Vec<shown::AccountantBound>,
) -> shown::Guarantee {
    shown::Guarantee {
        unit: unit(loss.unit),
        epsilon: epsilon(loss),
        median,
        delta: loss.delta.get().into(),
        relation: match loss.relation {
            NeighboringRelation::AddOrRemoveOne => shown::NeighboringRelation::AddOrRemoveOne,
            NeighboringRelation::ReplaceOne => shown::NeighboringRelation::ReplaceOne,
            NeighboringRelation::ReplaceSpecial => shown::NeighboringRelation::ReplaceSpecial,
        },
        accountant: loss.accountant.to_uppercase(),
        by_accountant,
        why_infinite: loss.why_infinite.clone(),
    }
}

const fn unit(unit: PrivacyUnit) -> shown::PrivacyUnit {
    match unit {
        PrivacyUnit::Record => shown::PrivacyUnit::Record,
        PrivacyUnit::Subject => shown::PrivacyUnit::Subject,
        PrivacyUnit::Silo => shown::PrivacyUnit::Silo,
    }
}
