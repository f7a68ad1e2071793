//! Data sets whose records belong to subjects: loaders, generators, partitioners and pools.
//!
//! A run goes through this crate in five steps, each a value of the one before:
//!
//! 1. [`DataConfig::load`] reads or generates a [`Dataset`]: every record has a label and a subject.
//! 2. [`Pools::draw`] decides who is a member, who is not, and who is the population; [`Pools::listed`] takes it from a
//!    list.
//! 3. A [`Partitioner`], made by [`PartitionConfig::partitioner`], puts the members' training records
//!    into silos: a [`Partition`].
//! 4. [`Spread::of`] counts the records of every subject in every silo, for the accountant.
//! 5. [`AdversaryRecords::draw`] picks the records that the adversary holds of every subject, and [`plain_features`]
//!    describes them without a model.
//!
//! Each step draws from a stream of its own, so that one can be repeated, or varied for a shadow
//! federation, without the others.

mod adversary;
mod builtin;
mod config;
mod dataset;
mod division;
mod enrolment;
mod error;
mod features;
mod labels;
mod load;
mod moments;
mod partition;
mod plain;
mod pools;
mod source;
mod spread;
mod subjects;
mod synthetic;

pub use adversary::AdversaryRecords;
pub use builtin::{BuiltIn, built_ins};
pub use config::{DataConfig, Fraction, FractionError, MembershipLaw};
pub use dataset::{Dataset, DatasetParts, NaturalSilos, Split};
pub use enrolment::{Enrolment, EnrolmentConfig};
pub use error::DataError;
pub use features::{Features, TokenWindows};
pub use labels::{Label, LabelKind, LabelSlice, Labels};
pub use load::{Columns, LabelColumn};
pub use moments::Moments;
pub use partition::{
    BySubject, Dirichlet, Natural, Partition, PartitionConfig, PartitionError, Partitioner,
    Quantity, SpreadConfig,
};
pub use plain::plain_features;
pub use pools::{Pools, PoolsError};
pub use source::{Source, UnknownBuiltIn};
pub use spread::Spread;
pub use subjects::SubjectIndex;
pub use synthetic::{
    GaussianClasses, PerSilo, RecordCount, RecordLaw, RegressionWorld, SequenceWorld, SiloWorld,
    SubjectWorld, SyntheticConfig, SyntheticKind, synthetic_kinds,
};
