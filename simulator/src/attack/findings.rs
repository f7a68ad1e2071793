//! What the attacks of a run found.

use super::{Attacker, AttackerError};
use attacks::{AttackReport, Confidence, MembershipAttack, Signals, ThreatModel, hygiene};
use scenarios::World;

/// Everything the attacks of a run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// One report for each regime and attack.
    pub reports: Vec<AttackReport>,
    /// Experiments whose answer is known beforehand.
    pub checks: Vec<hygiene::Check>,
}

impl Attacker {
    /// Attacks every round that was seen, in every regime, and checks the attacks.
    ///
    /// # Errors
    /// If an attack is refused or fails.
    pub fn findings(&self, world: &World) -> Result<Findings, AttackerError> {
        let mut findings = Findings {
            reports: Vec::new(),
            checks: Vec::new(),
        };
        for signals in &self.signals {
            let reports = self
                .attacks
                .iter()
                .map(|attack| self.report(attack.as_ref(), signals))
                .collect::<Result<Vec<_>, _>>()?;
            let checks = self.checks(signals, &reports, world)?;
            findings.checks.extend(checks);
            findings.reports.extend(reports);
        }
        findings.checks.push(self.disjoint());
        Ok(findings)
    }

    fn report(
        &self,
        attack: &dyn MembershipAttack,
        signals: &Signals,
    ) -> Result<AttackReport, AttackerError> {
        let threat = ThreatModel {
            view: self.view,
            regime: signals.regime(),
        };
        let mut report = AttackReport::new(attack, threat, Confidence::NINETY_FIVE);
        for round in signals.rounds() {
            let evidence = self.evidence(signals, round.round)?;
            report.attack(attack, &evidence, &self.subjects)?;
        }
        Ok(report)
    }
}
