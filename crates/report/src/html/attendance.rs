//! Who was missing, and how long rounds took.

use super::Section;
use super::markup::{Table, fold, paragraph, sentence, shown_rounds};
use crate::RunReport;
use crate::format;
use crate::model::{Attendance, AttendanceRound};
use crate::words;
use std::collections::BTreeMap;

/// The section, where there is anything to tell.
pub(super) fn section(report: &RunReport) -> Option<Section> {
    let attendance = report.attendance.as_ref()?;
    let mut body: String = words::attendance(report).iter().map(sentence).collect();
    if let Some(cost) = &attendance.cost {
        let nouns = &report.identity.nouns;
        body += &paragraph(&format!(
            "A {} that was asked is charged for the round, whatever came of it: its update may have left it. So the \
             worst-off {} is promised ε ≤ {}. Had only those updates left their {} that a model was made of, it would \
             be {}; that is no promise, since nobody can know.",
            nouns.silo.one,
            nouns.subject.one,
            format::epsilon_upper(cost.charged),
            nouns.silo.many,
            format::epsilon_upper(cost.used),
        ));
    }
    body += &by_silo(report, attendance);
    body += &by_round(report, attendance);
    Some(Section {
        id: "attendance",
        title: "Who was missing",
        body,
    })
}

/// Which rounds each silo missed.
fn by_silo(report: &RunReport, attendance: &Attendance) -> String {
    let mut missed: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for round in &attendance.rounds {
        for missing in &round.missing {
            missed.entry(missing.silo).or_default().push(round.round);
        }
    }
    if missed.is_empty() {
        return String::new();
    }
    let nouns = &report.identity.nouns;
    let caption = format!("Rounds that a {} missed", nouns.silo.one);
    let mut table = Table::new(&caption, &[&nouns.silo.one, "#rounds", "which"]);
    for (silo, rounds) in missed {
        let count = format::count(rounds.len() as u64);
        table.row([name(report, silo), count, spans(&rounds)]);
    }
    table.to_html()
}

fn by_round(report: &RunReport, attendance: &Attendance) -> String {
    let head = ["#round", "#asked", "missing, and why", "#seconds", "#bytes"];
    let mut table = Table::new("The rounds", &head);
    let shown = shown_rounds(attendance.rounds.len());
    for (i, round) in attendance.rounds.iter().enumerate() {
        if shown(i) || !round.missing.is_empty() || round.attempts > 1 {
            table.row(cells(report, round));
        }
    }
    fold("The numbers: attendance by round", &table.to_html())
}

fn cells(report: &RunReport, round: &AttendanceRound) -> [String; 5] {
    let missing: Vec<String> = round
        .missing
        .iter()
        .map(|missing| format!("{}: {}", name(report, missing.silo), missing.why))
        .collect();
    let seconds = round.seconds.map(|seconds| format::fixed(seconds.get(), 3));
    let mut why = missing.join("; ");
    if !round.finished {
        why += " – the round was given up, and is charged";
    }
    [
        round.round.to_string(),
        format!("{} ×", round.attempts),
        why,
        seconds.unwrap_or_default(),
        round.bytes.map(format::count).unwrap_or_default(),
    ]
}

fn name(report: &RunReport, silo: u32) -> String {
    let shape = report.shape.silos.get(silo as usize);
    shape.map_or_else(|| silo.to_string(), |silo| silo.name.clone())
}

/// Numbers in order, with runs of them as spans: `1–4, 7`.
fn spans(numbers: &[u32]) -> String {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => spans.push((number, number)),
        }
    }
    let spans: Vec<String> = spans
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first}, {last}"),
            _ => format!("{first}–{last}"),
        })
        .collect();
    spans.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_rounds_are_spans() {
        assert_eq!(spans(&[1, 2, 3, 5, 7, 8]), "1–3, 5, 7, 8");
        assert_eq!(spans(&[]), "");
    }
}
