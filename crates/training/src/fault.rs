//! Planted faults: what audits must catch. Compiled with the feature `planted-faults` alone, for tests of the audits.
//!
//! Each leaves [`LocalPlan::mechanism`](crate::LocalPlan::mechanism), and so the ledger, as it was: the ledger says
//! what should have been done, the silo does something else.

use primitives::SiloId;

/// A mistake that DP-SGD implementations have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The noise has half its deviation.
    NoiseHalved,
    /// Every step of a round adds the same noise.
    NoiseReused,
    /// The mean gradient of a batch is clipped, not each unit's.
    ClipPerBatch,
    /// The sum is divided by the batch that was drawn, not by the one that was expected.
    RealisedDenominator,
    /// Units join twice as often as the ledger says.
    RateDoubled,
    /// One silo adds no noise.
    ForgetfulSilo(SiloId),
}

impl Fault {
    /// All faults by their names; the forgetful silo is silo 0.
    pub const ALL: [(&'static str, Self); 6] = [
        ("noise-halved", Self::NoiseHalved),
        ("noise-reused", Self::NoiseReused),
        ("clip-per-batch", Self::ClipPerBatch),
        ("realised-denominator", Self::RealisedDenominator),
        ("rate-doubled", Self::RateDoubled),
        ("forgetful-silo", Self::ForgetfulSilo(SiloId(0))),
    ];
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, fault)| *fault).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("no fault {name:?}; there are {}", names.join(", "))
        })
    }
}
