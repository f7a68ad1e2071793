//! Runs with and without the audited subject against what the ledger promises it.

use crate::audit::{claims, curve, method, posterior};
use accounting::{Delta, Epsilon, LedgerEntry, Presence, RecordsPerSilo};
use attacks::Confidence;
use attacks::audit::{Auditor, CanaryScores, Counts, HeldOut};
use report::model as shown;

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    /// Statistic, threshold, and the runs that judge.
    pub(super) held_out: HeldOut,
    /// The accountant: at most this.
    pub(super) upper: Epsilon,
    /// The best lower bound.
    pub(super) lower: f64,
    /// The best that so many runs could have shown.
    pub(super) largest: Epsilon,
    /// Whether the promise is broken.
    pub(super) refuted: bool,
    /// Every method's answer.
    pub(super) methods: Vec<shown::AuditMethod>,
}

/// Judges the runs by whichever of `statistics` the first half of them speaks for, against what `entries` promise a subject
/// with these records. `None` if there are too few runs.
///
/// All tests read the same two Clopper–Pearson limits, so a correct program is refuted with a chance of at most
/// `1 − confidence`, whatever was chosen and whatever the mechanism is.
pub(super) fn judge(
    statistics: &[CanaryScores],
    entries: &[LedgerEntry],
    holdings: &RecordsPerSilo,
    delta: Delta,
    confidence: Confidence,
) -> Option<Judgement> {
    let held_out = HeldOut::choose(statistics, delta, confidence)?;
    let presences = [Presence::Subject(holdings)];
    let thresholds = [held_out.threshold];
    let upper = claims::upper(entries, &presences, delta);
    let judged = &held_out.judged;
    let (lowest, refuted) = claims::least_epsilon(
        entries,
        &presences,
        judged,
        &thresholds,
        delta,
        confidence.alpha(),
    );
    let at = |auditor: Auditor| auditor.audit_at(judged, &thresholds, delta, confidence);
    let counts = held_out.counts();
    let methods = vec![
        curve(lowest, confidence),
        method(
            &at(Auditor::ClopperPearson),
            shown::AuditNature::Bound,
            true,
        ),
        method(
            &at(Auditor::GaussianDp),
            shown::AuditNature::GaussianBound,
            false,
        ),
        posterior(&counts, delta),
    ];
    let deciding = methods.iter().filter(|method| method.decides);
    let lower = deciding
        .map(|method| method.epsilon.get())
        .fold(0.0, f64::max);
    Some(Judgement {
        refuted: refuted || lower > upper.get(),
        largest: Counts::largest_bound(counts.inside(), counts.outside(), delta, confidence),
        held_out,
        upper,
        lower,
        methods,
    })
}
