//! Numbers as people read them.
//!
//! Bounds are rounded away from flattery: an upper bound on ε up, a lower bound down. A number and its
//! unit are joined by a no-break space.

use crate::model::{
    AuditNature, Epsilon, Interval, Measurement, NeighboringRelation, PrivacyUnit, Regime,
    SurvivalPoint,
};
use crate::model::{Noun, Nouns, Quality};

/// Slack for a decimal number that has no exact binary form, so that 7.1 is not shown as 7.11.
const ROUNDING_SLACK: f64 = 1e-9;

/// `x` in [0, 1] as a percentage with one decimal.
pub(crate) fn percent(x: f64) -> String {
    if x.is_finite() {
        format!("{:.1}\u{a0}%", 100.0 * x)
    } else {
        "—".to_owned()
    }
}

/// A whole percentage where that is exact, e.g. for rates set by hand: 5 %, 0.1 %.
pub(crate) fn rate(x: f64) -> String {
    format!("{}\u{a0}%", trimmed(100.0 * x, 4))
}

/// An upper bound on ε, rounded up to three figures or so.
pub fn epsilon_upper(epsilon: Epsilon) -> String {
    bounded(epsilon, |scaled| {
        (scaled - ROUNDING_SLACK * scaled.max(1.0)).ceil()
    })
}

/// A lower bound on ε, rounded down.
pub(crate) fn epsilon_lower(epsilon: Epsilon) -> String {
    bounded(epsilon, |scaled| {
        (scaled + ROUNDING_SLACK * scaled.max(1.0)).floor()
    })
}

fn bounded(epsilon: Epsilon, round: impl Fn(f64) -> f64) -> String {
    match epsilon.finite() {
        None => "∞".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(nats) => {
            let decimals = match nats {
                n if n < 0.1 => 4,
                n if n < 10.0 => 2,
                n if n < 100.0 => 1,
                _ => 0,
            };
            if nats >= 1e6 {
                let unit = 10_f64.powf(nats.log10().floor() - 2.0);
                return format!("{:.2e}", round(nats / unit) * unit);
            }
            let unit = 10_f64.powi(decimals);
            let rounded = round(nats * unit).max(0.0) / unit;
            format!("{rounded:.*}", decimals.unsigned_abs() as usize)
        }
    }
}

/// δ in short scientific form: `1e-3`, `1.2e-3`.
pub(crate) fn delta(delta: f64) -> String {
    let text = format!("{delta:.1e}");
    text.replace(".0e", "e")
}

/// A count with separators: 10,000.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: "1 silo", "8 silos".
pub(crate) fn counted(n: u64, noun: &Noun) -> String {
    format!(
        "{}\u{a0}{}",
        count(n),
        if n == 1 { &noun.one } else { &noun.many }
    )
}

/// "a digit", "an image".
pub(crate) fn with_article(noun: &str) -> String {
    let vowel = noun
        .chars()
        .next()
        .is_some_and(|c| "aeiouAEIOU".contains(c));
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// A value with `decimals` decimals, or a dash.
pub(crate) fn fixed(x: f64, decimals: usize) -> String {
    if x.is_nan() {
        "—".to_owned()
    } else if x.is_infinite() {
        if x > 0.0 {
            "∞".to_owned()
        } else {
            "−∞".to_owned()
        }
    } else {
        // A minus of the width of a digit; and no minus before a number that rounds to zero.
        let text = format!("{:.decimals$}", x.abs());
        let zero = text.chars().all(|c| c == '0' || c == '.');
        if x < 0.0 && !zero {
            format!("−{text}")
        } else {
            text
        }
    }
}

/// A quality in its own unit: `91.2 %`, or `0.834` for an R².
pub(crate) fn quality(quality: Quality) -> String {
    match quality {
        Quality::Accuracy(accuracy) => percent(accuracy.get()),
        Quality::RSquared(r_squared) => fixed(r_squared.get(), 3),
    }
}

/// A value with at most `decimals` decimals and no zeros at its end.
pub(crate) fn trimmed(x: f64, decimals: usize) -> String {
    let text = fixed(x, decimals);
    if !text.contains('.') {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

/// A number of any size in four figures or so: 0.1235, 2401, 1.2e-5.
pub(crate) fn figures(x: f64) -> String {
    let size = x.abs();
    if size > 0.0 && size.is_finite() && !(1e-4..1e6).contains(&size) {
        let text = format!("{x:.1e}");
        return text.replace(".0e", "e").replace('-', "−");
    }
    let whole = if size >= 1.0 {
        size.log10().floor() as usize
    } else {
        0
    };
    trimmed(x, 4_usize.saturating_sub(whole + usize::from(size >= 1.0)))
}

/// A p-value: 0.032, or < 0.001.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        fixed(p, 3)
    }
}

/// `0.531 [0.490, 0.572]`.
pub(crate) fn interval(interval: &Interval, decimals: usize) -> String {
    format!(
        "{} [{}, {}]",
        fixed(interval.value.get(), decimals),
        fixed(interval.low.get(), decimals),
        fixed(interval.high.get(), decimals)
    )
}

/// A number of either sign with its interval: 0.31 [0.22, 0.40].
pub(crate) fn signed(interval: &Interval) -> String {
    let number = |value: f64| fixed(value, 2);
    format!(
        "{} [{}, {}]",
        number(interval.value.get()),
        number(interval.low.get()),
        number(interval.high.get())
    )
}

/// A measurement, or a dash where it is withheld.
pub(crate) fn measurement(measurement: &Measurement, decimals: usize) -> String {
    match measurement {
        Measurement::Interval(value) => interval(value, decimals),
        Measurement::Value(value) => fixed(value.get(), decimals),
        Measurement::Withheld(_) => "—".to_owned(),
    }
}

/// A share of subjects with its interval, if it has one.
pub(crate) fn share(point: &SurvivalPoint) -> String {
    let share = percent(point.share.get());
    point.interval.map_or(share.clone(), |interval| {
        let ends = [interval.low, interval.high].map(|end| percent(end.get()));
        format!("{share} [{}, {}]", ends[0], ends[1])
    })
}

/// What a number called ε really is.
pub(crate) const fn nature(nature: AuditNature) -> &'static str {
    match nature {
        AuditNature::Bound => "bound",
        AuditNature::IndependentBound => "bound for independent scores",
        AuditNature::NoiseBound => "bound if only the noise's strength is in doubt",
        AuditNature::GaussianBound => "bound if the mechanism is Gaussian",
        AuditNature::Estimate => "estimate",
    }
}

