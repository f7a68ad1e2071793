//! The first screen: findings in words, four figures, how it ended.

use super::markup::{self, Badge, Tile, badge, escaped, paragraph, sentence};
use crate::RunReport;
use crate::format;
use crate::model::{CheckOutcome, HowEnded, PrivacyUnit, Quality, Regime};
use crate::words;

/// Title, findings and key figures.
pub(super) fn header(report: &RunReport) -> String {
    let identity = &report.identity;
    let mut html = format!(
        "<header><p class=\"kicker\">Siloscope run report</p><h1>{}</h1>",
        escaped(&identity.name)
    );
    if !identity.description.is_empty() {
        html += &format!("<p class=\"lede\">{}</p>", escaped(&identity.description));
    }
    html += &format!("<p class=\"badges\">{}</p>", badges(report));
    html += "<div class=\"findings\">";
    html += &words::findings(report)
        .iter()
        .map(sentence)
        .collect::<String>();
    html += "</div>";
    html + &tiles(report) + "</header>"
}

fn badges(report: &RunReport) -> String {
    let ending = &report.ending;
    let (kind, how) = match ending.how {
        HowEnded::Finished => (Badge::Good, "finished"),
        HowEnded::BudgetReached => (Badge::Neutral, "stopped at the budget"),
        HowEnded::QuorumLost => (Badge::Bad, "lost its quorum"),
        HowEnded::Interrupted => (Badge::Neutral, "interrupted"),
    };
    let mut all = vec![badge(
        kind,
        &format!(
            "{how}: {} of {} rounds",
            ending.rounds_finished, ending.rounds_planned
        ),
    )];
    let failed = report.gates.iter().filter(|gate| !gate.passed).count();
    if !report.gates.is_empty() {
        let (kind, text) = match failed {
            0 => (
                Badge::Good,
                format!("{} of {0} limits held", report.gates.len()),
            ),
            _ => (
                Badge::Bad,
                format!("{failed} of {} limits failed", report.gates.len()),
            ),
        };
        all.push(badge(kind, &text));
    }
    let count = |outcome| report.leak.with(outcome).count();
    let (passed, tripped) = (count(CheckOutcome::Passed), count(CheckOutcome::Tripped));
    if tripped > 0 {
        all.push(badge(
            Badge::Bad,
            &format!("{tripped} attack checks tripped"),
        ));
    } else if passed > 0 {
        all.push(badge(
            Badge::Good,
            &format!("{passed} attack checks passed"),
        ));
    }
    all.join(" ")
}

fn tiles(report: &RunReport) -> String {
    let mut tiles = Vec::new();
    tiles.extend(report.utility.rounds.last().map(|last| Tile {
        tone: "ink",
        title: match last.quality {
            Quality::Accuracy(_) => "Right answers".to_owned(),
            Quality::RSquared(_) => "R²".to_owned(),
        },
        value: format::quality(last.quality),
        under: match last.quality {
            Quality::Accuracy(_) => format!("of {}", report.utility.of_what),
            Quality::RSquared(_) => format!("on {}", report.utility.of_what),
        },
    }));
    tiles.extend(promise_tile(report));
    tiles.extend(
        Regime::ALL
            .iter()
            .filter_map(|&regime| leak_tile(report, regime)),
    );
    markup::tiles(&tiles)
}

fn promise_tile(report: &RunReport) -> Option<Tile> {
    let nouns = &report.identity.nouns;
    let subject = report.promise.guarantee(PrivacyUnit::Subject)?;
    let other = |unit| {
        report.promise.guarantee(unit).map(|guarantee| {
            format!(
                "; {}: {}",
                format::unit(unit, nouns),
                format::epsilon_upper(guarantee.epsilon)
            )
        })
    };
    let others: String = [PrivacyUnit::Record, PrivacyUnit::Silo]
        .into_iter()
        .filter_map(other)
        .collect();
    let value = match subject.epsilon.finite() {
        Some(_) => format!("ε ≤ {}", format::epsilon_upper(subject.epsilon)),
        None => "ε = ∞".to_owned(),
    };
    Some(Tile {
        tone: "subject",
        title: format!("Promised to {}", format::with_article(&nouns.subject.one)),
        value,
        under: format!(
            "at δ\u{a0}=\u{a0}{}{others}",
            format::delta(subject.delta.get())
        ),
    })
}

fn leak_tile(report: &RunReport, regime: Regime) -> Option<Tile> {
    let attack = words::strongest(report, regime)?;
    let auc = &attack.last()?.auc;
    let (tone, title) = match regime {
        Regime::Fresh => ("fresh", "Leaked: fresh records"),
        Regime::TrainingRecords => ("training", "Leaked: training records"),
    };
    Some(Tile {
        tone,
        title: title.to_owned(),
        value: format!("AUC {}", format::fixed(auc.value.get(), 2)),
        under: format!(
            "{} interval {}–{}; chance is 0.50",
            format::rate(attack.confidence.get()),
            format::fixed(auc.low.get(), 2),
            format::fixed(auc.high.get(), 2)
        ),
    })
}

/// What to know before passing the page on.
pub(super) fn footer(report: &RunReport) -> String {
    let many = &report.identity.nouns.subject.many;
    let caution = paragraph(&format!(
        "Before you pass this on: the figures about single {many} and the attacks’ scores are computed from \
         the data without noise. The promise above covers the model, not this page."
    ));
    format!(
        "<footer>{caution}<p>Every number here, and more, is in <code>report.json</code> beside this file. \
         Siloscope {}, schema version {}.</p></footer>",
        escaped(&report.identity.siloscope_version),
        report.schema_version
    )
}
