//! All factors at once.

use crate::format;
use crate::html::Section;
use crate::html::markup::{Table, escaped, fold};
use crate::model::Real;
use crate::sweep::{
    Fit, Measure, Over, Regression, RegressionOutcome, SweepReport, coefficient, term,
};

/// With fewer degrees of freedom than this an error is not to be leant on.
const FEW: f64 = 5.0;

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
    let caption = format!(
        "{}: R² {}, {} tasks in {} points",
        measure.title(),
        format::fixed(fit.r_squared.get(), 3),
        fit.tasks,
        fit.points,
    );
    let head = [
        "term",
        "#estimate",
        "#95 % interval",
        "#standard error",
        "#t",
        "#degrees",
        "#p",
        "counts",
    ];
    let mut table = Table::new(&caption, &head);
    for entry in &fit.terms {
        let number = |value: Real| coefficient(measure, &entry.of, value);
        let mut row = vec![term(entry), number(entry.estimate)];
        row.extend(match &entry.error {
            Some(error) => [
                format!("{} to {}", number(error.low), number(error.high)),
                number(error.standard_error),
                format::fixed(error.t.get(), 2),
                format::trimmed(error.degrees.get(), 1),
                format::p_value(error.p.get()),
                error.over.name().to_owned(),
            ],
            None => ["—"; 6].map(str::to_owned),
        });
        table.row(row);
    }
    let mut html = table.to_html();
    let errors = || fit.terms.iter().map(|term| term.error);
    let over = |over| errors().flatten().any(|error| error.over == over);
    for (is, note) in [
        (
            over(Over::Seeds),
            "Where seeds are counted a term leans on a level of a single point: it holds for these points alone, and says nothing about others like them.",
        ),
        (
            errors().any(|error| error.is_none()),
            "—: the term leans on a level of a single task, or of seeds that agree, and nothing tells how that varies.",
        ),
        (
            errors().flatten().any(|error| error.degrees.get() < FEW),
            "Fewer than five degrees of freedom make errors that are small or large by luck: read them with care.",
        ),
    ] {
        if is {
            html += &format!("<p class=\"aside\">{note}</p>");
        }
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
