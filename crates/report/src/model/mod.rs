//! The report as a value.
//!
//! One file a section, in the order in which a reader meets them: who ([`identity`]), what was promised
//! ([`promise`]), what leaked ([`leak`], [`beyond`]), what it cost ([`utility`]), on whom ([`shape`], [`attendance`],
//! [`subject`]),
//! and whether to believe it ([`verdict`], [`audit`]). Beside it stands the audit over runs of its own
//! ([`repeated_audit`]). Numbers are [`Real`] and [`Epsilon`], which JSON can hold
//! even when they are infinite.

pub mod attendance;
pub mod audit;
pub mod beyond;
pub mod identity;
pub mod leak;
pub mod number;
pub mod promise;
pub mod repeated_audit;
pub mod shape;
pub mod subject;
pub mod utility;
pub mod verdict;

pub use attendance::{Attendance, AttendanceRound, CostOfAbsence, MissingSilo};
pub use audit::{Audit, AuditMethod, AuditNature, AuditRound, RoundEstimate, UnitAudit};
pub use beyond::{Exposed, Factor, OverRuns, SiloSource, SourceReport, SurvivalPoint};
pub use identity::{Ending, HowEnded, Identity, Noun, Nouns, Setting, SettingsGroup};
pub use leak::{AttackReport, AttackRound, Leak, Measurement, Regime, RocPoint, TprAtFpr};
pub use number::{Epsilon, Interval, Real};
pub use promise::{
    AccountantBound, Budget, Guarantee, NeighboringRelation, Observer, PrivacyStatement,
    PrivacyUnit, RoundLoss,
};
pub use repeated_audit::{Calls, RepeatedAudit, Scores, Sides};
pub use shape::{PoolSizes, RecordCounts, Shape, SiloShape};
pub use subject::{Holding, Pool, Subject, SubjectScore};
pub use utility::{Baseline, Quality, Utility, UtilityRound};
pub use verdict::{Check, CheckOutcome, Gate, Note, NoteKind, Sense};

use serde::{Deserialize, Serialize};

/// Everything a run found, in the order in which it is told. Holds no timings.
///
/// A run that was cut short, has no attack, no audit or no subject is still a report: the lists are
/// empty and the renderings say what is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`crate::SCHEMA_VERSION`] of the siloscope that wrote this.
    pub schema_version: u32,
    /// Which run this is and how to repeat it.
    pub identity: Identity,
    /// How the run came to its end.
    pub ending: Ending,
    /// What the accountant says.
    pub promise: PrivacyStatement,
    /// What the attacks found.
    pub leak: Leak,
    /// How good the model is.
    pub utility: Utility,
    /// Who took part, and with how much.
    pub shape: Shape,
    /// Who was missing and how long rounds took, where that is worth telling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attendance: Option<Attendance>,
    /// Lower bounds on ε, if the run was audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// Limits that the scenario set, and whether they held.
    pub gates: Vec<Gate>,
    /// What a reader must know before quoting a number.
    pub notes: Vec<Note>,
    /// The resolved scenario, as shown to people.
    pub settings: Vec<SettingsGroup>,
    /// One row a subject, in id order.
    pub subjects: Vec<Subject>,
}

impl RunReport {
    /// Whether every limit held, no check tripped and no audit failed.
    pub fn holds(&self) -> bool {
        self.gates.iter().all(|gate| gate.passed)
            && self.leak.tripped().next().is_none()
            && self.audit.as_ref().is_none_or(Audit::passed)
    }
}
