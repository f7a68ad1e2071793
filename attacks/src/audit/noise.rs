//! Whether the noise is what the ledger says: its strength, and that none is used twice.
//!
//! The readings of canaries that are out are noise and nothing else: `N(0, σ²)`, independent from canary to canary and
//! from step to step. Sums of their squares follow a χ² law. Pair each reading with a later one and call them `x` and
//! `y`: given all `x`, `Σ x y / (σ √Σ x²)` is a standard normal, exactly. Noise that is used again shows in the pairs.
//!
//! This is no attack and bounds no ε. It asks whether the code does what the ledger says, and a few canaries answer
//! with thousands of readings; a denominator that follows the drawn batch shows too, since it scales the noise.

use crate::interval::{Confidence, standard_normal};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Readings of canaries that are out, of one silo or of the coordinator, as far as they have come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoiseReadings {
    count: u64,
    squares: f64,
    within: Pairs,
    across: Pairs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pairs {
    count: u64,
    products: f64,
    squares: f64,
}

/// What a noise check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoiseCheckKind {
    /// The strength of the noise.
    Strength,
    /// Neighbouring steps of a round.
    FreshInEveryStep,
    /// The same step of two rounds.
    FreshInEveryRound,
}

/// One check's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseCheck {
    /// What was looked at.
    pub kind: NoiseCheckKind,
    /// Readings, or pairs of them.
    pub count: u64,
    /// For the strength: the noise's deviation over the ledger's. For freshness: the correlation of the pairs.
    pub found: f64,
    /// The chance of something at least as unusual, on either side, if the noise is as the ledger says.
    pub p_value: f64,
}

impl NoiseReadings {
    /// Takes in a canary's readings of one round, in units of the noise's deviation by the ledger; `sign` as at
    /// reading, so that what was the same noise is the same number. `before`: its readings of the round before, if this
    /// round closes a pair of rounds.
    pub fn add(&mut self, readings: &[f64], before: Option<&[f64]>) {
        self.count += readings.len() as u64;
        self.squares += readings.iter().map(|x| x * x).sum::<f64>();
        for pair in readings.chunks_exact(2) {
            self.within.add(pair[0], pair[1]);
        }
        for (&x, &y) in before.unwrap_or_default().iter().zip(readings) {
            self.across.add(x, y);
        }
    }

    /// Every check that there are readings for.
    pub fn checks(&self) -> Vec<NoiseCheck> {
        let mut checks = Vec::new();
        if self.count > 0 {
            let below = ChiSquared::new(self.count as f64).map_or(0.5, |law| law.cdf(self.squares));
            checks.push(NoiseCheck {
                kind: NoiseCheckKind::Strength,
                count: self.count,
                found: (self.squares / self.count as f64).sqrt(),
                p_value: (2.0 * below.min(1.0 - below)).clamp(0.0, 1.0),
            });
        }
        for (kind, pairs) in [
            (NoiseCheckKind::FreshInEveryStep, self.within),
            (NoiseCheckKind::FreshInEveryRound, self.across),
        ] {
            if pairs.count > 0 {
                checks.push(pairs.check(kind));
            }
        }
        checks
    }
}

impl Pairs {
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1;
        self.products += x * y;
        self.squares += x * x;
    }

    fn check(self, kind: NoiseCheckKind) -> NoiseCheck {
        // Without any noise the pairs say nothing: the strength does.
        let z = if self.squares > 0.0 {
            self.products / self.squares.sqrt()
        } else {
            0.0
        };
        NoiseCheck {
            kind,
            count: self.count,
            found: self.products / self.squares.max(f64::MIN_POSITIVE),
            p_value: (2.0 * standard_normal().cdf(-z.abs())).min(1.0),
        }
    }
}

impl NoiseCheck {
    /// Whether the noise passes for the ledger's at this confidence.
    pub fn passes(&self, confidence: Confidence) -> bool {
        self.p_value >= confidence.alpha()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::{Role, Seed, Stream};
    use rand::RngExt;

    /// p-values of canaries' noise, of `factor` times the strength; `again` repeats a step's noise in the next one.
    fn p_values(seed: u64, factor: f64, again: bool) -> Vec<f64> {
        let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Canary));
        let mut readings = NoiseReadings::default();
        for _ in 0..10 {
            let mut before: Option<Vec<f64>> = None;
            for _ in 0..4 {
                let draw = |_| {
                    let uniform: f64 = rng.random_range(f64::MIN_POSITIVE..1.0);
                    factor * standard_normal().inverse_cdf(uniform)
                };
                let mut round: Vec<f64> = (0..10).map(draw).collect();
                if again {
                    for pair in round.chunks_exact_mut(2) {
                        pair[1] = pair[0];
                    }
                }
                readings.add(&round, before.as_deref());
                before = if before.is_some() { None } else { Some(round) };
            }
        }
        readings
            .checks()
            .iter()
            .map(|check| check.p_value)
            .collect()
    }

    #[test]
    fn p_values_of_right_noise_are_uniform() {
        // 3 × 400 p-values; below 0.1 lie 120 on average, outside 85 to 160 with a chance below 1e-3.
        let all: Vec<f64> = (0..400)
            .flat_map(|seed| p_values(seed, 1.0, false))
            .collect();
        assert_eq!(all.len(), 1200);
        let low = all.iter().filter(|&&p| p < 0.1).count();
        assert!((85..160).contains(&low), "{low}");
        let least = all.iter().fold(1.0_f64, |least, &p| least.min(p));
        assert!(least > 1e-7, "{least}");
    }

    #[test]
    fn weak_strong_and_reused_noise_is_seen() {
        assert!(p_values(1, 0.8, false)[0] < 1e-6);
        assert!(p_values(1, 1.25, false)[0] < 1e-6);
        assert!(p_values(1, 1.0, true)[1] < 1e-12);
        assert_eq!(p_values(1, 0.0, false)[0], 0.0);
    }
}
