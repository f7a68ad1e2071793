//! The report of a run, put together from what its folder holds.
//!
//! Nothing here measures or draws: the same folder gives the same report, byte for byte.

mod attendance;
mod exposed;
mod leak;
mod people;
mod settings;

pub use attendance::attendance;

use crate::attack::Findings;
use crate::events::RoundFigures;
use crate::statement::Statement;
use data::LabelKind;
use primitives::Digest;
use protocol::FinishReason;
use report::model::{
    Attendance, Audit, Baseline, Ending, Gate, HowEnded, Identity, Leak, Note, NoteKind,
    PrivacyUnit, RunReport, Sense, Utility, UtilityRound,
};
use scenarios::{Protection, Resolved};

/// What a run came to.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// What was run.
    pub resolved: &'a Resolved,
    /// What was trained. Differs from the digest of the plan above where a run is attacked with others than its own
    /// attacks.
    pub plan: Digest,
    /// The figures of every round, round 0 first.
    pub rounds: &'a [RoundFigures],
    /// What was promised.
    pub statement: Statement,
    /// What leaked; none if the scenario has no attack.
    pub findings: Option<Findings>,
    /// How it ended.
    pub ending: Ending,
    /// Who was missing, if that is worth telling.
    pub attendance: Option<Attendance>,
    /// What an audit found, if there was one.
    pub audit: Option<Audit>,
}

/// The report of a run.
pub fn report(outcome: Outcome<'_>) -> RunReport {
    let Outcome {
        resolved,
        plan,
        rounds,
        statement,
        findings,
        ending,
        attendance,
        audit,
    } = outcome;
    let scenario = &resolved.plan.scenario;
    let own = resolved.plan.digest() == plan;
    let per_subject = scenario.data.records_per_adversary.get();
    let leak = findings.as_ref().map_or_else(Leak::default, |found| {
        let silos = people::silos_of(&resolved.schedule.locals);
        leak::leak(found, &resolved.world, &silos, per_subject)
    });
    let utility = utility(resolved, rounds);
    let gates = gates(resolved, &leak, &utility, &statement);
    RunReport {
        schema_version: report::SCHEMA_VERSION,
        identity: Identity {
            name: scenario.name.clone(),
            description: scenario.description.clone(),
            plan_digest: plan.to_string(),
            seed: scenario.seed,
            siloscope_version: resolved.plan.siloscope.clone(),
            command: command(resolved),
            nouns: settings::nouns(&resolved.plan.data.name),
        },
        ending,
        subjects: people::subjects(
            &resolved.world,
            &resolved.schedule.locals,
            &statement.subjects,
            findings.as_ref(),
        ),
        promise: statement.promise,
        leak,
        utility,
        shape: people::shape(&resolved.world, &resolved.schedule.locals),
        attendance,
        audit,
        gates,
        notes: notes(resolved, own),
        settings: settings::settings(scenario),
    }
}

/// How a run came to its end; `refused` is why the budget refused a round, if it did.
pub fn ending(
    resolved: &Resolved,
    rounds: &[RoundFigures],
    reason: FinishReason,
    refused: Option<String>,
) -> Ending {
    let how = match reason {
        FinishReason::RoundsDone => HowEnded::Finished,
        FinishReason::BudgetReached => HowEnded::BudgetReached,
        FinishReason::QuorumLost { .. } => HowEnded::QuorumLost,
        FinishReason::Diverged { .. } | FinishReason::WrongShares { .. } => HowEnded::Interrupted,
    };
    let why = match reason {
        FinishReason::RoundsDone => String::new(),
        other => refused.unwrap_or_else(|| other.to_string()),
    };
    Ending {
        how,
        rounds_finished: rounds.last().map_or(0, |figures| figures.round),
        rounds_planned: resolved.schedule.rounds,
        why,
    }
}

fn utility(resolved: &Resolved, rounds: &[RoundFigures]) -> Utility {
    let world = &resolved.world;
    let test = world.pools.population_records();
    let baseline = |classes: usize| {
        let mut counts = vec![0_u64; classes];
        for &record in test {
            counts[world.dataset.class(record) as usize] += 1;
        }
        let majority = counts.iter().max().copied().unwrap_or(0) as f64 / test.len().max(1) as f64;
        Baseline {
            chance: (1.0 / classes as f64).into(),
            majority: majority.into(),
        }
    };
    let nouns = settings::nouns(&resolved.plan.data.name);
    Utility {
        of_what: format!(
            "{} from {} it never saw",
            nouns.record.many, nouns.subject.many
        ),
        test_records: test.len() as u64,
        rounds: rounds
            .iter()
            .map(|figures| UtilityRound {
                round: figures.round,
                quality: figures.quality,
                loss: figures.loss,
                clip_norm: figures.clip_norm,
            })
            .collect(),
        baseline: match world.dataset.label_kind() {
            LabelKind::Classes(classes) => Some(baseline(classes)),
            LabelKind::Targets => None,
        },
    }
}

