//! An axis: a range, where its ticks are and what they say.

use crate::format;

/// An axis, linear or logarithmic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(super) label: String,
    low: f64,
    high: f64,
    log: bool,
    infinite: bool,
    pub(super) ticks: Vec<(f64, String)>,
}

/// Steps that people count in.
const NICE: [f64; 5] = [1.0, 2.0, 2.5, 5.0, 10.0];

/// How much of an axis with a place for ∞ is left to the other numbers.
const FINITE_SHARE: f64 = 0.88;

/// Share of an axis of given ticks that is left free before the first and after the last.
const ROOM: f64 = 0.06;

/// Characters of a name that fit beside a plot.
const LONGEST_NAME: usize = 22;

impl Axis {
    /// From `low` to `high`, widened to whole steps; about `ticks` ticks.
    pub(crate) fn linear(label: &str, low: f64, high: f64, ticks: usize) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = nice_step((high - low) / ticks as f64, &NICE);
        let (low, high) = (
            (low / step + 1e-9).floor() * step,
            (high / step - 1e-9).ceil() * step,
        );
        Self::stepped(label, low, high, step)
    }

    /// Rounds `0..=last`: whole steps, and the range not widened.
    pub(crate) fn rounds(last: u32) -> Self {
        Self::counts("round", 0.0, f64::from(last.max(1)))
    }

    /// Whole numbers from `low` to `high`, not widened.
    pub(crate) fn counts(label: &str, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = nice_step((high - low) / 8.0, &[1.0, 2.0, 5.0, 10.0]).max(1.0);
        Self::stepped(label, low, high, step)
    }

    fn stepped(label: &str, low: f64, high: f64, step: f64) -> Self {
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let decimals = (0..6)
            .find(|&d| is_whole(step * 10_f64.powi(d)))
            .unwrap_or(6);
        let ticks = (first..=last)
            .map(|k| k as f64 * step)
            .map(|at| (at, separated(at, decimals.unsigned_abs() as usize)))
            .collect();
        Self {
            label: label.to_owned(),
            low,
            high,
            log: false,
            infinite: false,
            ticks,
        }
    }

    /// From `low` to `high`, both positive, widened to whole decades or to 1–2–5 steps.
    pub(crate) fn log(label: &str, low: f64, high: f64) -> Self {
        let low = low.max(1e-12);
        let high = high.max(low * 10.0);
        let narrow = high / low < 300.0;
        let steps: &[f64] = if narrow { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let all: Vec<f64> = (low.log10().floor() as i32..=high.log10().ceil() as i32)
            .flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)))
            .collect();
        let first = all
            .iter()
            .rposition(|&at| at <= low * (1.0 + 1e-9))
            .unwrap_or(0);
        let last = all
            .iter()
            .position(|&at| at >= high * (1.0 - 1e-9))
            .unwrap_or(all.len() - 1);
        let shown = &all[first..=last];
        let ticks = shown.iter().map(|&at| (at, short(at))).collect();
        Self {
            label: label.to_owned(),
            low: shown[0],
            high: shown[shown.len() - 1],
            log: true,
            infinite: false,
            ticks,
        }
    }

    /// Ticks at `values` and nowhere else, called `texts`; some room on either side.
    pub(crate) fn at(label: &str, values: &[f64], texts: &[String], log: bool) -> Self {
        let scale = |x: f64| if log { x.ln() } else { x };
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let room = ROOM * (scale(high) - scale(low));
        let moved = |x: f64, by: f64| if log { (x.ln() + by).exp() } else { x + by };
        Self {
            label: label.to_owned(),
            low: moved(low, -room),
            high: if high > low {
                moved(high, room)
            } else {
                low + 1.0
            },
            log,
            infinite: false,
            ticks: values.iter().copied().zip(texts.iter().cloned()).collect(),
        }
    }

    /// One place for each of `names`, 0, 1, …; as the upright axis the first is at the top.
    pub(crate) fn names(label: &str, names: &[String]) -> Self {
        let name = |(k, name): (usize, &String)| (k as f64, shortened(name, LONGEST_NAME));
        Self {
            label: label.to_owned(),
            low: names.len() as f64 - 0.5,
            high: -0.5,
            log: false,
            infinite: false,
            ticks: names.iter().enumerate().map(name).collect(),
        }
    }

    /// Whether `value` lies beyond either end.
    pub(super) fn is_outside(&self, value: f64) -> bool {
        value < self.low.min(self.high) || value > self.low.max(self.high)
    }

    /// The same axis with a place for ∞ beyond its end.
    pub(crate) fn with_infinity(mut self) -> Self {
        self.infinite = true;
        self.ticks.push((f64::INFINITY, "∞".to_owned()));
        self
    }

    /// The same axis with its ticks written as percentages.
    pub(crate) fn percent(mut self) -> Self {
        for (at, text) in &mut self.ticks {
            *text = format!("{}%", format::trimmed(100.0 * *at, 4));
        }
        self
    }

    /// Where `value` lies on the axis: 0 at its start, 1 at its end, held inside.
    pub(super) fn place(&self, value: f64) -> f64 {
        let end = if self.infinite { FINITE_SHARE } else { 1.0 };
        if value.is_infinite() && value > 0.0 {
            return 1.0;
        }
        let scale = |x: f64| if self.log { x.max(self.low).ln() } else { x };
        let (low, high) = (scale(self.low), scale(self.high));
        end * ((scale(value) - low) / (high - low)).clamp(0.0, 1.0)
    }
}

