//! Which record lies in which silo.
//!
//! A [`Partitioner`] is a law that puts the training records of the members into silos. Every record
//! lies in exactly one silo and no silo is empty. A [`SpreadConfig`] says over how many
//! silos the records of one subject scatter.

mod deal;
mod dirichlet;
mod natural;
mod quantity;
mod spread;
mod subject;

pub(crate) use deal::{choose_silos, draw_index};
pub(crate) use dirichlet::proportions;
pub(crate) use quantity::homes;

pub use dirichlet::Dirichlet;
pub use natural::Natural;
pub use quantity::Quantity;
pub use spread::SpreadConfig;
pub use subject::BySubject;

use crate::{Dataset, SubjectIndex};
use primitives::{RecordId, SiloId};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// A law that puts records into silos.
pub trait Partitioner {
    /// Puts the records of `subjects` into the silos `0..silos`, each into exactly one.
    ///
    /// # Errors
    /// If a silo would be empty, or the data lacks what the law goes by.
    fn partition(
        &self,
        dataset: &Dataset,
        subjects: &SubjectIndex,
        silos: u32,
        rng: &mut dyn Rng,
    ) -> Result<Partition, PartitionError>;
}

/// The key `partition` of `[federation]`: the law by name. By default subjects are dealt out evenly.
///
/// Laws without numbers are written `{}`, so that a key they do not have is refused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PartitionConfig {
    /// Subjects are dealt out evenly.
    Subject {},
    /// Records stay in the silo that the data names.
    Natural {},
    /// Silos differ in their share of every class.
    Dirichlet {
        /// Concentration: 100 is nearly even, 0.1 leaves a silo few classes.
        alpha: f64,
    },
    /// Silos differ in size.
    Quantity {
        /// Silo `i` (from 1) gets a share of the subjects in proportion to `1 / i^exponent`.
        exponent: f64,
    },
}

impl Default for PartitionConfig {
    fn default() -> Self {
        Self::Subject {}
    }
}

impl PartitionConfig {
    /// The law, with `spread` over the silos; without, a subject lies wholly in one silo (under
    /// `dirichlet`: its records go wherever their classes do).
    ///
    /// # Errors
    /// If a number is out of range, or records stay in their natural silos and are to spread too.
    pub fn partitioner(
        &self,
        spread: Option<SpreadConfig>,
    ) -> Result<Box<dyn Partitioner>, PartitionError> {
        if let Some(spread) = spread {
            spread.check()?;
        }
        match *self {
            Self::Subject {} => Ok(Box::new(BySubject { spread })),
            Self::Natural {} if spread.is_some() => Err(PartitionError::NaturalSpread),
            Self::Natural {} => Ok(Box::new(Natural)),
            Self::Dirichlet { alpha } if alpha.is_finite() && alpha > 0.0 => {
                Ok(Box::new(Dirichlet { alpha, spread }))
            }
            Self::Dirichlet { alpha } => Err(PartitionError::Alpha(alpha)),
            Self::Quantity { exponent } if exponent.is_finite() && exponent >= 0.0 => {
                Ok(Box::new(Quantity { exponent, spread }))
            }
            Self::Quantity { exponent } => Err(PartitionError::Exponent(exponent)),
        }
    }
}

