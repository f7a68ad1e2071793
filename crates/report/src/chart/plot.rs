//! A plot: two axes, a legend, and marks in between.

use super::axis::Axis;
use super::canvas::{Canvas, Point, TEXT, text_width};
use super::theme::{Stroke, Tone};
use plotters::style::text_anchor::HPos;

/// Size of a plot, in units: one column of a page, legible on a phone.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 300.0;
const ROW: f64 = 20.0;
const SAMPLE: f64 = 24.0;

/// Height that a name along y takes.
const NAME_ROW: f64 = 34.0;

/// Half the width of the bar at the end of a whisker.
const CAP: f64 = 3.0;

/// Opacity of bars: an outline over them must show.
const BAR: f64 = 0.7;

/// The shape of a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    Disc,
    Square,
    Triangle,
    Diamond,
}

enum Mark {
    Line {
        points: Vec<Point>,
        tone: Tone,
        stroke: Stroke,
        marker: Option<Marker>,
    },
    Band {
        points: Vec<(f64, f64, f64)>,
        tone: Tone,
    },
    Dots {
        points: Vec<(f64, f64, f64)>,
        tone: Tone,
        marker: Marker,
        opacity: f64,
    },
    Bars {
        bars: Vec<(f64, f64, f64)>,
        tone: Tone,
    },
    Steps {
        bars: Vec<(f64, f64, f64)>,
        tone: Tone,
    },
    Estimates {
        points: Vec<Estimate>,
        look: Look,
        shift: f64,
    },
    Rule {
        at: f64,
        tone: Tone,
    },
    Post {
        at: f64,
        tone: Tone,
    },
    Names {
        points: Vec<(Point, String)>,
    },
}

/// How a series of estimates is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) tone: Tone,
    pub(crate) stroke: Stroke,
    pub(crate) marker: Marker,
    /// Whether a line joins them; a level is then a number along x, otherwise a name along y.
    pub(crate) joined: bool,
}

/// A value at a level, with its interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) level: f64,
    pub(crate) value: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

enum Sample {
    Line(Tone, Stroke, Option<Marker>),
    Block(Tone),
    Dot(Tone, Marker),
    Nothing,
}

/// A plot under construction. Marks are drawn in the order they are added.
pub(crate) struct Plot {
    x: Axis,
    y: Axis,
    marks: Vec<Mark>,
    legend: Vec<(Sample, String)>,
    height: f64,
}

impl Plot {
    /// An empty plot over two axes.
    pub(crate) fn new(x: Axis, y: Axis) -> Self {
        Self {
            x,
            y,
            marks: Vec::new(),
            legend: Vec::new(),
            height: HEIGHT,
        }
    }

    /// The same plot as high as `rows` names along y need.
    pub(crate) fn with_rows(mut self, rows: usize) -> Self {
        self.height = (rows as f64 * NAME_ROW + 5.0 * ROW).max(0.6 * HEIGHT);
        self
    }

    /// A line with a legend; few points get a marker each, many only the last.
    pub(crate) fn line(
        mut self,
        label: &str,
        tone: Tone,
        stroke: Stroke,
        marker: Option<Marker>,
        points: Vec<Point>,
    ) -> Self {
        self.legend
            .push((Sample::Line(tone, stroke, marker), label.to_owned()));
        self.marks.push(Mark::Line {
            points,
            tone,
            stroke,
            marker,
        });
        self
    }

    /// A band between two curves: (x, low, high). Where bands overlap they are darker.
    pub(crate) fn band(mut self, label: &str, tone: Tone, points: Vec<(f64, f64, f64)>) -> Self {
        if !label.is_empty() {
            self.legend.push((Sample::Block(tone), label.to_owned()));
        }
        self.marks.push(Mark::Band { points, tone });
        self
    }

    /// Estimates with whiskers from end to end of their intervals. They are `shift` units off their levels, so that
    /// two series at the same levels stay apart; a whisker without a bar at its end goes on beyond the axis.
    pub(crate) fn estimates(
        mut self,
        label: &str,
        look: Look,
        shift: f64,
        points: Vec<Estimate>,
    ) -> Self {
        let sample = if look.joined {
            Sample::Line(look.tone, look.stroke, Some(look.marker))
        } else {
            Sample::Dot(look.tone, look.marker)
        };
        if !label.is_empty() {
            self.legend.push((sample, label.to_owned()));
        }
        self.marks.push(Mark::Estimates {
            points,
            look,
            shift,
        });
        self
    }