/// The first characters of `text`, if need be with a mark that there are more.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let head: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", head.trim_end())
}

fn is_whole(x: f64) -> bool {
    (x - x.round()).abs() < 1e-9
}

fn nice_step(at_least: f64, steps: &[f64]) -> f64 {
    let power = 10_f64.powf(at_least.max(1e-12).log10().floor());
    steps
        .iter()
        .map(|step| step * power)
        .find(|&step| step >= at_least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

fn separated(at: f64, decimals: usize) -> String {
    if decimals == 0 && at.abs() >= 10_000.0 {
        format!(
            "{}{}",
            if at < 0.0 { "−" } else { "" },
            format::count(at.abs() as u64)
        )
    } else if at < 0.0 {
        format!("−{:.decimals$}", -at)
    } else {
        format!("{:.decimals$}", at + 0.0)
    }
}

fn short(at: f64) -> String {
    if (1e-3..1e5).contains(&at) {
        format::trimmed(at, 4)
    } else {
        format!("{at:.0e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            texts(&Axis::linear("", 0.43, 0.71, 6)),
            [
                "0.40", "0.45", "0.50", "0.55", "0.60", "0.65", "0.70", "0.75"
            ]
        );
        assert_eq!(
            texts(&Axis::rounds(30)),
            ["0", "5", "10", "15", "20", "25", "30"]
        );
        assert_eq!(texts(&Axis::rounds(1)), ["0", "1"]);
        assert_eq!(texts(&Axis::rounds(0)), ["0", "1"]);
        assert_eq!(
            texts(&Axis::log("", 0.5, 12.0)),
            ["0.5", "1", "2", "5", "10", "20"]
        );
        assert_eq!(
            texts(&Axis::log("", 0.001, 1.0).percent()),
            ["0.1%", "1%", "10%", "100%"]
        );
        assert_eq!(
            texts(&Axis::linear("", 0.0, 1.0, 5).percent()),
            ["0%", "20%", "40%", "60%", "80%", "100%"]
        );
    }

    #[test]
    fn given_ticks_and_names_have_their_places() {
        let texts_of = |axis: &Axis| axis.ticks.iter().map(|t| t.1.clone()).collect::<Vec<_>>();
        let levels = ["1", "10", "100"].map(str::to_owned);
        let axis = Axis::at("f", &[1.0, 10.0, 100.0], &levels, true);
        assert_eq!(texts_of(&axis), levels);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-12);
        assert!(axis.place(1.0) > 0.04 && axis.place(100.0) < 0.96);
        assert!(axis.is_outside(0.1) && !axis.is_outside(1.0));
        let one = Axis::at("f", &[3.0], &levels[..1], false);
        assert!(one.place(3.0).is_finite());

        let names = [
            "none".to_owned(),
            "a level with far too long a name".to_owned(),
        ];
        let axis = Axis::names("f", &names);
        assert_eq!(texts_of(&axis), ["none", "a level with far too…"]);
        assert!((axis.place(0.0) - 0.75).abs() < 1e-12 && (axis.place(1.0) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn places_run_from_start_to_end() {
        let axis = Axis::log("", 0.01, 1.0);
        assert!((axis.place(0.1) - 0.5).abs() < 1e-12);
        assert!(axis.place(0.0).abs() < 1e-12 && (axis.place(9.0) - 1.0).abs() < 1e-12);
    }
}
