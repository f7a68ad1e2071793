//! The report of a sweep for a terminal.

use super::measure::Measure;
use super::regression::{Fit, RegressionOutcome, TermOf};
use super::report::SweepReport;
use super::words;
use crate::format;
use crate::model::Real;
use crate::text::{TextStyle, columns, printable, wrapped};

/// Unfinished tasks that are listed before the others are counted.
const MOST_LISTED: usize = 20;

impl SweepReport {
    /// What to say of a sweep: findings, the effect of each factor, the regression tables, what is not done.
    pub fn to_text(&self, style: TextStyle) -> String {
        let mut text = format!("{}\n", style.strong(&printable(&self.design.name)));
        for finding in words::findings(self) {
            text.push('\n');
            text += &wrapped(&finding, style);
        }
        let mut add = |title: &str, table: &[Vec<String>]| {
            if table.len() > 1 {
                let table = columns(table, style.width());
                text += &format!("\n{}\n{table}", style.strong(&printable(title)));
            }
        };
        add(
            "share of the variance that each factor explains",
            &self.shares(),
        );
        for measure in self.shown() {
            add(
                &format!("{} by level", measure.title()),
                &self.levels(measure),
            );
        }
        for measure in self.shown() {
            if let Some(RegressionOutcome::Fit(fit)) = self
                .regression(measure)
                .map(|regression| &regression.outcome)
            {
                let title = format!(
                    "{} on all factors: R² {}, {} tasks in {} points",
                    measure.title(),
                    format::fixed(fit.r_squared.get(), 3),
                    fit.tasks,
                    fit.points
                );
                add(&title, &terms(fit, measure));
            }
        }
        for measure in self.shown() {
            text += &self.beside(measure);
        }
        text + &self.not_done(style)
    }

    /// Factors down, measures across.
    fn shares(&self) -> Vec<Vec<String>> {
        let mut table = vec![vec![String::new()]];
        table[0].extend(self.shown().map(Measure::short));
        for grouping in self.groupings.iter().filter(|grouping| grouping.varies()) {
            let mut row = vec![grouping.factor.clone()];
            row.extend(self.shown().map(|measure| {
                let effect = self.effect(&grouping.factor, measure);
                let share = effect.and_then(|effect| effect.explained);
                share.map_or("—".to_owned(), |share| format::percent(share.get()))
            }));
            table.push(row);
        }
        table
    }

    fn levels(&self, measure: &Measure) -> Vec<Vec<String>> {
        let head = ["", "mean", "95 % interval", "points", "tasks"];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        for effect in self
            .effects
            .iter()
            .filter(|effect| effect.measure == *measure)
        {
            for level in &effect.levels {
                table.push(vec![
                    format!("{} = {}", effect.factor, level.level),
                    measure.written(level.mean.get()),
                    level.interval.map_or("—".to_owned(), |interval| {
                        format!(
                            "{} to {}",
                            measure.written(interval.low.get()),
                            measure.written(interval.high.get())
                        )
                    }),
                    level.points.to_string(),
                    level.tasks.to_string(),
                ]);
            }
        }
        table
    }

    /// What a regression leaves out or why there is none.
    fn beside(&self, measure: &Measure) -> String {
        let Some(regression) = self.regression(measure) else {
            return String::new();
        };
        match &regression.outcome {
            RegressionOutcome::NotFitted(why) => {
                format!("\nno regression of {}: {why}\n", measure.title())
            }
            RegressionOutcome::Fit(fit) => fit
                .left_out
                .iter()
                .map(|left| {
                    let level = left
                        .level
                        .as_ref()
                        .map_or(String::new(), |l| format!(" = {l}"));
                    let line = format!("{}{level} is left out: {}", left.factor, left.why);
                    format!("\n{}: {}\n", measure.title(), printable(&line))
                })
                .collect(),
        }
    }

    fn not_done(&self, style: TextStyle) -> String {
        let head = ["task", "levels", "seed", "state", "why"];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        for task in self.unfinished().take(MOST_LISTED) {
            table.push(vec![
                task.task.index.to_string(),
                task.task.in_words(&self.design.factors),
                task.task.seed.to_string(),
                task.state.name().to_owned(),
                task.state.why(),
            ]);
        }
        if table.len() == 1 {
            return String::new();
        }
        let more = self.unfinished().count().saturating_sub(MOST_LISTED);
        let more = if more > 0 {
            format!("  and {more} more\n")
        } else {
            String::new()
        };
        format!(
            "\n{}\n{}{more}\nrun them with: {}\n",
            style.strong("failed and missing"),
            columns(&table, style.width()),
            printable(&self.again)
        )
    }
}

fn terms(fit: &Fit, measure: &Measure) -> Vec<Vec<String>> {
    let head = ["", "estimate", "95 % interval", "t", "p", "counts"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for term in &fit.terms {
        let number = |value: Real| coefficient(measure, &term.of, value);
        let mut row = vec![words::term(term), number(term.estimate)];
        row.extend(match &term.error {
            Some(error) => [
                format!("{} to {}", number(error.low), number(error.high)),
                format::fixed(error.t.get(), 2),
                format::p_value(error.p.get()),
                error.over.name().to_owned(),
            ],
            None => ["—"; 4].map(str::to_owned),
        });
        table.push(row);
    }
    table
}

/// A coefficient of a measure: the constant as the measure is, a difference of shares in percentage points.
pub(crate) fn coefficient(measure: &Measure, of: &TermOf, value: Real) -> String {
    let value = value.get();
    if *of == TermOf::Constant {
        measure.written(value)
    } else if measure.is_share() {
        format!("{}\u{a0}pp", format::fixed(100.0 * value, 1))
    } else {
        format::fixed(value, 3)
    }
}