    /// Dots with a legend, unless it is empty: (x, y, radius).
    pub(crate) fn dots(
        mut self,
        label: &str,
        tone: Tone,
        marker: Marker,
        opacity: f64,
        points: Vec<(f64, f64, f64)>,
    ) -> Self {
        if !label.is_empty() {
            self.legend
                .push((Sample::Dot(tone, marker), label.to_owned()));
        }
        self.marks.push(Mark::Dots {
            points,
            tone,
            marker,
            opacity,
        });
        self
    }

    /// Filled bars from the foot of the plot: (left, right, height).
    pub(crate) fn bars(mut self, label: &str, tone: Tone, bars: Vec<(f64, f64, f64)>) -> Self {
        if !label.is_empty() {
            self.legend.push((Sample::Block(tone), label.to_owned()));
        }
        self.marks.push(Mark::Bars { bars, tone });
        self
    }

    /// The outline of bars, to lie over filled ones.
    pub(crate) fn steps(mut self, label: &str, tone: Tone, bars: Vec<(f64, f64, f64)>) -> Self {
        self.legend
            .push((Sample::Line(tone, Stroke::Solid, None), label.to_owned()));
        self.marks.push(Mark::Steps { bars, tone });
        self
    }

    /// A dotted horizontal line at `at`, with a legend.
    pub(crate) fn rule(mut self, label: &str, tone: Tone, at: f64) -> Self {
        self.legend
            .push((Sample::Line(tone, Stroke::Dotted, None), label.to_owned()));
        self.marks.push(Mark::Rule { at, tone });
        self
    }

    /// A dotted upright line at `at`, with a legend.
    pub(crate) fn post(mut self, label: &str, tone: Tone, at: f64) -> Self {
        self.legend
            .push((Sample::Line(tone, Stroke::Dotted, None), label.to_owned()));
        self.marks.push(Mark::Post { at, tone });
        self
    }

    /// Names beside points, each moved up until it is clear of those before it.
    pub(crate) fn names(mut self, points: Vec<(Point, String)>) -> Self {
        self.marks.push(Mark::Names { points });
        self
    }

    /// A legend for something that cannot be drawn, such as a line at infinity.
    pub(crate) fn remark(mut self, label: &str) -> Self {
        self.legend.push((Sample::Nothing, label.to_owned()));
        self
    }

    /// The picture, in placeholder colours.
    pub(crate) fn draw(&self) -> String {
        let mut svg = String::new();
        let mut canvas = Canvas::new(&mut svg, WIDTH, self.height);
        let rows = self.draw_legend(&mut canvas);
        let widest = self
            .y
            .ticks
            .iter()
            .map(|(_, text)| text_width(text))
            .fold(0.0, f64::max);
        let frame = Frame {
            left: widest + 12.0,
            right: WIDTH - 16.0,
            top: rows as f64 * ROW + ROW + 8.0,
            bottom: self.height - 2.0 * ROW,
            x: &self.x,
            y: &self.y,
        };
        frame.draw_axes(&mut canvas);
        for mark in &self.marks {
            frame.draw_mark(&mut canvas, mark);
        }
        drop(canvas);
        svg
    }

    /// Draws the legend from the top left and says how many rows it took.
    fn draw_legend(&self, canvas: &mut Canvas<'_>) -> usize {
        let (mut x, mut row) = (4.0, 0);
        for (sample, label) in &self.legend {
            let lead = if matches!(sample, Sample::Nothing) {
                0.0
            } else {
                SAMPLE + 6.0
            };
            let width = lead + text_width(label);
            if x > 4.0 && x + width > WIDTH - 4.0 {
                (x, row) = (4.0, row + 1);
            }
            let y = 10.0 + f64::from(row) * ROW;
            let middle = (x + SAMPLE / 2.0, y);
            match *sample {
                Sample::Line(tone, stroke, marker) => {
                    canvas.line(&[(x, y), (x + SAMPLE, y)], tone, stroke, 2.0);
                    if let Some(marker) = marker {
                        draw_marker(canvas, marker, middle, 3.5, tone, 1.0);
                    }
                }
                Sample::Block(tone) => {
                    canvas.bar((x + 6.0, y - 5.0), (x + 18.0, y + 5.0), tone, BAR);
                }
                Sample::Dot(tone, marker) => draw_marker(canvas, marker, middle, 4.0, tone, 1.0),
                Sample::Nothing => {}
            }
            canvas.text(label, (x + lead, y), HPos::Left, Tone::Ink);
            x += width + 16.0;
        }
        if self.legend.is_empty() {
            0
        } else {
            row as usize + 1
        }
    }
}