/// Records that cannot be put into silos as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PartitionError {
    /// There is no silo at all, or more than a seed can tell apart.
    #[error("federation.silos = {0}; allowed is 1 to 16777216")]
    Silos(u32),
    /// A silo has no record.
    #[error(
        "{silo} of {silos} is empty: {subjects} members bring {records} training records; use fewer silos, \
         more members (data.member_fraction), a wider spread or a milder skew"
    )]
    EmptySilo {
        /// The first silo without a record.
        silo: SiloId,
        /// Silos asked for.
        silos: u32,
        /// Members with a training record.
        subjects: usize,
        /// Training records.
        records: usize,
    },
    /// Silos are to differ in their share of every class, and numbers are predicted.
    #[error(
        "{data} has targets and no classes, so partition.kind = \"dirichlet\" has nothing to go by; use \
         partition.kind = \"subject\" or \"quantity\""
    )]
    NoClasses {
        /// The data set.
        data: String,
    },
    /// Natural silos are asked for and the data names none.
    #[error(
        "{data} names no silos, so partition.kind = \"natural\" has nothing to go by; name a silo column in \
         data.source or use partition.kind = \"subject\""
    )]
    NoNaturalSilos {
        /// The data set.
        data: String,
    },
    /// The data names another number of silos.
    #[error(
        "{data} names {natural} silos, federation.silos = {silos}; with partition.kind = \"natural\" write \
         silos = {natural}"
    )]
    NaturalCount {
        /// The data set.
        data: String,
        /// Silos in the data.
        natural: usize,
        /// Silos asked for.
        silos: u32,
    },
    /// A natural silo has no training record.
    #[error(
        "natural silo {name:?} of {data} has no training record of a member; raise data.member_fraction or \
         data.max_subjects, change the seed, or leave that silo out of the data"
    )]
    EmptyNaturalSilo {
        /// The data set.
        data: String,
        /// The silo's name.
        name: String,
    },
    /// Natural silos and a spread exclude each other.
    #[error(
        "federation.spread has no meaning with partition.kind = \"natural\": each record stays in the silo that \
         the data names; leave spread out"
    )]
    NaturalSpread,
    /// A subject is to lie in more silos than there are.
    #[error(
        "federation.spread asks for {spread} silos a subject, federation.silos = {silos}; lower the spread"
    )]
    SpreadTooWide {
        /// Silos a subject.
        spread: u32,
        /// Silos in the federation.
        silos: u32,
    },
    /// A spread over no silo.
    #[error("federation.spread asks for 0 silos a subject; allowed is at least 1")]
    SpreadZero,
    /// Dirichlet concentration out of range.
    #[error(
        "partition.alpha = {0}; allowed is a finite number above 0, e.g. 0.5 (strong label skew) or 100 (nearly even)"
    )]
    Alpha(f64),
    /// Exponent of a power law out of range.
    #[error("exponent {0}; allowed is a finite number of at least 0, where 0 is even")]
    Exponent(f64),
}

/// Which records lie in which silo: each in one, none in two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    silos: Vec<Vec<RecordId>>,
}

impl Partition {
    /// Takes the silo of every record and checks that no silo is empty.
    pub(crate) fn try_new(
        silos: u32,
        subjects: &SubjectIndex,
        placed: impl Iterator<Item = (RecordId, SiloId)>,
    ) -> Result<Self, PartitionError> {
        let mut lists = vec![Vec::new(); silos as usize];
        for (record, silo) in placed {
            lists[silo.index()].push(record);
        }
        if let Some(empty) = lists.iter().position(Vec::is_empty) {
            return Err(PartitionError::EmptySilo {
                silo: SiloId(empty as u32),
                silos,
                subjects: subjects.subjects().count(),
                records: subjects.all_records().len(),
            });
        }
        for list in &mut lists {
            list.sort_unstable();
        }
        Ok(Self { silos: lists })
    }

    /// The records of `silo`, in id order.
    ///
    /// # Panics
    /// If the federation has no such silo.
    pub fn records(&self, silo: SiloId) -> &[RecordId] {
        &self.silos[silo.index()]
    }

    /// The silos, in id order.
    pub fn silos(&self) -> impl Iterator<Item = SiloId> + use<> {
        (0..self.silos.len() as u32).map(SiloId)
    }

    /// How many silos there are.
    pub fn len(&self) -> usize {
        self.silos.len()
    }

    /// Whether there are none; never true, for a federation has a silo.
    pub fn is_empty(&self) -> bool {
        self.silos.is_empty()
    }
}

/// At least one silo, and no more than stream numbers have room for.
fn check_silos(silos: u32) -> Result<(), PartitionError> {
    if (1..=1 << 24).contains(&silos) {
        Ok(())
    } else {
        Err(PartitionError::Silos(silos))
    }
}
