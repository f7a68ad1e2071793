//! The `[data]` table of a scenario.

use crate::{DataError, Dataset, EnrolmentConfig, Source};
use primitives::Seed;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::path::Path;

/// A share between 0 and 1, both included.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fraction(f64);

/// A number that is not a share.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("fraction {0} is outside [0, 1]: it is a share of a whole, e.g. 0.5 is one half")]
pub struct FractionError(f64);

impl Fraction {
    /// A share.
    ///
    /// # Errors
    /// Outside `[0, 1]`.
    pub fn try_new(value: f64) -> Result<Self, FractionError> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(FractionError(value))
        }
    }

    /// The share as a number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Fraction {
    type Error = FractionError;

    fn try_from(value: f64) -> Result<Self, FractionError> {
        Self::try_new(value)
    }
}

impl From<Fraction> for f64 {
    fn from(fraction: Fraction) -> Self {
        fraction.0
    }
}

/// How it is decided who of the evaluated subjects is a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MembershipLaw {
    /// Exactly `member_fraction` of them, rounded, drawn at random.
    #[default]
    Share,
    /// Each by a coin of its own that falls with chance `member_fraction`: what audits in one run need, whose
    /// statistics do not hold if one subject's place tells of another's.
    Coins,
}

impl MembershipLaw {
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands out a reference"
    )]
    const fn is_share(&self) -> bool {
        matches!(self, Self::Share)
    }
}

/// Where the records come from and which part the people in them play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// A built-in set by name, a file, or a generator.
    pub source: Source,
    /// Who is a member and who is not, where somebody else decided it; everyone else is the population.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<EnrolmentConfig>,
    /// Share of the evaluated subjects whose records are trained on; the others are non-members.
    #[serde(default = "DataConfig::member_fraction")]
    pub member_fraction: Fraction,
    /// How it is decided who is a member.
    #[serde(default, skip_serializing_if = "MembershipLaw::is_share")]
    pub membership_law: MembershipLaw,
    /// Share of all subjects who are the population. Unset: the published test split if there is one,
    /// otherwise [`DataConfig::POPULATION_FRACTION`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population_fraction: Option<Fraction>,
    /// Share of each subject's records that is held out from training, rounded up, for the
    /// adversary's fresh records. A subject's last record is never held out.
    #[serde(default = "DataConfig::fresh_fraction")]
    pub fresh_fraction: Fraction,
    /// Records that the adversary holds of a subject, in each regime.
    #[serde(default = "DataConfig::records_per_adversary")]
    pub records_per_adversary: NonZeroU32,
    /// Most records of one subject that are trained on, over all silos; the rest are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_records_per_subject: Option<NonZeroU32>,
    /// Most records of the population that accuracy is measured on, drawn from all of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_test_records: Option<NonZeroU32>,
    /// Most subjects that are members or non-members; the rest are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_subjects: Option<NonZeroU32>,
}

impl DataConfig {
    /// Share of the subjects who are the population when neither the scenario nor the data says.
    pub const POPULATION_FRACTION: f64 = 0.2;

    /// The configuration for `source` with every other key at its default.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            membership: None,
            member_fraction: Self::member_fraction(),
            membership_law: MembershipLaw::Share,
            population_fraction: None,
            fresh_fraction: Self::fresh_fraction(),
            records_per_adversary: Self::records_per_adversary(),
            max_records_per_subject: None,
            max_test_records: None,
            max_subjects: None,
        }
    }

    /// Loads or generates the data. Relative paths are taken from `folder`, the scenario's own;
    /// synthetic data is drawn from `seed`.
    ///
    /// # Errors
    /// If a file cannot be read or holds something that cannot be used.
    pub fn load(&self, folder: &Path, seed: &Seed) -> Result<Dataset, DataError> {
        self.source.load(folder, seed)
    }

    fn member_fraction() -> Fraction {
        Fraction(0.5)
    }

    fn fresh_fraction() -> Fraction {
        Fraction(0.2)
    }

    fn records_per_adversary() -> NonZeroU32 {
        NonZeroU32::new(8).expect("8 is not 0")
    }
}
