//! Worlds with a known answer.

#![allow(dead_code, reason = "each test file uses a part of it")]

use primitives::{Role, Round, Seed, SiloId, Stream, SubjectId};
use rand::{Rng, RngExt};
use siloscope_attacks::{
    AttackSubjects, Membership, Queries, RecordRegime, RoundSignals, ShadowDesign, ShadowSignals,
    SignalKind, Signals, SiloRound, SiloSignalKind, SiloSignals,
};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};
use std::collections::{BTreeMap, BTreeSet};

/// One standard normal draw, by inversion.
pub(crate) fn gaussian(rng: &mut impl Rng) -> f64 {
    Normal::standard().inverse_cdf(rng.random_range(f64::MIN_POSITIVE..1.0))
}

/// How often a statistical experiment is repeated.
pub(crate) const REPEATS: u32 = 1000;

/// A test of a chance fails by accident this often.
const FALSE_ALARM: f64 = 1e-6;

/// Fewest of [`REPEATS`] experiments in which an event of at least this chance happens, but for a chance of 1e-6.
pub(crate) fn fewest(chance: f64) -> u64 {
    let law = Binomial::new(chance, u64::from(REPEATS)).unwrap();
    let counts = 0..=u64::from(REPEATS);
    let enough = |&count: &u64| law.cdf(count) > FALSE_ALARM;
    counts.clone().find(enough).unwrap_or(*counts.end())
}

/// Most of [`REPEATS`] experiments in which an event of at most this chance happens, but for a chance of 1e-6.
pub(crate) fn most(chance: f64) -> u64 {
    u64::from(REPEATS) - fewest(1.0 - chance)
}

/// Subjects 0, 2, 4, … are members, the others are not; ten of each are known.
pub(crate) fn subjects(count: u32) -> AttackSubjects {
    let all = Membership::try_new(
        (0..count).step_by(2).map(SubjectId),
        (1..count).step_by(2).map(SubjectId),
    );
    let mut rng = Seed::from_number(0).stream(Stream::run(Role::Adversary));
    AttackSubjects::choose(&all.unwrap(), 10, &mut rng).unwrap()
}

/// `rounds + 1` rounds of signals for `count` subjects with one to five records each.
///
/// Every record has a difficulty; losses come down by a factor a round, and for members by `gap` more in
/// total, in nats on the margin.
pub(crate) fn signals(seed: u64, count: u32, rounds: u32, gap: f64) -> Signals {
    federation(seed, 0, count, rounds, gap, &|subject| {
        subject.0.is_multiple_of(2)
    })
}

fn federation(
    seed: u64,
    noise: u64,
    count: u32,
    rounds: u32,
    gap: f64,
    is_member: &dyn Fn(SubjectId) -> bool,
) -> Signals {
    let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Generate));
    let sizes: BTreeMap<_, _> = (0..count).map(|id| (SubjectId(id), 1 + id % 5)).collect();
    let mut difficulty = Vec::new();
    for (&subject, &records) in &sizes {
        let own = gaussian(&mut rng);
        let records = (0..records).map(|_| (is_member(subject), own + gaussian(&mut rng)));
        difficulty.extend(records.collect::<Vec<_>>());
    }
    let mut rng = Seed::from_number(seed)
        .child(Role::Noise, noise)
        .stream(Stream::run(Role::Noise));
    let mut signals = Signals::new(RecordRegime::Fresh, Queries::try_new(&sizes).unwrap());
    for round in 0..=rounds {
        let progress = f64::from(round) / f64::from(rounds.max(1));
        let margins: Vec<f64> = difficulty
            .iter()
            .map(|&(member, hard)| {
                let gain = 2.0 + if member { gap } else { 0.0 };
                progress * gain - 3.0 - hard + 0.3 * gaussian(&mut rng)
            })
            .collect();
        signals.push(round_signals(round, &margins)).unwrap();
    }
    signals
}

/// `runs` shadow runs over the same subjects, each with its own members, `gap` more for those.
///
/// Difficulties are those of `signals(seed, …)`: a shadow run asks about the same records.
pub(crate) fn shadows(seed: u64, count: u32, rounds: u32, gap: f64, runs: usize) -> ShadowSignals {
    let everybody = (0..count).map(SubjectId).collect();
    let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Shadow));
    let design = ShadowDesign::balanced(&everybody, runs, &mut rng).unwrap();
    let run = |(k, members): (usize, &BTreeSet<SubjectId>)| {
        let noise = 1 + k as u64;
        federation(seed, noise, count, rounds, gap, &|subject| {
            members.contains(&subject)
        })
    };
    let runs = design.runs().iter().enumerate().map(run).collect();
    ShadowSignals::try_new(design, runs).unwrap()
}

/// Cosine, gradient difference and loss of five silos over `rounds` rounds: silo `s mod 5` holds member `s`
/// and shows `gap` deviations more.
pub(crate) fn silo_signals(seed: u64, count: u32, rounds: u32, gap: f64) -> SiloSignals {
    let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Generate));
    let subjects: Vec<_> = (0..count).map(SubjectId).collect();
    let mut signals = SiloSignals::new(RecordRegime::Fresh, subjects);
    for round in 1..=rounds {
        let silos = (0..5).map(|silo| {
            let mut column = |sign: f64| {
                let own = |id: u32| {
                    if id.is_multiple_of(2) && id % 5 == silo {
                        gap
                    } else {
                        0.0
                    }
                };
                (0..count)
                    .map(|id| (sign * (own(id) + gaussian(&mut rng))) as f32)
                    .collect()
            };
            let kinds = BTreeMap::from([
                (SiloSignalKind::Cosine, column(1.0)),
                (SiloSignalKind::GradientDifference, column(1.0)),
                (SiloSignalKind::Loss, column(-1.0)),
            ]);
            (SiloId(silo), kinds)
        });
        signals
            .push(SiloRound {
                round: Round(round),
                silos: silos.collect(),
            })
            .unwrap();
    }
    signals
}

/// Two plain features of each subject that no model had a part in.
pub(crate) fn features(count: u32) -> BTreeMap<SubjectId, Vec<f64>> {
    let row = |id: u32| vec![f64::from(id * 37 % 101), f64::from(1 + id % 5)];
    (0..count).map(|id| (SubjectId(id), row(id))).collect()
}

/// Loss, probability, margin, neighbourhood loss and gradient norm that belong to these margins.
pub(crate) fn round_signals(round: u32, margins: &[f64]) -> RoundSignals {
    let column = |of: fn(f64) -> f64| margins.iter().map(|&m| of(m) as f32).collect::<Vec<_>>();
    let loss = |m: f64| (-m).exp().ln_1p();
    let columns = BTreeMap::from([
        (SignalKind::Loss, column(loss)),
        (
            SignalKind::Probability,
            column(|m| 1.0 / (1.0 + (-m).exp())),
        ),
        (SignalKind::Margin, column(|m| m)),
        (
            SignalKind::NeighbourhoodLoss,
            column(|m| (0.1 - m).exp().ln_1p()),
        ),
        (SignalKind::GradientNorm, column(|m| 1.0 / (1.0 + m.exp()))),
    ]);
    RoundSignals {
        round: Round(round),
        columns,
    }
}
