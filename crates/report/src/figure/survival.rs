//! How many subjects are found how often, over the shadow federations.

use super::Figure;
use super::leak::look;
use crate::RunReport;
use crate::chart::{Axis, Plot, Stroke, Tone};
use crate::format;
use crate::model::{Regime, SurvivalPoint};

/// Share of subjects whose own AUC is at least so large, under the attack with the largest mean AUC over the runs.
pub(crate) fn survival(report: &RunReport, regime: Regime) -> Option<Figure> {
    let all = report.leak.over_runs.iter();
    let best = all
        .filter(|over| over.regime == regime && over.survival.len() > 1)
        .max_by(|a, b| a.auc.get().total_cmp(&b.auc.get()))?;
    let nouns = &report.identity.nouns;
    let of = |share: fn(&SurvivalPoint) -> f64| -> Vec<(f64, f64)> {
        let points = best.survival.iter();
        points
            .map(|point| (point.auc.get(), share(point)))
            .collect()
    };
    let subjects = format!("{} with at least that", nouns.subject.many);
    let mut plot = Plot::new(
        Axis::linear("own AUC over the federations", 0.0, 1.0, 5),
        Axis::linear(&subjects, 0.0, 1.0, 5).percent(),
    );
    let between = |point: &SurvivalPoint| {
        let share = point.interval?;
        Some((point.auc.get(), share.low.get(), share.high.get()))
    };
    let band: Vec<(f64, f64, f64)> = best.survival.iter().filter_map(between).collect();
    if !band.is_empty() {
        plot = plot.band("95 % interval of the share", look(regime).0, band);
    }
    let plot = plot
        .line(
            "if nothing leaked",
            Tone::Ink,
            Stroke::Dotted,
            None,
            of(|point| point.by_luck.get()),
        )
        .line(
            format::regime(regime),
            look(regime).0,
            look(regime).1,
            None,
            of(|point| point.share.get()),
        );
    Some(Figure::new(
        format!("survival-{}", regime.name()),
        format!(
            "Survival curve of each subject's own AUC under {}.",
            best.title
        ),
        format!(
            "{}, {}: share of {} by their own AUC over {} federations. What lies above the dotted line is exposed \
             beyond luck. The band is the share's Clopper–Pearson interval, point by point: how far it would vary among \
             as many others.",
            best.title,
            format::regime(regime),
            nouns.subject.many,
            best.runs
        ),
        plot.draw(),
    ))
}
