//! Bounds from crafted canaries: the ledger's curve held against the scores of all audited rounds.

use super::readings::{Sheet, Span, presence};
use super::{Allowance, claims, confidence, epsilon, method, round, unit};
use accounting::{Delta, Epsilon, Ledger, LedgerEntry, Presence, PrivacyUnit};
use attacks::MembershipScore;
use attacks::audit::{Auditor, CanaryScores, NoiseCheck, laid_thresholds, one_shot_estimate};
use primitives::SiloId;
use report::model as shown;
use scenarios::CanaryRoster;

const UNITS: [PrivacyUnit; 3] = [PrivacyUnit::Record, PrivacyUnit::Subject, PrivacyUnit::Silo];

/// Tests of one unit in one round: the ledger's curve, and guesses in one run.
const TESTS: usize = 2;

/// What crafted canaries have shown.
pub struct Crafted<'a> {
    roster: &'a CanaryRoster,
    /// Scores by unit and audited round.
    units: Vec<(PrivacyUnit, Vec<(u32, CanaryScores)>)>,
    /// By unit: what one shot estimates after every round.
    estimates: Vec<(PrivacyUnit, Vec<shown::RoundEstimate>)>,
    /// Of the last round: push by unit.
    last: Vec<(PrivacyUnit, Option<f64>)>,
    /// Noise checks by whose noise.
    pub noise: Vec<(Option<SiloId>, NoiseCheck)>,
}

impl<'a> Crafted<'a> {
    pub fn new(roster: &'a CanaryRoster) -> Self {
        Self {
            roster,
            units: UNITS.map(|unit| (unit, Vec::new())).into(),
            estimates: UNITS.map(|unit| (unit, Vec::new())).into(),
            last: Vec::new(),
            noise: Vec::new(),
        }
    }

    /// Keeps the scores after an audited round.
    pub fn snapshot(&mut self, round: u32, sheet: &Sheet<'_>) {
        for (unit, rounds) in &mut self.units {
            rounds.extend(sheet.scores(*unit).map(|scores| (round, scores)));
        }
    }

    /// Keeps what one shot estimates of a round that has ended, and of all rounds so far. Nothing of a unit whose canaries
    /// are too few, or whose directions lie in too few dimensions.
    pub fn estimate(&mut self, round: u32, sheet: &Sheet<'_>, parameters: u64, delta: Delta) {
        let estimate = |unit, span| {
            let cosines = sheet.cosines(unit, parameters, span);
            one_shot_estimate(&cosines, parameters, delta).ok()
        };
        for (unit, estimates) in &mut self.estimates {
            let alone = estimate(*unit, Span::ThisRound);
            if let (Some(alone), Some(so_far)) = (alone, estimate(*unit, Span::SoFar)) {
                estimates.push(shown::RoundEstimate {
                    round,
                    alone: epsilon(alone),
                    so_far: epsilon(so_far),
                });
            }
        }
    }

    /// Keeps what is asked at the end alone.
    pub fn close(&mut self, sheet: &Sheet<'_>) {
        self.last = UNITS.map(|unit| (unit, sheet.push(unit))).into();
        let checks = |(&whose, readings): (&Option<SiloId>, &attacks::audit::NoiseReadings)| {
            let checks = readings.checks().into_iter();
            checks.map(move |check| (whose, check)).collect::<Vec<_>>()
        };
        self.noise = sheet.noise().iter().flat_map(checks).collect();
    }

    /// How many tests there are.
    pub fn tests(&self) -> usize {
        TESTS
            * self
                .units
                .iter()
                .map(|(_, rounds)| rounds.len())
                .sum::<usize>()
    }

    /// The bounds of every unit that has canaries.
    pub fn bounds(
        &self,
        ledger: &Ledger,
        delta: Delta,
        allowance: Allowance,
    ) -> Vec<shown::UnitAudit> {
        let audited = self.units.iter().filter(|(_, rounds)| !rounds.is_empty());
        audited
            .map(|(of, rounds)| {
                let canaries = self.roster.canaries();
                let of_unit = canaries.iter().filter(|canary| canary.unit == *of);
                let presences = claims::distinct(ledger, of_unit.map(presence));
                let mut methods = Vec::new();
                let mut shown_rounds = Vec::new();
                for (at, scores) in rounds {
                    let test = Test {
                        entries: ledger.up_to(*at),
                        presences: &presences,
                        scores,
                        delta,
                        alpha: allowance.bound,
                    };
                    let (upper, refuted, found) = test.run();
                    shown_rounds.push(round(*at, upper, &found, refuted));
                    methods = found;
                }
                let of_unit = |unit: &PrivacyUnit| unit == of;
                let push = self.last.iter().find(|(unit, _)| of_unit(unit));
                let estimates = self.estimates.iter().find(|(unit, _)| of_unit(unit));
                let estimates = estimates.map_or_else(Vec::new, |(_, found)| found.clone());
                if let Some((_, scores)) = rounds.last() {
                    methods.extend(asides(scores, &estimates, delta));
                }
                let count = |included: bool| {
                    let side = canaries.iter().filter(|canary| canary.unit == *of);
                    side.filter(|canary| canary.included == included).count() as u64
                };
                shown::UnitAudit {
                    unit: unit(*of),
                    canaries: format!("crafted canary {of}s"),
                    inside: count(true),
                    outside: count(false),
                    rounds: shown_rounds,
                    methods,
                    push: push.and_then(|(_, push)| *push).map(Into::into),
                    estimates,
                }
            })
            .collect()
    }
}

/// The scores of one unit after one round, and what they are held against.
struct Test<'a> {
    entries: &'a [LedgerEntry],
    presences: &'a [Presence<'a>],
    scores: &'a CanaryScores,
    delta: Delta,
    alpha: f64,
}

impl Test<'_> {
    /// The accountant's ε, whether its curve is refuted, and what every deciding method found.
    fn run(&self) -> (Epsilon, bool, Vec<shown::AuditMethod>) {
        let upper = claims::upper(self.entries, self.presences, self.delta);
        let thresholds = laid_thresholds(upper);
        let level = confidence(self.alpha);
        let (lowest, refuted) = claims::least_epsilon(
            self.entries,
            self.presences,
            self.scores,
            &thresholds,
            self.delta,
            self.alpha,
        );
        let curve = super::curve(lowest, level);
        let at = |auditor: Auditor| auditor.audit_at(self.scores, &thresholds, self.delta, level);
        let found = vec![
            curve,
            method(
                &at(Auditor::ClopperPearson),
                shown::AuditNature::IndependentBound,
                true,
            ),
            method(&at(Auditor::OneRun), shown::AuditNature::Bound, true),
            method(
                &at(Auditor::GaussianDp),
                shown::AuditNature::GaussianBound,
                false,
            ),
            method(
                &at(Auditor::GaussianOneRun),
                shown::AuditNature::GaussianBound,
                false,
            ),
        ];
        (upper, refuted, found)
    }
}

/// Estimates, which decide nothing.
fn asides(
    scores: &CanaryScores,
    estimates: &[shown::RoundEstimate],
    delta: Delta,
) -> Vec<shown::AuditMethod> {
    let even = MembershipScore::try_new(0.0).expect("zero is finite");
    let mut asides = vec![super::posterior(&scores.counts(even), delta)];
    asides.extend(estimates.last().map(|last| shown::AuditMethod {
        name: "one shot".to_owned(),
        source: "Andrew et al., arXiv 2302.03098".to_owned(),
        nature: shown::AuditNature::Estimate,
        epsilon: last.so_far,
        confidence: None,
        decides: false,
    }));
    asides
}
