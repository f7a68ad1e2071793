//! Two numbers on one axis: what is promised and what was shown.

use super::Figure;
use crate::RunReport;
use crate::chart::{Axis, Marker, Plot, Stroke, Tone};
use crate::format;
use crate::model::{AuditRound, Epsilon, PrivacyUnit, UnitAudit};

/// For each unit that was audited, the accountant's upper bound and the audit's lower bound by round.
pub(crate) fn bounds(report: &RunReport) -> Vec<Figure> {
    let units = report.audit.iter().flat_map(|audit| &audit.units);
    units
        .enumerate()
        .filter_map(|(place, unit)| of_unit(report, place, unit))
        .collect()
}

fn of_unit(report: &RunReport, place: usize, unit: &UnitAudit) -> Option<Figure> {
    let audit = report.audit.as_ref()?;
    let last = unit.last()?;
    let curve = |pick: fn(&AuditRound) -> Epsilon| -> Vec<(f64, f64)> {
        unit.rounds
            .iter()
            .filter_map(|r| Some((f64::from(r.round), pick(r).finite()?)))
            .collect()
    };
    let (upper, lower) = (curve(|r| r.upper), curve(|r| r.lower));
    let estimates = unit.estimates.iter();
    let estimates: Vec<(f64, f64)> = estimates
        .filter_map(|at| Some((f64::from(at.round), at.so_far.finite()?)))
        .collect();
    let highest = upper
        .iter()
        .chain(&lower)
        .chain(&estimates)
        .map(|point| point.1)
        .fold(0.0, f64::max);
    let (slug, tone) = match unit.unit {
        PrivacyUnit::Record => ("record", Tone::Record),
        PrivacyUnit::Subject => ("subject", Tone::Subject),
        PrivacyUnit::Silo => ("silo", Tone::Silo),
    };
    let mut plot = Plot::new(Axis::rounds(last.round), Axis::linear("ε", 0.0, highest, 6));
    if upper.is_empty() {
        plot = plot.remark("accountant: ∞");
    } else {
        plot = plot.line(
            "accountant: at most",
            tone,
            Stroke::Solid,
            Some(Marker::Disc),
            upper,
        );
    }
    plot = plot.line(
        "audit: at least",
        Tone::Ink,
        Stroke::Dashed,
        Some(Marker::Triangle),
        lower,
    );
    if !estimates.is_empty() {
        let (stroke, tone) = (Stroke::Dotted, Tone::Ink);
        plot = plot.line("one shot: an estimate", tone, stroke, None, estimates);
    }
    let name = format::unit(unit.unit, &report.identity.nouns);
    Some(Figure::new(
        format!("audit-{slug}-{place}"),
        format!(
            "Line chart of two bounds on epsilon for {}. At the end at most {} and at least {}.",
            format::with_article(name),
            format::epsilon_upper(last.upper),
            format::epsilon_lower(last.lower)
        ),
        format!(
            "ε for {} at δ\u{a0}=\u{a0}{}, from {}: the truth lies between the bounds. If they crossed, the promise \
             would be refuted; a correct run shows no crossing anywhere with a chance of at least {}.{}",
            format::with_article(name),
            format::delta(audit.delta.get()),
            unit.canaries,
            format::rate(audit.confidence.get()),
            if unit.estimates.is_empty() {
                ""
            } else {
                " The dotted curve is an estimate, from the canaries' directions in every round's update; it may lie anywhere."
            }
        ),
        plot.draw(),
    ))
}
