//! What leaked: every attack in both regimes, then subject by subject.

use super::Section;
use super::beyond;
use super::markup::{Table, escaped, figures, fold, paragraph, shown_rounds};
use crate::RunReport;
use crate::figure;
use crate::format;
use crate::model::{AttackReport, AttackRound, Measurement, Pool, Regime};
use crate::words;

/// How many of the most exposed members are listed.
const LISTED: usize = 10;

/// The section.
pub(super) fn section(report: &RunReport) -> Section {
    let mut body = String::new();
    if report.leak.attacks.is_empty() {
        body += &paragraph("No attack was run.");
    } else {
        body += &introduction(report);
        body += &summary(report);
        for attack in figure::attack_names(report) {
            body += &one(report, attack);
        }
        body += &beyond::over_runs(report);
        body += &beyond::sources(report);
        body += &subjects(report);
        body += &beyond::exposed(report);
    }
    Section {
        id: "leak",
        title: "What leaked",
        body,
    }
}

fn introduction(report: &RunReport) -> String {
    let nouns = &report.identity.nouns;
    paragraph(&format!(
        "Each attack gives every {0} a score and is judged by whether members score above non-members. It is run \
         twice: on fresh {1} of the {0} that were never trained on, and on the very {1} that members trained with. \
         The second is the stronger adversary; the two are never mixed.{2}",
        nouns.subject.one,
        nouns.record.many,
        if figure::attack_names(report).len() > 1 {
            " Where the strongest attack is named it was picked after the fact, which favours the attacker."
        } else {
            ""
        }
    ))
}

fn summary(report: &RunReport) -> String {
    let fprs: Vec<f64> = report
        .leak
        .attacks
        .iter()
        .find_map(AttackReport::last)
        .map(|last| {
            last.tpr_at_fpr
                .iter()
                .map(|point| point.fpr.get())
                .collect()
        })
        .unwrap_or_default();
    let mut head: Vec<String> = ["attack", "adversary holds", "#AUC [interval]"]
        .map(String::from)
        .to_vec();
    head.extend(
        fprs.iter()
            .map(|&fpr| format!("#TPR at {} FPR", format::rate(fpr))),
    );
    head.extend(["#precision", "#recall", "#F1", "#advantage"].map(String::from));
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new("Attack success after the last round", &head);
    let mut withheld: Vec<String> = Vec::new();
    for attack in &report.leak.attacks {
        let Some(last) = attack.last() else { continue };
        let mut cells = vec![
            attack.title.clone(),
            format::regime(attack.regime).to_owned(),
            format::interval(&last.auc, 3),
        ];
        for k in 0..fprs.len() {
            let tpr = last.tpr_at_fpr.get(k).map(|point| &point.tpr);
            cells.push(tpr.map_or("—".to_owned(), |tpr| format::measurement(tpr, 3)));
        }
        for value in [&last.precision, &last.recall, &last.f1, &last.advantage] {
            cells.push(format::measurement(value, 3));
        }
        table.row(cells);
        for reason in reasons(last) {
            if !withheld.contains(&reason) {
                withheld.push(reason);
            }
        }
    }
    let mut html = table.to_html();
    if !withheld.is_empty() {
        html += &format!(
            "<p class=\"aside\">—: {}.</p>",
            escaped(&withheld.join("; "))
        );
    }
    html
}

fn reasons(round: &AttackRound) -> Vec<String> {
    round
        .tpr_at_fpr
        .iter()
        .map(|point| &point.tpr)
        .chain([&round.precision, &round.recall, &round.f1, &round.advantage])
        .filter_map(|measurement| match measurement {
            Measurement::Withheld(why) => Some(why.clone()),
            Measurement::Interval(_) | Measurement::Value(_) => None,
        })
        .collect()
}