fn gates(resolved: &Resolved, leak: &Leak, utility: &Utility, statement: &Statement) -> Vec<Gate> {
    let limits = &resolved.plan.scenario.gates;
    let epsilon = |unit: PrivacyUnit| {
        statement
            .promise
            .guarantee(unit)
            .map_or(f64::INFINITY, |guarantee| guarantee.epsilon.get())
    };
    let auc = leak
        .attacks
        .iter()
        .filter_map(|attack| Some(attack.last()?.auc.value.get()))
        .fold(0.0, f64::max);
    let quality = utility
        .rounds
        .last()
        .map_or(0.0, |round| round.quality.get());
    [
        (
            "max_subject_auc",
            "AUC of the strongest attack, either regime",
            Sense::AtMost,
            limits.max_subject_auc,
            auc,
        ),
        (
            "max_subject_epsilon",
            "ε of the worst-off subject",
            Sense::AtMost,
            limits.max_subject_epsilon,
            epsilon(PrivacyUnit::Subject),
        ),
        (
            "max_record_epsilon",
            "ε of the worst-off record",
            Sense::AtMost,
            limits.max_record_epsilon,
            epsilon(PrivacyUnit::Record),
        ),
        (
            "min_accuracy",
            "accuracy after the last round",
            Sense::AtLeast,
            limits.min_accuracy,
            quality,
        ),
        (
            "min_r_squared",
            "R² after the last round",
            Sense::AtLeast,
            limits.min_r_squared,
            quality,
        ),
    ]
    .into_iter()
    .filter_map(|(name, what, sense, limit, value)| {
        let limit = limit?;
        let passed = match sense {
            Sense::AtMost => value <= limit,
            Sense::AtLeast => value >= limit,
        };
        Some(Gate {
            name: name.to_owned(),
            what: what.to_owned(),
            sense,
            limit: limit.into(),
            value: value.into(),
            passed,
        })
    })
    .collect()
}

/// How to repeat it.
fn command(resolved: &Resolved) -> String {
    let file = resolved.file.file.display();
    if resolved.file.scenario.checkpoints.is_some() {
        format!("siloscope attack DIR --scenario {file}")
    } else {
        format!("siloscope run {file}")
    }
}

/// What a reader must know before quoting a number of this run.
fn notes(resolved: &Resolved, own: bool) -> Vec<Note> {
    let note = |kind, text: &str| Note {
        kind,
        text: text.to_owned(),
    };
    let mut notes = Vec::new();
    if !own {
        notes.push(note(
            NoteKind::Limit,
            "Attacked again after the run, with other settings of [adversary], [[attacks]] or [gates] than its scenario has: those stand below.",
        ));
    }
    if resolved.schedule.protected {
        notes.push(note(
            NoteKind::Limit,
            "How many records and subjects a silo holds counts as public: step sizes and, under a budget, the noise follow from it.",
        ));
        let discrete = matches!(
            resolved.plan.scenario.privacy.protection,
            Protection::DistributedNoise { .. }
        );
        notes.push(note(
            NoteKind::Limit,
            if discrete {
                "Noise is drawn exactly from the discrete Gaussian, in integers; rounding makes no update longer than its bound."
            } else {
                "Noise is drawn as 32-bit floating-point numbers from a cryptographic stream; the guarantee is that of real-valued noise."
            },
        ));
    }
    if matches!(
        resolved.plan.scenario.privacy.protection,
        Protection::SubjectSampling { .. }
            | Protection::SiloNoise { .. }
            | Protection::DistributedNoise { .. }
    ) {
        notes.push(note(
            NoteKind::Limit,
            "A record's ε may exceed its subject's: a record more or less does not remove a clipped average or update, it replaces it by another, which can lie twice as far away.",
        ));
    }
    if let Some(checkpoints) = &resolved.file.scenario.checkpoints {
        notes.push(note(
            NoteKind::Limit,
            if checkpoints.ledger.is_none() {
                "The models were trained elsewhere and no ledger came with them: no ε is known, which is stated as ∞."
            } else {
                "The models were trained elsewhere: every ε rests on the ledger that came with them, and on the data lying in the silos as it says."
            },
        ));
    }
    let without = resolved.world.adversary.without_fresh().len();
    if without > 0 {
        notes.push(note(
            NoteKind::Warning,
            &format!(
                "{without} subjects have no fresh record and are left out of the fresh regime."
            ),
        ));
    }
    if resolved.world.pools.non_members().len() < 50 {
        notes.push(note(
            NoteKind::Warning,
            "Fewer than 50 non-members: every AUC has a wide interval; repeat with other seeds before concluding anything.",
        ));
    }
    notes
}
