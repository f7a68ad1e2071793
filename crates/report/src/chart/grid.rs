//! A grid: a number in each cell, the darker the greater.

use super::axis::shortened;
use super::canvas::{Canvas, TEXT, text_width};
use super::theme::Tone;
use plotters::style::text_anchor::HPos;

const WIDTH: f64 = 440.0;
const TOP: f64 = 58.0;
const ROW: f64 = 28.0;
const LINE: f64 = 15.0;

/// The widest that a cell gets.
const WIDEST: f64 = 92.0;

/// The widest that names of rows get.
const WIDEST_NAME: f64 = 150.0;

/// Opacity of the least and the greatest value: letters must show on both, in the light and in the dark.
const SHADES: (f64, f64) = (0.05, 0.55);

/// Steps of the scale above the grid.
const STEPS: usize = 6;

/// A grid of numbers.
pub(crate) struct Grid {
    /// What the numbers are, e.g. "AUC of loss-threshold".
    pub(crate) what: String,
    /// What rows are.
    pub(crate) down: String,
    /// What columns are.
    pub(crate) across: String,
    /// Name of each row, from the top.
    pub(crate) rows: Vec<String>,
    /// Name of each column.
    pub(crate) columns: Vec<String>,
    /// Value of each cell, row by row; none is left blank.
    pub(crate) cells: Vec<Vec<Option<f64>>>,
    /// Where shades begin and end. What lies beyond is shaded like the end.
    pub(crate) range: (f64, f64),
    /// How a number is written.
    pub(crate) write: fn(f64) -> String,
    /// In which colour.
    pub(crate) tone: Tone,
}

impl Grid {
    /// The picture, in placeholder colours.
    pub(crate) fn draw(&self) -> String {
        let rows: Vec<String> = self
            .rows
            .iter()
            .map(|name| fitting(name, WIDEST_NAME))
            .collect();
        let widest = rows.iter().map(|name| text_width(name)).fold(0.0, f64::max);
        let left = widest + 14.0;
        let columns = self.columns.len().max(1);
        let width = ((WIDTH - left - 8.0) / columns as f64).min(WIDEST);
        let names: Vec<Vec<String>> = self
            .columns
            .iter()
            .map(|name| broken(name, width - 4.0))
            .collect();
        let lines = names.iter().map(Vec::len).max().unwrap_or(0) as f64;
        let bottom = TOP + ROW * rows.len() as f64;
        let height = bottom + LINE * lines + 30.0;

        let mut svg = String::new();
        let mut canvas = Canvas::new(&mut svg, WIDTH, height);
        self.draw_scale(&mut canvas);
        canvas.text(&self.down, (4.0, TOP - 10.0), HPos::Left, Tone::Muted);
        for (r, (name, cells)) in rows.iter().zip(&self.cells).enumerate() {
            let top = TOP + ROW * r as f64;
            let middle = top + ROW / 2.0;
            canvas.text(name, (left - 6.0, middle), HPos::Right, Tone::Muted);
            for (c, cell) in cells.iter().enumerate() {
                let start = left + width * c as f64;
                let centre = (start + width / 2.0, middle);
                let Some(value) = *cell else {
                    canvas.text("·", centre, HPos::Center, Tone::Muted);
                    continue;
                };
                let (from, to) = (
                    (start + 1.0, top + 1.0),
                    (start + width - 1.0, top + ROW - 1.0),
                );
                canvas.bar(from, to, self.tone, self.shade(value));
                let text = (self.write)(value);
                if text_width(&text) <= width {
                    canvas.text(&text, centre, HPos::Center, Tone::Ink);
                }
            }
        }
        for (c, name) in names.iter().enumerate() {
            let middle = left + width * (c as f64 + 0.5);
            for (k, line) in name.iter().enumerate() {
                let y = bottom + 11.0 + LINE * k as f64;
                canvas.text(line, (middle, y), HPos::Center, Tone::Muted);
            }
        }
        let half = text_width(&self.across) / 2.0;
        let middle = (left + width * columns as f64 / 2.0)
            .min(WIDTH - half)
            .max(half);
        let foot = (middle, height - 0.5 * TEXT - 2.0);
        canvas.text(&self.across, foot, HPos::Center, Tone::Muted);
        drop(canvas);
        svg
    }

    fn shade(&self, value: f64) -> f64 {
        let (low, high) = self.range;
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        SHADES.0 + (SHADES.1 - SHADES.0) * share
    }

    /// What is shown, and which shade is which number.
    fn draw_scale(&self, canvas: &mut Canvas<'_>) {
        canvas.text(&self.what, (4.0, 10.0), HPos::Left, Tone::Ink);
        let (low, high) = self.range;
        let text = (self.write)(low);
        canvas.text(&text, (4.0, 29.0), HPos::Left, Tone::Muted);
        let mut x = 4.0 + text_width(&text) + 6.0;
        for step in 0..STEPS {
            let value = low + (high - low) * step as f64 / (STEPS - 1) as f64;
            canvas.bar((x, 23.0), (x + 16.0, 35.0), self.tone, self.shade(value));
            x += 17.0;
        }
        let text = (self.write)(high);
        canvas.text(&text, (x + 5.0, 29.0), HPos::Left, Tone::Muted);
    }
}

/// `text`, cut so that it is at most `width` wide.
fn fitting(text: &str, width: f64) -> String {
    (1..=text.chars().count())
        .rev()
        .map(|length| shortened(text, length))
        .find(|text| text_width(text) <= width)
        .unwrap_or_default()
}

/// `text` in at most three lines, each at most `width` wide: broken after spaces, hyphens and slashes, and cut where
/// that is not enough.
fn broken(text: &str, width: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in text.split_inclusive([' ', '-', '/', '–']) {
        let last = lines.last_mut().expect("there is a line");
        if last.is_empty() || text_width(&format!("{last}{part}")) <= width {
            last.push_str(part);
        } else {
            lines.push(part.to_owned());
        }
    }
    if lines.len() > 3 {
        let rest = lines.split_off(2).concat();
        lines.push(rest);
    }
    lines
        .iter()
        .map(|line| fitting(line.trim_end(), width))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_broken_where_words_end() {
        assert_eq!(broken("averaged-gradient", 70.0), ["averaged-", "gradient"]);
        assert_eq!(broken("0.5", 30.0), ["0.5"]);
        assert_eq!(broken("averaged-gradient", 200.0), ["averaged-gradient"]);
        let narrow = broken("subject sampling with many words", 30.0);
        assert!(
            narrow.len() == 3 && narrow.iter().all(|line| text_width(line) <= 30.0),
            "{narrow:?}"
        );
        assert!(narrow[2].ends_with('…'));
    }

    #[test]
    fn every_value_is_written_and_no_value_is_marked() {
        let grid = Grid {
            what: "AUC".to_owned(),
            down: "spread".to_owned(),
            across: "protection".to_owned(),
            rows: vec!["0".to_owned(), "1".to_owned()],
            columns: vec!["none".to_owned(), "record".to_owned()],
            cells: vec![vec![Some(0.5), Some(0.75)], vec![None, Some(2.0)]],
            range: (0.5, 1.0),
            write: |x| crate::format::fixed(x, 2),
            tone: Tone::Subject,
        };
        let svg = grid.draw();
        for text in ["0.50", "0.75", "2.00", "·", "none", "spread", "protection"] {
            assert!(svg.contains(&format!("\n{text}\n")), "{text}: {svg}");
        }
        assert!((grid.shade(9.0) - 0.55).abs() < 1e-12 && (grid.shade(0.0) - 0.05).abs() < 1e-12);
    }
}
