//! All factors at once.

use crate::format;
use crate::html::Section;
use crate::html::markup::{Table, escaped, fold};
use crate::model::Real;
use crate::sweep::{
    Fit, Measure, Over, Regression, RegressionOutcome, SweepReport, coefficient, term,
};

/// With fewer degrees of freedom than this a table is not to be leant on.
const FEW: u32 = 5;

/// The section; none if the sweep has no factor.
pub(super) fn section(report: &SweepReport) -> Option<Section> {
    if report.design.factors.is_empty() {
        return None;
    }
    let mut body = String::new();
    for measure in report.shown() {
        body += &report.regression(measure).map_or(String::new(), one);
    }
    let others: String = report
        .regressions
        .iter()
        .filter(|regression| regression.measure.auc_regime().is_some())
        .filter(|regression| !report.headlines.contains(&regression.measure))
        .map(one)
        .collect();
    if !others.is_empty() {
        body += &fold("The other attacks’ AUC", &others);
    }
    Some(Section {
        id: "regression",
        title: "All factors at once",
        body,
    })
}

fn one(regression: &Regression) -> String {
    let title = regression.measure.title();
    match &regression.outcome {
        RegressionOutcome::Fit(fit) => table(&regression.measure, fit),
        RegressionOutcome::NotFitted(why) => {
            format!(
                "<p>There is no regression of the {}: {}.</p>",
                escaped(&title),
                escaped(why)
            )
        }
    }
}

fn table(measure: &Measure, fit: &Fit) -> String {
    let over = match fit.over {
        Over::Points => "clustered by point",
        Over::Seeds => {
            "over tasks as if independent, since there are no more points than coefficients"
        }
    };
    let caption = format!(
        "{}: R² {}, {} tasks in {} points, standard errors {over}, t with {} degrees of freedom",
        measure.title(),
        format::fixed(fit.r_squared.get(), 3),
        fit.tasks,
        fit.points,
        fit.degrees
    );
    let head = [
        "term",
        "#estimate",
        "#95 % interval",
        "#standard error",
        "#t",
        "#p",
    ];
    let mut table = Table::new(&caption, &head);
    for entry in &fit.terms {
        let number = |value: Real| coefficient(measure, &entry.of, value);
        table.row([
            term(entry),
            number(entry.estimate),
            format!("{} to {}", number(entry.low), number(entry.high)),
            number(entry.standard_error),
            format::fixed(entry.t.get(), 2),
            format::p_value(entry.p.get()),
        ]);
    }
    let mut html = table.to_html();
    if fit.degrees < FEW {
        html += "<p class=\"aside\">So few degrees of freedom make errors that are small or large by luck: read them with care.</p>";
    }
    for left in &fit.left_out {
        let level = left
            .level
            .as_ref()
            .map_or(String::new(), |level| format!(" = {level}"));
        html += &format!(
            "<p class=\"aside\">{} is left out: {}.</p>",
            escaped(&format!("{}{level}", left.factor)),
            escaped(&left.why)
        );
    }
    html
}
