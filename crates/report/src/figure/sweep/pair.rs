//! Two factors at a time: a grid of means.

use super::range;
use crate::chart::{Grid, Tone};
use crate::figure::Figure;
use crate::figure::leak::look;
use crate::format;
use crate::model::Real;
use crate::sweep::{Measure, Pair, SweepReport};

/// The means of a pair. Shades are the same in all figures of one kind of measure.
pub(crate) fn pair(report: &SweepReport, pair: &Pair) -> Option<Figure> {
    let alike = |other: &Pair| match pair.measure {
        Measure::Auc { .. } => matches!(other.measure, Measure::Auc { .. }),
        _ => other.measure == pair.measure,
    };
    let means = report
        .pairs
        .iter()
        .filter(|other| alike(other))
        .flat_map(|other| other.means.iter().flatten().flatten())
        .map(|mean| mean.get());
    let (low, high) = range(&pair.measure, pair.measure.reference_range(), means)?;
    // Below chance there is no leak to shade.
    let shades = (pair.measure.chance().unwrap_or(low), high);
    let cells: Vec<Vec<Option<f64>>> = pair
        .means
        .iter()
        .map(|row| row.iter().map(|cell| cell.and_then(Real::finite)).collect())
        .collect();
    let longest = |names: &[String]| names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    let tone = pair
        .measure
        .attack()
        .map_or(Tone::Record, |(_, regime)| look(regime).0);
    // Long names have room beside the grid only.
    let turned = longest(&pair.columns) > longest(&pair.rows);
    let [first, second] = &pair.factors;
    let grid = if turned {
        let columns = (0..pair.columns.len())
            .map(|c| cells.iter().map(|row| row[c]).collect())
            .collect();
        (second, first, &pair.columns, &pair.rows, columns)
    } else {
        (first, second, &pair.rows, &pair.columns, cells)
    };
    let (down, across, rows, columns, cells) = grid;
    let title = pair.measure.title();
    let picture = Grid {
        what: title.clone(),
        down: down.clone(),
        across: across.clone(),
        rows: rows.clone(),
        columns: columns.clone(),
        cells,
        range: shades,
        write: |value| format::fixed(value, 2),
        tone,
    };
    let share = pair.explained.map_or(String::new(), |share| {
        format!(
            " Both explain {} of its variance",
            format::percent(share.get())
        )
    });
    let more = pair.interplay.filter(|_| pair.explained.is_some());
    let more = more.map_or(String::new(), |more| {
        format!(", {} only together", format::percent(more.get()))
    });
    let end = if share.is_empty() { "" } else { "." };
    Some(Figure::new(
        format!("sweep-{}-by-{first}-and-{second}", slug(&pair.measure)),
        format!("Grid of the mean {title} by {first} and {second}."),
        format!("Mean {title} by {down} (down) and {across} (across).{share}{more}{end}"),
        picture.draw(),
    ))
}

fn slug(measure: &Measure) -> String {
    match measure.attack() {
        Some((_, regime)) => format!("auc-{}", regime.name()),
        None => "utility".to_owned(),
    }
}
