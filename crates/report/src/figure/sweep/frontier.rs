//! Privacy against utility, a dot a point: what is promised, and what leaks.

use super::{axis, point_means, range};
use crate::chart::{Axis, Marker, Plot, Stroke, Tone};
use crate::figure::Figure;
use crate::format;
use crate::model::Epsilon;
use crate::sweep::{Measure, SweepReport, frontier};

/// How groups of points are told apart; those beyond the last share its look.
const LOOKS: [(Tone, Marker); 7] = [
    (Tone::Ink, Marker::Disc),
    (Tone::Record, Marker::Square),
    (Tone::Subject, Marker::Triangle),
    (Tone::Silo, Marker::Diamond),
    (Tone::Fresh, Marker::Disc),
    (Tone::Training, Marker::Triangle),
    (Tone::Other, Marker::Square),
];

/// Utility against ε of the worst-off subject; none if no point has a bound.
pub(crate) fn utility_by_epsilon(report: &SweepReport) -> Option<Figure> {
    let epsilons: Vec<Option<f64>> = report
        .points
        .iter()
        .map(|point| point.epsilon.map(Epsilon::get))
        .collect();
    let finite = || {
        epsilons
            .iter()
            .flatten()
            .copied()
            .filter(|e| e.is_finite() && *e > 0.0)
    };
    let low = finite().reduce(f64::min)?;
    let high = finite().fold(low, f64::max);
    let mut x = Axis::log("ε of the worst-off subject (log scale)", low, high);
    if epsilons.contains(&Some(f64::INFINITY)) {
        x = x.with_infinity();
    }
    let utility = report.utility.as_ref()?.title();
    figure(
        report,
        "sweep-frontier-by-epsilon".to_owned(),
        x,
        &epsilons,
        &format!(
            "Mean {utility} against the largest ε over a point’s seeds: up is a better model, left a stronger promise."
        ),
    )
}

/// Utility against the AUC of a headline.
pub(crate) fn utility_by_auc(report: &SweepReport, headline: &Measure) -> Option<Figure> {
    let (attack, regime) = headline.attack()?;
    let aucs = point_means(report, headline);
    let reference = headline.reference_range();
    let range = range(headline, reference, aucs.iter().flatten().copied())?;
    let label = format!("AUC, {}; 0.5 is chance", format::regime(regime));
    let utility = report.utility.as_ref()?.title();
    figure(
        report,
        format!("sweep-frontier-by-auc-{}", regime.name()),
        axis(headline, &label, range),
        &aucs,
        &format!(
            "Mean {utility} against the mean AUC of {attack}, {}: up is a better model, left a smaller leak.",
            format::regime(regime)
        ),
    )
}

fn figure(
    report: &SweepReport,
    name: String,
    x: Axis,
    across: &[Option<f64>],
    caption: &str,
) -> Option<Figure> {
    let measure = report.utility.as_ref()?;
    let utility = point_means(report, measure);
    let range = range(measure, None, utility.iter().flatten().copied())?;
    let groups = report.groups_of_points();
    let place = |k: usize| Some((across[k]?, utility[k]?));
    let all: Vec<(f64, f64)> = (0..across.len()).filter_map(place).collect();
    if all.is_empty() {
        return None;
    }
    let mut plot = Plot::new(x, axis(measure, &measure.title(), range));
    let edge = frontier(&all);
    let steps = edge
        .windows(2)
        .flat_map(|pair| [pair[0], (pair[1].0, pair[0].1)]);
    let steps: Vec<_> = steps.chain(edge.last().copied()).collect();
    if edge.len() > 1 {
        plot = plot.line("frontier", Tone::Muted, Stroke::Dashed, None, steps);
    }
    let radius = if all.len() > 60 { 3.0 } else { 4.0 };
    let last = LOOKS.len() - 1;
    for (k, (tone, marker)) in LOOKS.into_iter().enumerate() {
        let inside = |point: &usize| groups.of_point[*point].min(last) == k;
        let dots: Vec<_> = (0..across.len())
            .filter(inside)
            .filter_map(place)
            .map(|(x, y)| (x, y, radius))
            .collect();
        if dots.is_empty() {
            continue;
        }
        let label = if k == last && groups.names.len() > LOOKS.len() {
            "others"
        } else {
            &groups.names[k]
        };
        plot = plot.dots(label, tone, marker, 0.75, dots);
    }
    let by = groups.factor.as_ref().map_or(String::new(), |factor| {
        format!(" Dots are points, by {factor}.")
    });
    let edge = if edge.len() > 1 {
        " No point beats those on the frontier in both."
    } else {
        ""
    };
    Some(Figure::new(
        name,
        format!("Scatter plot, a dot a point. {caption}"),
        format!("{caption}{by}{edge}"),
        plot.draw(),
    ))
}