fn one(report: &RunReport, name: &str) -> String {
    let all: Vec<&AttackReport> = report
        .leak
        .attacks
        .iter()
        .filter(|a| a.attack == name)
        .collect();
    let Some(first) = all.first() else {
        return String::new();
    };
    let source = if first.source.is_empty() {
        String::new()
    } else {
        format!(" Source: {}.", first.source)
    };
    let mut html = format!("<h3>{}</h3>", escaped(&first.title));
    html += &paragraph(&format!(
        "Sees {}. Judged on {} members and {} non-members.{source}",
        first.threat_model, first.members, first.non_members
    ));
    html += &figures([figure::auc(report, name), figure::roc(report, name)]);
    let mut folded = figures([figure::roc_low(report, name)]);
    for attack in all {
        folded += &by_round(attack);
    }
    html + &fold(
        "At low false-alarm rates, and the numbers by round",
        &folded,
    )
}

fn by_round(attack: &AttackReport) -> String {
    let caption = format!(
        "{}, {}: by round",
        attack.title,
        format::regime(attack.regime)
    );
    let mut table = Table::new(
        &caption,
        &[
            "#round",
            "#AUC [interval]",
            "#precision",
            "#recall",
            "#F1",
            "#advantage",
        ],
    );
    let shown = shown_rounds(attack.rounds.len());
    for (_, round) in attack.rounds.iter().enumerate().filter(|(k, _)| shown(*k)) {
        table.row([
            round.round.to_string(),
            format::interval(&round.auc, 3),
            format::measurement(&round.precision, 3),
            format::measurement(&round.recall, 3),
            format::measurement(&round.f1, 3),
            format::measurement(&round.advantage, 3),
        ]);
    }
    table.to_html()
}

fn subjects(report: &RunReport) -> String {
    let nouns = &report.identity.nouns;
    let shown = figures([
        figure::scores(report, Regime::Fresh),
        figure::scores(report, Regime::TrainingRecords),
        figure::exposure(report, Regime::Fresh),
        figure::exposure(report, Regime::TrainingRecords),
    ]);
    if shown.is_empty() {
        return String::new();
    }
    format!(
        "<h3>{} by {}</h3><p>{}</p>{shown}{}",
        escaped(&capitalised(&nouns.subject.one)),
        escaped(&nouns.subject.one),
        escaped(&format!(
            "A member’s exposure is the share of non-members that score lower under the strongest attack: \
             50\u{a0}% on average if nothing leaks. A high value for one {} alone may be luck.",
            nouns.subject.one
        )),
        fold(
            &format!("The {LISTED} most exposed {}", nouns.subject.many),
            &most_exposed(report)
        ),
    )
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn most_exposed(report: &RunReport) -> String {
    let nouns = &report.identity.nouns;
    let mut ranked: Vec<_> = report
        .subjects
        .iter()
        .filter(|subject| subject.pool == Pool::Member)
        .filter_map(|subject| Some((subject.exposure_rank?, subject)))
        .collect();
    ranked.sort_by_key(|(rank, subject)| (*rank, subject.id));
    let head = [
        "#rank".to_owned(),
        format!("#{}", nouns.subject.one),
        format!("#{}", nouns.record.many),
        format!("#{}", nouns.silo.many),
        "#ε".to_owned(),
        "#exposure, fresh".to_owned(),
        "#exposure, training".to_owned(),
    ];
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new(&format!("Most exposed {}", nouns.subject.many), &head);
    for (rank, subject) in ranked.into_iter().take(LISTED) {
        let exposure = |regime| {
            words::strongest(report, regime)
                .and_then(|attack| {
                    subject
                        .scores
                        .iter()
                        .find(|s| s.attack == attack.attack && s.regime == regime)
                })
                .map_or("—".to_owned(), |score| {
                    format::percent(score.percentile.get())
                })
        };
        table.row([
            rank.to_string(),
            subject.id.to_string(),
            format::count(subject.records()),
            subject.holdings.len().to_string(),
            subject
                .epsilon
                .map_or("—".to_owned(), format::epsilon_upper),
            exposure(Regime::Fresh),
            exposure(Regime::TrainingRecords),
        ]);
    }
    table.to_html()
}
