//! The findings of a sweep in plain words, computed from its numbers.

use super::effect::{Effect, LevelMean};
use super::measure::Measure;
use super::regression::{Term, TermOf};
use super::report::SweepReport;
use crate::format;
use crate::model::{Epsilon, Noun, PrivacyUnit, Real};
use crate::sweep::Scale;
use crate::words::{Sentence, sentence};

/// A factor that explains less than this is not said to explain anything.
const LITTLE: f64 = 0.05;

/// The findings: how many runs, what leaked, what it cost, what was promised, reservations.
pub(crate) fn findings(report: &SweepReport) -> Vec<Sentence> {
    let mut all = vec![runs(report)];
    for measure in &report.headlines {
        all.extend(leak(report, measure));
    }
    if report.headlines.is_empty() {
        all.push(sentence().say("No attack was run, so what leaks in practice is not known."));
    }
    all.extend(
        report
            .utility
            .iter()
            .filter_map(|measure| utility(report, measure)),
    );
    all.extend(promise(report));
    all.extend(reservations(report));
    all
}

fn runs(report: &SweepReport) -> Sentence {
    let counts = report.counts;
    let count = |n: usize, one: &str, many: &str| format::counted(n as u64, &Noun::new(one, many));
    let start = sentence()
        .figure(format!(
            "{} of {} tasks",
            format::count(u64::from(counts.done)),
            format::count(u64::from(counts.tasks))
        ))
        .say(format!(
            " {} done: {} of a {} design over {}, with {} each.",
            if counts.tasks == 1 { "is" } else { "are" },
            count(report.points.len(), "point", "points"),
            report.design.design,
            count(report.design.factors.len(), "factor", "factors"),
            count(report.design.seeds.len(), "seed", "seeds"),
        ));
    if counts.failed + counts.missing == 0 {
        return start;
    }
    start
        .say(" ")
        .figure(format!("{} failed", counts.failed))
        .say(" and ")
        .figure(format!("{} missing", counts.missing))
        .say(": what is not there can shift every mean below.")
}

fn leak(report: &SweepReport, measure: &Measure) -> Option<Sentence> {
    let (attack, regime) = measure.attack()?;
    let attacks = report
        .regressions
        .iter()
        .filter(|regression| regression.measure.auc_regime() == Some(regime))
        .count();
    let by = match attacks {
        1 => attack.to_owned(),
        _ => format!("{attack}, the strongest of {attacks} attacks on average"),
    };
    let k = report.headlines.iter().position(|other| other == measure)?;
    let means: Vec<f64> = report
        .points
        .iter()
        .filter_map(|p| p.auc[k]?.finite())
        .collect();
    let (low, high) = extent(&means)?;
    let start = sentence()
        .say(format!(
            "With {} ({by}) the AUC goes from ",
            format::regime(regime)
        ))
        .figure(format::fixed(low, 2))
        .say(" to ")
        .figure(format::fixed(high, 2))
        .say(" over the points");
    Some(explained(report, measure, start))
}

fn utility(report: &SweepReport, measure: &Measure) -> Option<Sentence> {
    let means: Vec<f64> = report
        .points
        .iter()
        .filter_map(|p| p.utility?.finite())
        .collect();
    let (low, high) = extent(&means)?;
    let start = sentence()
        .say(format!("The model’s {} goes from ", measure.title()))
        .figure(measure.written(low))
        .say(" to ")
        .figure(measure.written(high));
    Some(explained(report, measure, start))
}

