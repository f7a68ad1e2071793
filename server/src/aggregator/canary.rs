//! Canaries: silos that an auditor plants beside a cohort, with updates of its own choice.
//!
//! A canary's update is longer than the clip norm `C` and pushes one parameter, each canary its own; it is clipped
//! and summed like every other. What the auditor reads is the noised sum at that parameter, less what the cohort
//! added: it may know everybody else's update. The push changes its sign from round to round, which the auditor
//! takes back; to fresh noise that makes no difference, noise used twice it cancels.

use super::noised_sum::clip_factor;
use accounting::ClipNorm;
use primitives::{Probe, Round, SiloId};
use std::collections::BTreeSet;

/// How much longer than `C` a canary's update is before it is clipped.
const RAW_EXCESS: f64 = 10.0;

/// Canaries and where their readings go.
#[derive(Clone, Debug)]
pub struct CentralCanaries {
    /// The canaries.
    pub canaries: Vec<CentralCanary>,
    /// Takes one reading a canary and round, in units of `C`.
    pub probe: Probe,
}

/// One canary of a noised sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CentralCanary {
    /// The parameter that it pushes.
    pub coordinate: u32,
    /// Beside which silos it stands: each of them that takes part in a round lets it push once. One, or as many as
    /// hold a canary subject.
    pub silos: Vec<SiloId>,
    /// Which way they push.
    pub push: Push,
}

/// What the updates of a canary's silos are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// `+C`: the canary is in.
    Forth,
    /// `−C`: a record or subject is out, so its silos send something else.
    Back,
    /// Nothing: the silo itself is out.
    None,
}

impl CentralCanaries {
    /// Adds the canaries to `sum`, and returns what was there before.
    pub(crate) fn push(
        &self,
        round: Round,
        clip: ClipNorm,
        cohort: &BTreeSet<SiloId>,
        sum: &mut [f64],
    ) -> Vec<f64> {
        let raw = RAW_EXCESS * clip.get();
        let update = sign(round) * raw * clip_factor(raw, clip);
        let push = |canary: &CentralCanary| {
            let at = &mut sum[canary.coordinate as usize];
            let before = *at;
            for _ in canary.silos.iter().filter(|&silo| cohort.contains(silo)) {
                *at += match canary.push {
                    Push::Forth => update,
                    Push::Back => -update,
                    Push::None => 0.0,
                };
            }
            before
        };
        self.canaries.iter().map(push).collect()
    }

    /// Reads the noised sum `noised(parameter)`.
    pub(crate) fn read(
        &self,
        round: Round,
        clip: ClipNorm,
        before: &[f64],
        noised: impl Fn(usize) -> f64,
    ) {
        let readings = self.canaries.iter().zip(before).map(|(canary, before)| {
            (sign(round) * (noised(canary.coordinate as usize) - before) / clip.get()) as f32
        });
        self.probe.put(round, None, readings.collect());
    }
}

fn sign(round: Round) -> f64 {
    if round.0.is_multiple_of(2) { 1.0 } else { -1.0 }
}