/// The rectangle between the axes.
struct Frame<'a> {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: &'a Axis,
    y: &'a Axis,
}

impl Frame<'_> {
    fn at(&self, (x, y): Point) -> Point {
        (
            self.left + self.x.place(x) * (self.right - self.left),
            self.bottom - self.y.place(y) * (self.bottom - self.top),
        )
    }

    fn draw_axes(&self, canvas: &mut Canvas<'_>) {
        canvas.text(
            &self.y.label,
            (4.0, self.top - ROW + 4.0),
            HPos::Left,
            Tone::Muted,
        );
        let across = |y| [(self.left, y), (self.right, y)];
        for (value, text) in &self.y.ticks {
            let y = self.bottom - self.y.place(*value) * (self.bottom - self.top);
            canvas.line(&across(y), Tone::Grid, Stroke::Solid, 1.0);
            canvas.text(text, (self.left - 6.0, y), HPos::Right, Tone::Muted);
        }
        canvas.line(&across(self.bottom), Tone::Muted, Stroke::Solid, 1.0);
        let mut free_from = f64::NEG_INFINITY;
        for (value, text) in &self.x.ticks {
            let x = self.left + self.x.place(*value) * (self.right - self.left);
            canvas.line(
                &[(x, self.bottom), (x, self.bottom + 4.0)],
                Tone::Muted,
                Stroke::Solid,
                1.0,
            );
            let half = text_width(text) / 2.0;
            if x - half > free_from && x + half <= WIDTH {
                canvas.text(text, (x, self.bottom + 13.0), HPos::Center, Tone::Muted);
                free_from = x + half + 4.0;
            }
        }
        let middle = f64::midpoint(self.left, self.right);
        canvas.text(
            &self.x.label,
            (middle, self.bottom + 2.0 * ROW - 0.5 * TEXT - 1.0),
            HPos::Center,
            Tone::Muted,
        );
    }

    fn draw_names(&self, canvas: &mut Canvas<'_>, points: &[(Point, String)]) {
        // Every point is in the way of every name.
        let mut taken: Vec<(f64, f64, f64)> = points
            .iter()
            .map(|(point, _)| self.at(*point))
            .map(|(x, y)| (x - 6.0, x + 6.0, y))
            .collect();
        for (point, name) in points {
            let (x, y) = self.at(*point);
            let width = text_width(name);
            // To the left where the right edge is near.
            let left = if x + 8.0 + width > WIDTH {
                x - 8.0 - width
            } else {
                x + 8.0
            };
            let mut row = y;
            while taken
                .iter()
                .any(|&(from, to, at)| left < to && left + width > from && (at - row).abs() < TEXT)
            {
                row -= TEXT;
            }
            taken.push((left, left + width, row));
            canvas.text(name, (left, row), HPos::Left, Tone::Ink);
        }
    }

    fn draw_estimates(&self, canvas: &mut Canvas<'_>, points: &[Estimate], look: Look, shift: f64) {
        let place = |level: f64, value: f64| {
            if look.joined {
                let (x, y) = self.at((level, value));
                (x + shift, y)
            } else {
                let (x, y) = self.at((value, level));
                (x, y + shift)
            }
        };
        let ends = if look.joined { self.y } else { self.x };
        for point in points {
            let Some((low, high)) = point.interval else {
                continue;
            };
            let whisker = [low, high].map(|end| place(point.level, end));
            canvas.line(&whisker, look.tone, Stroke::Solid, 1.5);
            for (value, (x, y)) in [low, high].into_iter().zip(whisker) {
                if ends.is_outside(value) {
                    continue;
                }
                let cap = if look.joined {
                    [(x - CAP, y), (x + CAP, y)]
                } else {
                    [(x, y - CAP), (x, y + CAP)]
                };
                canvas.line(&cap, look.tone, Stroke::Solid, 1.5);
            }
        }
        let middles: Vec<Point> = points.iter().map(|p| place(p.level, p.value)).collect();
        if look.joined && middles.len() > 1 {
            canvas.line(&middles, look.tone, look.stroke, 2.0);
        }
        for middle in middles {
            draw_marker(canvas, look.marker, middle, 4.0, look.tone, 1.0);
        }
    }

    fn draw_mark(&self, canvas: &mut Canvas<'_>, mark: &Mark) {
        match mark {
            Mark::Line {
                points,
                tone,
                stroke,
                marker,
            } => {
                let points: Vec<Point> = points.iter().map(|&point| self.at(point)).collect();
                if points.len() > 1 {
                    canvas.line(&points, *tone, *stroke, 2.0);
                }
                if let Some(marker) = marker {
                    let from = if points.len() <= 12 {
                        0
                    } else {
                        points.len() - 1
                    };
                    for &point in &points[from..] {
                        draw_marker(canvas, *marker, point, 3.5, *tone, 1.0);
                    }
                }
            }
            Mark::Band { points, tone } => {
                let upper = points.iter().map(|&(x, _, high)| self.at((x, high)));
                let lower = points.iter().rev().map(|&(x, low, _)| self.at((x, low)));
                match points[..] {
                    [] => {}
                    [(x, low, high)] => {
                        canvas.line(
                            &[self.at((x, low)), self.at((x, high))],
                            *tone,
                            Stroke::Solid,
                            1.0,
                        );
                    }
                    _ => canvas.area(&upper.chain(lower).collect::<Vec<_>>(), *tone, 0.18),
                }
            }
            Mark::Dots {
                points,
                tone,
                marker,
                opacity,
            } => {
                for &(x, y, radius) in points {
                    draw_marker(canvas, *marker, self.at((x, y)), radius, *tone, *opacity);
                }
            }
            Mark::Bars { bars, tone } => {
                for &(left, right, height) in bars.iter().filter(|bar| bar.2 > 0.0) {
                    let (from, to) = (self.at((left, height)), self.at((right, 0.0)));
                    let gap = ((to.0 - from.0) * 0.06).min(1.0);
                    canvas.bar(
                        (from.0 + gap, from.1),
                        (to.0 - gap, self.bottom),
                        *tone,
                        BAR,
                    );
                }
            }
            Mark::Steps { bars, tone } => {
                let mut outline = Vec::with_capacity(2 * bars.len() + 2);
                outline.extend(bars.first().map(|bar| self.at((bar.0, 0.0))));
                for &(left, right, height) in bars {
                    outline.extend([self.at((left, height)), self.at((right, height))]);
                }
                outline.extend(bars.last().map(|bar| self.at((bar.1, 0.0))));
                canvas.line(&outline, *tone, Stroke::Solid, 2.0);
            }
            Mark::Names { points } => self.draw_names(canvas, points),
            Mark::Estimates {
                points,
                look,
                shift,
            } => self.draw_estimates(canvas, points, *look, *shift),
            Mark::Post { at, tone } => {
                let x = self.at((*at, 0.0)).0;
                let ends = [(x, self.top), (x, self.bottom)];
                canvas.line(&ends, *tone, Stroke::Dotted, 1.5);
            }
            Mark::Rule { at, tone } => {
                let y = self.at((0.0, *at)).1;
                canvas.line(
                    &[(self.left, y), (self.right, y)],
                    *tone,
                    Stroke::Dotted,
                    1.5,
                );
            }
        }
    }
}

fn draw_marker(
    canvas: &mut Canvas<'_>,
    marker: Marker,
    at: Point,
    r: f64,
    tone: Tone,
    opacity: f64,
) {
    let (x, y) = at;
    match marker {
        Marker::Disc => canvas.disc(at, r, tone, opacity),
        Marker::Square => {
            let side = 0.9 * r;
            canvas.bar((x - side, y - side), (x + side, y + side), tone, opacity);
        }
        Marker::Triangle => {
            let corners = [
                (x, y - 1.2 * r),
                (x + 1.1 * r, y + 0.8 * r),
                (x - 1.1 * r, y + 0.8 * r),
            ];
            canvas.area(&corners, tone, opacity);
        }
        Marker::Diamond => {
            let corners = [
                (x, y - 1.3 * r),
                (x + 1.3 * r, y),
                (x, y + 1.3 * r),
                (x - 1.3 * r, y),
            ];
            canvas.area(&corners, tone, opacity);
        }
    }
}