/// Which factor explains most of a measure, and how.
fn explained(report: &SweepReport, measure: &Measure, start: Sentence) -> Sentence {
    let share = |effect: &&Effect| effect.explained.map_or(0.0, Real::get);
    let alone = report.design.is_one_at_a_time();
    // Shares of different points cannot be compared: one at a time it is the way that a factor moves the mean.
    let strength = |effect: &&Effect| match ends(effect) {
        Some((least, most)) if alone => most.mean.get() - least.mean.get(),
        _ if alone => 0.0,
        _ => share(effect),
    };
    let strongest = report
        .effects
        .iter()
        .filter(|effect| effect.measure == *measure)
        .reduce(|best, next| {
            if strength(&next) > strength(&best) {
                next
            } else {
                best
            }
        });
    let Some((effect, (least, most))) = strongest.and_then(|effect| Some((effect, ends(effect)?)))
    else {
        return start.say(".");
    };
    let words = format!(
        ": on average {} at {}, {} at {}.",
        measure.written(least.mean.get()),
        least.level,
        measure.written(most.mean.get()),
        most.level
    );
    if alone {
        let start = start.say("; of all factors ").figure(effect.factor.clone());
        return start.say(format!(" moves it furthest{words}"));
    }
    if share(&effect) < LITTLE {
        let limit = format::rate(LITTLE);
        return start.say(format!(
            "; no factor alone explains more than {limit} of its variance."
        ));
    }
    let start = start.say("; ").figure(effect.factor.clone());
    start.say(format!(
        " alone explains {} of its variance, the most of all factors{words}",
        format::percent(share(&effect))
    ))
}

/// The levels with the least and the greatest mean.
fn ends(effect: &Effect) -> Option<(&LevelMean, &LevelMean)> {
    let by_mean = |a: &&LevelMean, b: &&LevelMean| a.mean.get().total_cmp(&b.mean.get());
    let levels = || effect.levels.iter();
    Some((levels().min_by(by_mean)?, levels().max_by(by_mean)?))
}

fn promise(report: &SweepReport) -> Option<Sentence> {
    let epsilons: Vec<Epsilon> = report
        .tasks
        .iter()
        .filter_map(|task| task.state.outcomes()?.epsilon(PrivacyUnit::Subject))
        .collect();
    let finite: Vec<f64> = epsilons
        .iter()
        .filter_map(|epsilon| epsilon.finite())
        .collect();
    let Some((low, high)) = extent(&finite) else {
        return (!epsilons.is_empty())
            .then(|| sentence().say("Nothing is promised to a subject in any run (ε = ∞)."));
    };
    let start = sentence()
        .say("A subject is promised something in ")
        .figure(format!("{} of {} runs", finite.len(), epsilons.len()))
        .say(": ε at most ");
    let (low, high) = (
        format::epsilon_upper(low.into()),
        format::epsilon_upper(high.into()),
    );
    Some(if low == high {
        start.figure(high).say(".")
    } else {
        start
            .figure(low)
            .say(" to ")
            .figure(high)
            .say(", depending on the run.")
    })
}

fn reservations(report: &SweepReport) -> Vec<Sentence> {
    let done = || report.tasks.iter().filter_map(|task| task.state.outcomes());
    let mut all = Vec::new();
    let tripped = done()
        .filter(|outcomes| !outcomes.checks_tripped.is_empty())
        .count();
    if tripped > 0 {
        all.push(
            sentence()
                .figure(format!("In {tripped} of {} runs a check tripped", report.counts.done))
                .say(": an attack or an audit whose answer was known came out otherwise, so do not quote those runs’ figures."),
        );
    }
    let failed = done()
        .filter(|outcomes| !outcomes.gates_failed.is_empty())
        .count();
    if failed > 0 {
        let of = report.counts.done;
        all.push(
            sentence()
                .figure(format!("In {failed} of {of} runs a limit failed"))
                .say(", as their own reports say."),
        );
    }
    let short = done()
        .filter(|outcomes| outcomes.rounds_finished < outcomes.rounds_planned)
        .count();
    if short > 0 {
        all.push(
            sentence()
                .figure(format!("{short} of {} runs are shorter than planned", report.counts.done))
                .say(": they stopped at a budget or without a quorum, and are compared as they ended."),
        );
    }
    all
}

fn extent(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    Some((low, values.iter().copied().fold(low, f64::max)))
}

/// What a term is about, in words.
pub(crate) fn term(term: &Term) -> String {
    match &term.of {
        TermOf::Constant => "constant".to_owned(),
        TermOf::Deviation {
            factor,
            deviation,
            scale: Scale::Linear,
        } => format!("{factor}, per {} more", format::figures(deviation.get())),
        TermOf::Deviation {
            factor,
            deviation,
            scale: Scale::Log,
        } => format!(
            "{factor}, per factor {}",
            format::figures(deviation.get().exp())
        ),
        TermOf::Contrast {
            factor,
            level,
            against,
        } => format!("{factor}: {level} against {against}"),
    }
}