/// A regime in words.
pub(crate) fn regime(regime: Regime) -> &'static str {
    match regime {
        Regime::Fresh => "fresh records",
        Regime::TrainingRecords => "training records",
    }
}

/// A neighbouring relation in words.
pub(crate) fn relation(relation: NeighboringRelation) -> &'static str {
    match relation {
        NeighboringRelation::AddOrRemoveOne => "add or remove one",
        NeighboringRelation::ReplaceOne => "replace one",
        NeighboringRelation::ReplaceSpecial => "replace one by a blank",
    }
}

/// What the scenario calls a unit.
pub(crate) fn unit(unit: PrivacyUnit, nouns: &Nouns) -> &str {
    match unit {
        PrivacyUnit::Record => &nouns.record.one,
        PrivacyUnit::Subject => &nouns.subject.one,
        PrivacyUnit::Silo => &nouns.silo.one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_never_flattered() {
        for (nats, upper, lower) in [
            (7.1, "7.10", "7.10"),
            (7.996, "8.00", "7.99"),
            (8.001, "8.01", "8.00"),
            (42.01, "42.1", "42.0"),
            (1234.5, "1235", "1234"),
            (0.0, "0", "0"),
            (0.000_01, "0.0001", "0.0000"),
            (f64::INFINITY, "∞", "∞"),
        ] {
            assert_eq!(epsilon_upper(nats.into()), upper, "{nats}");
            assert_eq!(epsilon_lower(nats.into()), lower, "{nats}");
        }
    }

    proptest::proptest! {
        /// However large or small, what is shown lies on the safe side, but for the slack.
        #[test]
        fn shown_bounds_bracket_the_number(exponent in -6.0..12.0_f64) {
            let nats = 10_f64.powf(exponent);
            let shown = |text: String| text.parse::<f64>().unwrap();
            proptest::prop_assert!(shown(epsilon_upper(nats.into())) >= nats * (1.0 - 1e-8));
            proptest::prop_assert!(shown(epsilon_lower(nats.into())) <= nats * (1.0 + 1e-8));
        }
    }

    #[test]
    fn counts_and_rates_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(delta(1e-3), "1e-3");
        assert_eq!(delta(1.0 / 836.0), "1.2e-3");
        assert_eq!(rate(0.05), "5\u{a0}%");
        assert_eq!(rate(0.001), "0.1\u{a0}%");
        assert_eq!(percent(0.9123), "91.2\u{a0}%");
        assert_eq!(with_article("image"), "an image");
        assert_eq!(fixed(-0.0123, 2), "−0.01");
        assert_eq!(figures(0.123_456), "0.1235");
        assert_eq!(figures(12.0), "12");
        assert_eq!(figures(-2.345_67), "−2.346");
        assert_eq!(figures(24_013.0), "24013");
        assert_eq!(figures(1.0e-5), "1e−5");
        assert_eq!(figures(0.0), "0");
        assert_eq!(p_value(0.000_2), "< 0.001");
        assert_eq!(p_value(0.0321), "0.032");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(trimmed(1.50, 4), "1.5");
    }
}
