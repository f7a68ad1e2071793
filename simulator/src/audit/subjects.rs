//! Bounds from the real subjects of a run, if each of them was a member by its own fair coin.

use super::{Allowance, Evidence, claims, confidence, method, round};
use crate::exit::Failure;
use accounting::{Delta, Holdings};
use attacks::audit::{Auditor, CanaryScores, ThresholdChoice};
use attacks::{Membership, RecordRegime};
use data::MembershipLaw;
use primitives::{Role, Round, Stream};
use report::model as shown;
use scenarios::Resolved;

/// Scores of every subject in one regime.
pub struct Subjects {
    regime: RecordRegime,
    /// Scores after each audited round.
    pub rounds: Vec<(u32, CanaryScores)>,
}

/// The losses of all evaluated subjects after each of `rounds`, or why they cannot be audited with.
pub fn scores(
    evidence: &Evidence<'_>,
    rounds: &[u32],
) -> Result<Result<Vec<Subjects>, String>, Failure> {
    if let Some(reason) = reason_against(evidence.resolved) {
        return Ok(Err(reason));
    }
    let Some(attacker) = evidence.attacker else {
        let reason = "Real subjects were not audited: the scenario has no attack, so nothing was seen of them.";
        return Ok(Err(reason.to_owned()));
    };
    let pools = &evidence.resolved.world.pools;
    let (members, others) = (pools.members().to_vec(), pools.non_members().to_vec());
    let membership = Membership::try_new(members, others).map_err(Failure::run)?;
    let mut found: Vec<Subjects> = Vec::new();
    for &at in rounds {
        for (regime, scores) in attacker.losses(Round(at)).map_err(Failure::run)? {
            let Ok(scores) = CanaryScores::of(&scores, &membership) else {
                continue;
            };
            match found.iter_mut().find(|one| one.regime == regime) {
                Some(one) => one.rounds.push((at, scores)),
                None => found.push(Subjects {
                    regime,
                    rounds: vec![(at, scores)],
                }),
            }
        }
    }
    Ok(Ok(found))
}

/// Why the members of a run do not serve as canaries.
fn reason_against(resolved: &Resolved) -> Option<String> {
    let data = &resolved.file.scenario.data;
    if data.membership.is_some() || data.membership_law != MembershipLaw::Coins {
        return Some(
            "Real subjects were not audited: how many are members was fixed beforehand, and one run audits only those who \
             are in by independent coins; data.membership_law = \"coins\" makes it so."
                .to_owned(),
        );
    }
    ((data.member_fraction.get() - 0.5).abs() > 1e-12).then(|| {
        format!(
            "Real subjects were not audited: the coins must be fair, and data.member_fraction is {}.",
            data.member_fraction.get()
        )
    })
}

impl Subjects {
    /// The bounds after each round, for whichever subject has lost most.
    pub fn bounds(
        &self,
        evidence: &Evidence<'_>,
        delta: Delta,
        allowance: Allowance,
    ) -> shown::UnitAudit {
        let holdings = Holdings::new(evidence.resolved.schedule.holdings().into_values());
        let mut rng = evidence
            .resolved
            .world
            .seed
            .stream(Stream::run(Role::Bootstrap));
        let mut rounds = Vec::new();
        let mut methods = Vec::new();
        for (at, scores) in &self.rounds {
            let upper = claims::worst_subject(evidence.ledger.up_to(*at), &holdings, delta);
            let level = confidence(allowance.bound);
            let choice = ThresholdChoice::Bonferroni {};
            let found = Auditor::OneRun.audit(scores, choice, delta, level, &mut rng);
            let gaussian = Auditor::GaussianOneRun.audit(scores, choice, delta, level, &mut rng);
            methods = vec![
                method(&found, shown::AuditNature::Bound, true),
                method(&gaussian, shown::AuditNature::GaussianBound, false),
            ];
            rounds.push(round(*at, upper, &methods, false));
        }
        let pools = &evidence.resolved.world.pools;
        let records = match self.regime {
            RecordRegime::Fresh => "fresh records",
            RecordRegime::Training => "training records",
        };
        shown::UnitAudit {
            unit: shown::PrivacyUnit::Subject,
            canaries: format!("real subjects by the loss of their {records}"),
            inside: pools.members().len() as u64,
            outside: pools.non_members().len() as u64,
            rounds,
            methods,
            push: None,
            estimates: Vec::new(),
        }
    }
}
