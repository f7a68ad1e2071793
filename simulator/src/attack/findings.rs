//! What the attacks of a run found.

use super::dossier::Dossier;
use super::over_runs::OverRuns;
use super::{Attacker, AttackerError};
use attacks::{
    AttackReport, Confidence, Membership, MembershipAttack, RecordRegime, SourceInference,
    SourceReport, ThreatModel, View, hygiene,
};
use primitives::{Round, SiloId, SubjectId};
use scenarios::{Resolved, Schedule};
use std::collections::{BTreeMap, BTreeSet};

/// Everything the attacks of a run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// One report for each regime and attack.
    pub reports: Vec<AttackReport>,
    /// Each attack on every shadow run, by regime; none without shadow runs.
    pub over_runs: Vec<OverRuns>,
    /// Which silo holds whom, by regime; none unless the silos' updates are seen.
    pub sources: Vec<(RecordRegime, SourceReport)>,
    /// Experiments whose answer is known beforehand.
    pub checks: Vec<hygiene::Check>,
}

impl Attacker {
    /// Attacks every round that was seen, in every regime, and checks the attacks.
    ///
    /// # Errors
    /// If an attack is refused or fails.
    pub fn findings(&self, resolved: &Resolved) -> Result<Findings, AttackerError> {
        let mut findings = Findings {
            reports: Vec::new(),
            over_runs: Vec::new(),
            sources: Vec::new(),
            checks: Vec::new(),
        };
        for dossier in &self.dossiers {
            let reports = self
                .attacks
                .iter()
                .map(|attack| self.report(attack.as_ref(), dossier))
                .collect::<Result<Vec<_>, _>>()?;
            let checks = self.checks(dossier, &reports, &resolved.world)?;
            findings.checks.extend(checks);
            findings.reports.extend(reports);
            let last = dossier.signals.rounds().last().map(|seen| seen.round);
            if let Some(last) = last {
                findings
                    .over_runs
                    .extend(self.over_runs(dossier, last, &resolved.world.seed)?);
            }
            if let Some(last) = last.filter(|_| self.view >= View::SiloUpdates) {
                let sources = self.sources(dossier, last, &resolved.schedule)?;
                findings
                    .sources
                    .extend(sources.map(|sources| (dossier.signals.regime(), sources)));
            }
        }
        findings.checks.push(self.disjoint());
        Ok(findings)
    }

    /// Which silo holds which member, judged on the evaluated ones. `None` before the first update, and if there is
    /// nobody to judge by.
    fn sources(
        &self,
        dossier: &Dossier,
        round: Round,
        schedule: &Schedule,
    ) -> Result<Option<SourceReport>, AttackerError> {
        let evidence = self.evidence(dossier, round)?;
        if evidence.silo_rounds()?.is_empty() {
            return Ok(None);
        }
        let mut holders: BTreeMap<SubjectId, BTreeSet<SiloId>> = BTreeMap::new();
        for local in &schedule.locals {
            for (subject, _) in local.subject_records() {
                holders.entry(subject).or_default().insert(local.silo());
            }
        }
        let of = |subjects: &Membership| -> BTreeMap<SubjectId, BTreeSet<SiloId>> {
            let members = subjects.members().iter();
            members
                .filter_map(|subject| Some((*subject, holders.get(subject)?.clone())))
                .collect()
        };
        let inference = SourceInference::of(&evidence)?;
        let (known, evaluated) = (of(self.subjects.known()), of(self.subjects.evaluated()));
        Ok(inference.judge(&known, &evaluated).ok())
    }

    fn report(
        &self,
        attack: &dyn MembershipAttack,
        dossier: &Dossier,
    ) -> Result<AttackReport, AttackerError> {
        let threat = ThreatModel {
            view: self.view,
            regime: dossier.signals.regime(),
        };
        let mut report = AttackReport::new(attack, threat, Confidence::NINETY_FIVE);
        for round in dossier.signals.rounds() {
            let evidence = self.evidence(dossier, round.round)?;
            report.attack(attack, &evidence, &self.subjects)?;
        }
        Ok(report)
    }
}
