//! The report for a terminal: the same findings and the figures that matter, as wide as it is.

use crate::RunReport;
use crate::format;
use crate::model::{CheckOutcome, Epsilon, Quality, Regime, Sense};
use crate::words::{self, Sentence, Span};

/// How text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextStyle {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether figures may be set in bold; not where output is no terminal or NO_COLOR is set.
    pub colour: bool,
}

/// Narrower than this nothing can be laid out, so it is taken as this.
const NARROWEST: usize = 24;

impl TextStyle {
    pub(crate) fn width(self) -> usize {
        self.width.max(NARROWEST)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

impl RunReport {
    /// What to say when the run is over: findings, promise, leak, limits.
    pub fn to_text(&self, style: TextStyle) -> String {
        let mut text = format!("{}\n", style.strong(&printable(&self.identity.name)));
        for finding in words::findings(self) {
            text.push('\n');
            text += &wrapped(&finding, style);
        }
        for (title, table) in [
            ("promised", promise(self)),
            ("leaked", leak(self)),
            ("leaked, over the shadow federations", over_runs(self)),
            ("silos named rightly", sources(self)),
            ("exposed have in common (rank correlation)", exposed(self)),
            ("audited", audit(self)),
            ("limits", limits(self)),
            ("checks", checks(self)),
        ] {
            if table.len() > 1 {
                text += &format!(
                    "\n{}\n{}",
                    style.strong(title),
                    columns(&table, style.width())
                );
            }
        }
        let digest: String = self.identity.plan_digest.chars().take(10).collect();
        text += &format!(
            "\n{} · seed {} · plan {} · siloscope {}\n",
            printable(&self.identity.command),
            self.identity.seed,
            printable(&digest),
            printable(&self.identity.siloscope_version)
        );
        text
    }
}

/// What is known when a round has ended, for one line of progress.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoundLine {
    /// The round.
    pub round: u32,
    /// Rounds planned.
    pub rounds: u32,
    /// How good the model is, if it was measured.
    pub quality: Option<Quality>,
    /// The worst-off subject's loss so far.
    pub epsilon: Option<Epsilon>,
    /// The budget for it, if there is one.
    pub budget: Option<Epsilon>,
    /// The strongest attack's AUC on fresh records.
    pub auc_fresh: Option<f64>,
    /// The strongest attack's AUC on training records.
    pub auc_training: Option<f64>,
}

impl RoundLine {
    /// One line without its line feed, e.g. `round  3/30 · accuracy 87.1 % · ε 2.1 of 8.0 · AUC fresh 0.51, training 0.55`.
    pub fn to_text(&self) -> String {
        let rounds = self.rounds.to_string();
        let mut line = format!(
            "round {:>width$}/{rounds}",
            self.round,
            width = rounds.len()
        );
        match self.quality {
            Some(Quality::Accuracy(accuracy)) => {
                let percent = format::fixed(100.0 * accuracy.get(), 1);
                line += &format!(" · accuracy {percent:>5} %");
            }
            Some(r_squared @ Quality::RSquared(_)) => {
                line += &format!(" · R² {:>6}", format::quality(r_squared));
            }
            None => {}
        }
        if let Some(epsilon) = self.epsilon {
            line += &format!(" · ε {}", format::epsilon_upper(epsilon));
            if let Some(budget) = self.budget {
                line += &format!(" of {}", format::epsilon_upper(budget));
            }
        }
        let aucs: Vec<String> = [("fresh", self.auc_fresh), ("training", self.auc_training)]
            .into_iter()
            .filter_map(|(regime, auc)| Some(format!("{regime} {}", format::fixed(auc?, 2))))
            .collect();
        if !aucs.is_empty() {
            line += &format!(" · AUC {}", aucs.join(", "));
        }
        line
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn promise(report: &RunReport) -> Vec<Vec<String>> {
    let mut table = vec![row(["", "ε at most", "δ", "neighbours", "proved by"])];
    for guarantee in &report.promise.guarantees {
        table.push(vec![
            format::unit(guarantee.unit, &report.identity.nouns).to_owned(),
            format::epsilon_upper(guarantee.epsilon),
            format::delta(guarantee.delta.get()),
            format::relation(guarantee.relation).to_owned(),
            match guarantee.epsilon.finite() {
                Some(_) => guarantee.accountant.clone(),
                None => "—".to_owned(),
            },
        ]);
    }
    table
}

fn leak(report: &RunReport) -> Vec<Vec<String>> {
    let mut table = vec![row(["", "AUC, fresh records", "AUC, training records"])];
    for name in crate::figure::attack_names(report) {
        let auc = |regime| {
            report
                .leak
                .attacks
                .iter()
                .find(|attack| attack.attack == name && attack.regime == regime)
                .and_then(|attack| attack.last())
                .map_or("—".to_owned(), |last| format::interval(&last.auc, 3))
        };
        table.push(vec![
            name.to_owned(),
            auc(Regime::Fresh),
            auc(Regime::TrainingRecords),
        ]);
    }
    table
}

fn over_runs(report: &RunReport) -> Vec<Vec<String>> {
    let subjects = &report.identity.nouns.subject.many;
    let head = ["", "mean AUC", "deviation", "own AUC ≥ 0.9", "by luck"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    table[0][3] = format!("{subjects} with own AUC ≥ 0.9");
    for over in &report.leak.over_runs {
        let at = over.exposed[0];
        table.push(vec![
            format!("{}, {}", over.attack, format::regime(over.regime)),
            format::fixed(over.auc.get(), 3),
            format::fixed(over.deviation.get(), 3),
            format::share(&at),
            format::percent(at.by_luck.get()),
        ]);
    }
    table
}

fn audit(report: &RunReport) -> Vec<Vec<String>> {
    let mut table = vec![row(["", "ε at least", "ε at most", "ratio", "refuted"])];
    for unit in report.audit.iter().flat_map(|audit| &audit.units) {
        let Some(last) = unit.last() else { continue };
        let broken: Vec<String> = unit
            .refuted()
            .map(|round| round.round.to_string())
            .collect();
        table.push(vec![
            unit.canaries.clone(),
            format::epsilon_lower(last.lower),
            format::epsilon_upper(last.upper),
            last.tightness()
                .map_or("—".to_owned(), |tightness| format::fixed(tightness, 2)),
            if broken.is_empty() {
                "no".to_owned()
            } else {
                format!("in round {}", broken.join(", "))
            },
        ]);
    }
    table
}

fn sources(report: &RunReport) -> Vec<Vec<String>> {
    let mut table = vec![row(["", "members", "named", "by lot"])];
    for source in &report.leak.sources {
        table.push(vec![
            format::regime(source.regime).to_owned(),
            format::count(u64::from(source.members)),
            format::percent(source.named.get()),
            format::percent(source.chance.get()),
        ]);
    }
    table
}

fn exposed(report: &RunReport) -> Vec<Vec<String>> {
    let mut table = vec![row(["", "fresh records", "training records"])];
    let of = |regime| report.leak.exposed.iter().find(move |e| e.regime == regime);
    let Some(first) = report.leak.exposed.first() else {
        return table;
    };
    for factor in &first.factors {
        let mut cells = vec![factor.name.clone()];
        for regime in Regime::ALL {
            let same = of(regime).and_then(|e| e.factors.iter().find(|f| f.name == factor.name));
            cells.push(same.map_or("—".to_owned(), |f| format::signed(&f.correlation)));
        }
        table.push(cells);
    }
    table
}

fn limits(report: &RunReport) -> Vec<Vec<String>> {
    let mut table = vec![row(["", "allowed", "found", "held"])];
    for gate in &report.gates {
        let sign = match gate.sense {
            Sense::AtMost => "≤",
            Sense::AtLeast => "≥",
        };
        table.push(vec![
            gate.name.clone(),
            format!("{sign} {}", format::trimmed(gate.limit.get(), 4)),
            format::trimmed(gate.value.get(), 4),
            if gate.passed { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    table
}

fn checks(report: &RunReport) -> Vec<Vec<String>> {
    let mut table = vec![row(["", "outcome"])];
    let noise = report.audit.iter().flat_map(|audit| &audit.checks);
    for check in report.leak.checks.iter().chain(noise) {
        let outcome = match check.outcome {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Caution => "caution",
            CheckOutcome::Tripped => "TRIPPED",
            CheckOutcome::NotRun => "not run",
        };
        table.push(vec![check.name.clone(), outcome.to_owned()]);
    }
    table
}

/// Columns side by side, the first to the left and the others to the right; where they do not fit, a
/// row becomes a few lines. The first row holds the headings.
pub(crate) fn columns(table: &[Vec<String>], width: usize) -> String {
    let table: Vec<Vec<String>> = table
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let Some((head, rows)) = table.split_first() else {
        return String::new();
    };
    let length = |text: &str| text.chars().count();
    let widest = |column: usize| {
        table
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| length(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(widest).collect();
    let mut text = String::new();
    if fits(&table, width) {
        for row in &table {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width - length(cell));
                line += &match column {
                    0 => format!("  {cell}{padding}"),
                    _ => format!("  {padding}{cell}"),
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
    } else {
        for row in rows {
            for (column, (cell, head)) in row.iter().zip(head).enumerate() {
                text += &match column {
                    0 => format!("  {cell}\n"),
                    _ => format!("    {head}: {cell}\n"),
                };
            }
        }
    }
    text
}

/// Whether [`columns`] can put the table's columns side by side.
pub(crate) fn fits(table: &[Vec<String>], width: usize) -> bool {
    let columns = table.first().map_or(0, Vec::len);
    let widest = |column: usize| {
        table
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    (0..columns)
        .map(|column| widest(column).unwrap_or(0) + 2)
        .sum::<usize>()
        <= width
}

/// A sentence broken into lines, its figures in bold where allowed.
pub(crate) fn wrapped(sentence: &Sentence, style: TextStyle) -> String {
    let mut text = String::new();
    let mut column = 0;
    // A word may be pieced together from several spans, such as a figure and its full stop.
    let mut word: Vec<(String, bool)> = Vec::new();
    let mut place = |word: &mut Vec<(String, bool)>| {
        let length: usize = word.iter().map(|(part, _)| part.chars().count()).sum();
        if length == 0 {
            return;
        }
        if column > 0 && column + 1 + length > style.width() {
            text.push('\n');
            column = 0;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        for (part, strong) in word.drain(..) {
            let part = part.replace('\u{a0}', " ");
            text += &if strong { style.strong(&part) } else { part };
        }
        column += length;
    };
    for span in sentence.spans() {
        let strong = matches!(span, Span::Figure(_));
        let clean = printable(span.text());
        for (k, part) in clean.split(' ').enumerate() {
            if k > 0 {
                place(&mut word);
            }
            if !part.is_empty() {
                word.push((part.to_owned(), strong));
            }
        }
    }
    place(&mut word);
    text.push('\n');
    text
}

/// `text` without control characters: a name must not command the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

impl std::fmt::Display for Sentence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.spans()
            .iter()
            .try_for_each(|span| f.write_str(span.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_one_line() {
        let line = RoundLine {
            round: 3,
            rounds: 30,
            quality: Some(Quality::Accuracy(0.871.into())),
            epsilon: Some(Epsilon::from(2.104)),
            budget: Some(Epsilon::from(8.0)),
            auc_fresh: Some(0.512),
            auc_training: None,
        };
        assert_eq!(
            line.to_text(),
            "round  3/30 · accuracy  87.1 % · ε 2.11 of 8.00 · AUC fresh 0.51"
        );
        let line = RoundLine {
            quality: Some(Quality::RSquared((-0.25).into())),
            epsilon: None,
            ..line
        };
        assert_eq!(line.to_text(), "round  3/30 · R² −0.250 · AUC fresh 0.51");
        let bare = RoundLine {
            round: 1,
            rounds: 1,
            ..RoundLine::default()
        };
        assert_eq!(bare.to_text(), "round 1/1");
    }

    #[test]
    fn a_table_that_does_not_fit_becomes_lines() {
        let table = vec![row(["", "ε", "δ"]), row(["subject", "8.00", "1e-3"])];
        assert_eq!(
            columns(&table, 40),
            "              ε     δ\n  subject  8.00  1e-3\n"
        );
        assert_eq!(columns(&table, 10), "  subject\n    ε: 8.00\n    δ: 1e-3\n");
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
