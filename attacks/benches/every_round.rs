//! Attacks on what a run and its shadows recorded: 1,000 subjects, 16 shadows, round after round.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use primitives::{Role, Round, Seed, Stream, SubjectId, normal};
use siloscope_attacks::{
    AttackConfig, AttackReport, AttackSubjects, Confidence, Evidence, Membership, Queries,
    RecordRegime, RoundSignals, ShadowDesign, ShadowSignals, SignalKind, Signals, ThreatModel,
    View,
};
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

const SUBJECTS: u32 = 1_000;
const RECORDS: u32 = 8;
const ROUNDS: u32 = 100;
const SHADOWS: usize = 16;

/// Losses and margins of a run in which members are a little below the others.
fn run(seed: u64, members: &BTreeSet<SubjectId>) -> Signals {
    let counts = (0..SUBJECTS).map(|id| (SubjectId(id), RECORDS)).collect();
    let mut signals = Signals::new(RecordRegime::Fresh, Queries::try_new(&counts).unwrap());
    let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Generate));
    let mut noise = vec![0.0; (SUBJECTS * RECORDS) as usize];
    for round in 0..=ROUNDS {
        normal::fill(&mut rng, &mut noise);
        let loss = |(i, noise): (usize, &f64)| {
            let member = members.contains(&SubjectId(i as u32 / RECORDS));
            (noise.abs() + if member { 0.9 } else { 1.0 }) as f32
        };
        let losses: Vec<f32> = noise.iter().enumerate().map(loss).collect();
        let margins = losses.iter().map(|loss| -loss).collect();
        let columns = BTreeMap::from([(SignalKind::Loss, losses), (SignalKind::Margin, margins)]);
        let round = Round(round);
        signals.push(RoundSignals { round, columns }).unwrap();
    }
    signals
}

fn attacks(c: &mut Criterion) {
    let everyone: BTreeSet<_> = (0..SUBJECTS).map(SubjectId).collect();
    let mut rng = Seed::from_number(1).stream(Stream::run(Role::Shadow));
    let design = ShadowDesign::balanced(&everyone, SHADOWS, &mut rng).unwrap();
    let runs = (0..).zip(design.runs()).map(|(k, members)| run(k, members));
    let shadows = ShadowSignals::try_new(design.clone(), runs.collect()).unwrap();
    let members: BTreeSet<_> = everyone.iter().copied().filter(|s| s.0 % 2 == 0).collect();
    let others = everyone.difference(&members).copied();
    let all = Membership::try_new(members.iter().copied(), others).unwrap();
    let subjects = AttackSubjects::choose(&all, 10, &mut rng).unwrap();
    let signals = run(99, &members);
    let threat = ThreatModel {
        view: View::EveryRound,
        regime: RecordRegime::Fresh,
    };
    let mut group = c.benchmark_group("attack-every-round");
    group.sample_size(10);
    for kind in ["loss-threshold", "lira", "rmia"] {
        let config: AttackConfig =
            serde_json::from_str(&format!(r#"{{"kind":"{kind}"}}"#)).unwrap();
        let attack = &config.attacks(Seed::from_number(1))[0];
        group.bench_function(format!("{kind}/{SUBJECTS}x{ROUNDS}"), |b| {
            let report = || AttackReport::new(attack.as_ref(), threat, Confidence::NINETY_FIVE);
            b.iter_batched(
                report,
                |mut report| {
                    for round in signals.rounds() {
                        let round = round.round;
                        let evidence =
                            Evidence::new(threat.view, &signals, round, subjects.known()).unwrap();
                        let evidence = evidence.with_shadows(&shadows);
                        report
                            .attack(attack.as_ref(), &evidence, &subjects)
                            .unwrap();
                    }
                    black_box(report)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, attacks);
criterion_main!(benches);
