//! The table `[sweep]` as it is written.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How one scenario becomes many: factors, the levels they take, which combinations are run, and with which seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepConfig {
    /// Which combinations of levels are run.
    #[serde(default)]
    pub design: Design,
    /// Seeds of every point.
    #[serde(default)]
    pub seeds: Seeds,
    /// With `design = "random"`: how many points are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draws: Option<u32>,
    /// With `design = "random"`: the seed of the draws; the scenario's own if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The factors.
    #[serde(default)]
    pub axes: Vec<Axis>,
    /// With `design = "list"`: every point, as the level of each axis by the axis's name.
    #[serde(default)]
    pub points: Vec<BTreeMap<String, toml::Value>>,
}

/// Which combinations of the axes' levels are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Every level of every axis with every other.
    #[default]
    Grid,
    /// The first levels of all axes together, then the second ones, and so on.
    Zip,
    /// The first level of every axis, and each other level with all other axes at their first.
    OneAtATime,
    /// The points that are written down.
    List,
    /// Points drawn by the seed: each axis on its own, uniform over its levels or its range.
    Random,
}

impl Design {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Zip => "zip",
            Self::OneAtATime => "one-at-a-time",
            Self::List => "list",
            Self::Random => "random",
        }
    }
}

/// The seeds every point is run with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Seeds {
    /// So many, counted up from the scenario's own.
    Count(u32),
    /// These.
    These(Vec<u64>),
}

impl Default for Seeds {
    fn default() -> Self {
        Self::Count(1)
    }
}

/// One factor of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// What reports call it; the last part of its key if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The key of the scenario that it changes, as a dotted path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The values that the key takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<toml::Value>,
    /// With `design = "random"`: the least and the greatest value that may be drawn; whole numbers draw whole numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[toml::Value; 2]>,
    /// How a range is drawn from, and how figures space the axis.
    #[serde(default)]
    pub scale: Scale,
    /// Named levels that change several keys at once, instead of `key` and `values`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<NamedLevel>,
}

/// How the values of an axis are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in their logarithms.
    Log,
}

/// A level that has a name and changes several keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedLevel {
    /// Its name.
    pub name: String,
    /// What it changes: values by dotted path, in the order of the paths, so that a table goes before what lies in it.
    pub set: BTreeMap<String, toml::Value>,
}

impl Axis {
    /// What reports call it.
    pub fn name(&self) -> &str {
        let key = self.key.as_deref().unwrap_or_default();
        let last = key.rsplit('.').next().unwrap_or_default();
        self.name.as_deref().unwrap_or(last)
    }
}
