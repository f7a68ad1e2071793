//! What a sweep was to run: its factors, and one task a run.

use crate::model::Real;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a sweep varies, and over what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Design {
    /// The sweep's name.
    pub name: String,
    /// What it is for, in its author's words; may be empty.
    pub description: String,
    /// Digest of the list of its tasks, in hexadecimal.
    pub digest: String,
    /// How points were chosen, e.g. `grid` or `random`.
    pub design: String,
    /// The seeds that every point is run with.
    pub seeds: Vec<u64>,
    /// What differs from point to point, in the file's order.
    pub factors: Vec<Factor>,
}

/// One thing that a sweep varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Factor {
    /// Its name in the sweep.
    pub name: String,
    /// The scenario's key that it sets; none if its levels set several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How its values are spaced.
    pub scale: Scale,
}

/// How the values of a factor are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in their logarithms.
    Log,
}

/// The level of a factor at a point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// As written in the sweep.
    pub label: String,
    /// The number that it is, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Real>,
}

/// One run of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// Its name, 16 hexadecimal digits, by the content of its scenario.
    pub id: String,
    /// Its place in the list of tasks.
    pub index: u32,
    /// Its point: tasks of one point differ in the seed only.
    pub point: u32,
    /// The seed of its randomness.
    pub seed: u64,
    /// The level of every factor, by the factor's name.
    pub levels: BTreeMap<String, Level>,
}

/// The design that moves one factor from the first point at a time.
const ONE_AT_A_TIME: &str = "one-at-a-time";

impl Design {
    /// Whether each point differs from the first in one factor, so that no two factors are ever seen together.
    pub(crate) fn is_one_at_a_time(&self) -> bool {
        self.design == ONE_AT_A_TIME
    }

    /// Whether a point tells what `factor` does: in a one-at-a-time design only the points that differ from the first in
    /// nothing else do, for all others move something else at that factor's first level.
    pub(crate) fn tells_of(
        &self,
        factor: &str,
        levels: &BTreeMap<String, Level>,
        first: &BTreeMap<String, Level>,
    ) -> bool {
        let stands =
            |(name, level): (&String, &Level)| name == factor || first.get(name) == Some(level);
        !self.is_one_at_a_time() || levels.iter().all(stands)
    }
}

impl Task {
    /// Its levels in words, in the order of `factors`: `spread = 0.5, protection = record`.
    pub fn in_words(&self, factors: &[Factor]) -> String {
        let words = factors.iter().filter_map(|factor| {
            let level = self.levels.get(&factor.name)?;
            Some(format!("{} = {}", factor.name, level.label))
        });
        words.collect::<Vec<_>>().join(", ")
    }
}
