//! What the bytes of every message are. A changed line here is a new [`PROTOCOL_VERSION`].

use crate::{frame, hex, keys, read, update, wire};
use primitives::{Digest, ModelVector, Round, SiloId};
use secure_sum::{FromMember, Opened, ToMember};
use siloscope_protocol::{
    Compression, Decline, FinishReason, Join, Masking, Message, PROTOCOL_VERSION, Refusal,
    SiloUpdate, Summand, Task, ToCoordinator, ToSilo, UpdateMetrics, Welcome,
};
use std::collections::BTreeSet;

/// Holds messages against their bytes.
fn hold<M: Message + Clone + std::fmt::Debug>(
    cases: impl IntoIterator<Item = (M, impl AsRef<str>)>,
    compression: Compression,
) {
    for (message, golden) in cases {
        let found = wire(message.clone(), compression);
        assert_eq!(found, golden.as_ref(), "{message:?}");
    }
}

fn digest() -> Digest {
    Digest::of(b"plan")
}

#[test]
fn golden_bytes_of_messages_to_a_silo() {
    assert_eq!(PROTOCOL_VERSION, 5);
    let task = Task {
        round: Round(3),
        model: ModelVector::from(vec![1.0, -0.5]),
        clip_norm: None,
    };
    let cases = [
        (
            ToSilo::Welcome(Welcome {
                round: Round(3),
                rounds: 30,
                asked: Some(Round(2)),
            }),
            "0000031e010200",
        ),
        (
            ToSilo::Train(task),
            "0001030000010200 0100000000000000803f000000bf",
        ),
        (
            ToSilo::Refuse(Refusal::WrongRound {
                expected: Round(3),
                found: Round(2),
            }),
            "000206030200",
        ),
        (ToSilo::Finish(FinishReason::RoundsDone), "00030000"),
        (
            ToSilo::Finish(FinishReason::QuorumLost {
                round: Round(3),
                accepted: 1,
                quorum: 2,
            }),
            "00030203010200",
        ),
    ];
    hold(cases, Compression::None);
}

#[test]
fn golden_bytes_of_messages_to_the_coordinator() {
    let text = hex(digest().to_string().as_bytes());
    let join = Join {
        version: PROTOCOL_VERSION,
        silo: SiloId(2),
        plan: digest(),
    };
    let open = SiloUpdate {
        releases: Vec::new(),
        metrics: UpdateMetrics::Open {
            records: 300,
            mean_loss: Some(2.0),
        },
        ..update()
    };
    let half = "000000000000e03f";
    let one = "000000000000f03f";
    let two = "0000000000000040";
    let delta = "010200 0100000000000000803f000000bf";
    let cases = [
        (ToCoordinator::Join(join), format!("0000050240{text}00")),
        (
            ToCoordinator::Update(update()),
            format!("0001030200{one}000103{half}{one}1400{delta}"),
        ),
        (
            ToCoordinator::Update(open),
            format!("0001030200{one}000001fb2c0101{two}{delta}"),
        ),
        (
            ToCoordinator::Decline {
                round: Round(3),
                reason: Decline::AlreadySpent { last: Round(4) },
            },
            "000203010400".to_owned(),
        ),
    ];
    hold(cases, Compression::None);
}

/// Both directions of a masked sum; keys and shares are bytes as they are.
#[test]
fn golden_bytes_of_masked_sums() {
    let (round, attempt) = (Round(3), 1);
    let down = |step| {
        ToSilo::Masking(Masking {
            round,
            attempt,
            step,
        })
    };
    let up = |step| {
        ToCoordinator::Masking(Masking {
            round,
            attempt,
            step,
        })
    };
    let (silo, other) = (SiloId(2), SiloId(4));
    let shown = format!("{}{}{}", "01".repeat(32), "02".repeat(32), "03".repeat(32));
    let cases = [
        (down(ToMember::Begin), "000403010000".to_owned()),
        (
            down(ToMember::Keys([(silo, keys(1))].into())),
            format!("00040301010102{shown}00"),
        ),
        (
            down(ToMember::Shares([].into())),
            "00040301020000".to_owned(),
        ),
        (
            down(ToMember::Survivors([silo, other].into())),
            "000403010302020400".to_owned(),
        ),
    ];
    hold(cases, Compression::None);
    let opened = Opened {
        own_masks: [(silo, [5; 32])].into(),
        mask_keys: [(other, [6; 32])].into(),
    };
    let (own, key) = ("05".repeat(32), "06".repeat(32));
    let summand = Summand {
        update: SiloUpdate {
            delta: ModelVector::default(),
            ..update()
        },
        attempt,
        values: vec![1, u32::MAX].into(),
    };
    let head = "0003030200000000000000f03f000103000000000000e03f000000000000f03f140001";
    let cases = [
        (
            up(FromMember::Keys(keys(1))),
            format!("0004030100{shown}00"),
        ),
        (
            up(FromMember::Shares([].into())),
            "00040301010000".to_owned(),
        ),
        (
            up(FromMember::Opened(opened)),
            format!("00040301020102{own}0104{key}00"),
        ),
        (
            ToCoordinator::Summand(summand),
            format!("{head}00010203 01000000000001000000ffffffff"),
        ),
    ];
    hold(cases, Compression::Fp16Zstd);
}

/// One vector in every form: its outline's last byte is the format, its chunk's sixth byte says zstd.
#[test]
fn golden_bytes_of_compressed_updates() {
    let head = "0001030200000000000000f03f000103000000000000e03f000000000000f03f1400";
    let cases = [
        (Compression::Fp16, "010201 010000000000003c00b8"),
        (Compression::Int8, "010202 0100000000000402013c7fc0"),
    ];
    for (compression, rest) in cases {
        let found = wire(ToCoordinator::Update(update()), compression);
        assert_eq!(found.strip_prefix(head), Some(rest), "{compression:?}");
    }
}

const ONE: &str = "000000000000f03f";
const TWO: &str = "0000000000000040";

/// Where a variant stands: its first byte. A variant without a line here does not compile, and one without golden bytes
/// fails.
const fn place_of_refusal(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::ProtocolVersion { .. } => 0,
        Refusal::PlanDigest { .. } => 1,
        Refusal::UnknownSilo { .. } => 2,
        Refusal::Identity { .. } => 3,
        Refusal::NotJoined { .. } => 4,
        Refusal::Malformed => 5,
        Refusal::WrongRound { .. } => 6,
        Refusal::NotInCohort { .. } => 7,
        Refusal::OutOfRound { .. } => 8,
        Refusal::WrongShape { .. } => 9,
        Refusal::NotFinite => 10,
        Refusal::Weight { .. } => 11,
        Refusal::UnplannedMechanism => 12,
        Refusal::UnplannedMetrics => 13,
        Refusal::HugeUpdate { .. } => 14,
        Refusal::Flood { .. } => 15,
        Refusal::Sight { .. } => 16,
        Refusal::SumStep => 17,
        Refusal::UnplannedClipNorm => 18,
    }
}

const fn place_of_decline(decline: Decline) -> u8 {
    match decline {
        Decline::BudgetReached => 0,
        Decline::AlreadySpent { .. } => 1,
        Decline::UnsafeSum => 2,
        Decline::TrainingFailed => 3,
        Decline::SumForgotten => 4,
    }
}

const fn place_of_end(reason: &FinishReason) -> u8 {
    match reason {
        FinishReason::RoundsDone => 0,
        FinishReason::BudgetReached => 1,
        FinishReason::QuorumLost { .. } => 2,
        FinishReason::WrongShares { .. } => 3,
        FinishReason::Diverged { .. } => 4,
    }
}

/// Holds messages against their bytes, each of which begins with `head` and the place of its variant, and no place up to
/// `last` is left out.
fn hold_every<M: Message + Clone + PartialEq + std::fmt::Debug>(
    head: &str,
    last: u8,
    cases: Vec<(u8, M, String)>,
) {
    let places: BTreeSet<u8> = cases.iter().map(|&(place, ..)| place).collect();
    assert!(places.into_iter().eq(0..=last));
    for (place, message, fields) in cases {
        let golden = format!("{head}{place:02x}{fields}00");
        assert_eq!(
            wire(message.clone(), Compression::None),
            golden,
            "{message:?}"
        );
        let bytes: Vec<u8> = (0..golden.len() / 2)
            .map(|at| u8::from_str_radix(&golden[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        assert_eq!(read::<M>(&[frame(&bytes)]), Ok(Some(message)));
    }
}

#[test]
fn golden_bytes_of_every_refusal() {
    let (silo, round) = (SiloId(9), Round(3));
    let (coordinator, other) = (digest(), Digest::of(b"another"));
    let text = |digest: Digest| format!("40{}", hex(digest.to_string().as_bytes()));
    let cases = [
        (
            Refusal::ProtocolVersion {
                coordinator: 5,
                silo: 4,
            },
            "0504".to_owned(),
        ),
        (
            Refusal::PlanDigest {
                coordinator,
                silo: other,
            },
            text(coordinator) + &text(other),
        ),
        (Refusal::UnknownSilo { silo }, "09".to_owned()),
        (
            Refusal::Identity {
                link: SiloId(1),
                named: SiloId(2),
            },
            "0102".to_owned(),
        ),
        (Refusal::NotJoined { silo }, "09".to_owned()),
        (Refusal::Malformed, String::new()),
        (
            Refusal::WrongRound {
                expected: Round(3),
                found: Round(300),
            },
            "03fb2c01".to_owned(),
        ),
        (Refusal::NotInCohort { round }, "03".to_owned()),
        (Refusal::OutOfRound { round }, "03".to_owned()),
        (
            Refusal::WrongShape {
                expected: 7,
                found: 70_000,
            },
            "07fc70110100".to_owned(),
        ),
        (Refusal::NotFinite, String::new()),
        (
            Refusal::Weight {
                found: 2.0,
                uniform: true,
            },
            format!("{TWO}01"),
        ),
        (Refusal::UnplannedMechanism, String::new()),
        (Refusal::UnplannedMetrics, String::new()),
        (
            Refusal::HugeUpdate {
                found: 2.0,
                limit: 1.0,
            },
            format!("{TWO}{ONE}"),
        ),
        (Refusal::Flood { round }, "03".to_owned()),
        (Refusal::Sight { summed: true }, "01".to_owned()),
        (Refusal::SumStep, String::new()),
        (Refusal::UnplannedClipNorm, String::new()),
    ];
    let case = |(refusal, fields)| (place_of_refusal(&refusal), ToSilo::Refuse(refusal), fields);
    hold_every("0002", 18, cases.into_iter().map(case).collect());
}

#[test]
fn golden_bytes_of_every_decline() {
    let cases = [
        (Decline::BudgetReached, ""),
        (Decline::AlreadySpent { last: Round(4) }, "04"),
        (Decline::UnsafeSum, ""),
        (Decline::TrainingFailed, ""),
        (Decline::SumForgotten, ""),
    ];
    let case = |(reason, fields): (Decline, &str)| {
        let round = Round(3);
        (
            place_of_decline(reason),
            ToCoordinator::Decline { round, reason },
            fields.to_owned(),
        )
    };
    hold_every("000203", 4, cases.into_iter().map(case).collect());
}

#[test]
fn golden_bytes_of_every_end() {
    let (round, silo) = (Round(3), SiloId(2));
    let cases = [
        (FinishReason::RoundsDone, ""),
        (FinishReason::BudgetReached, ""),
        (
            FinishReason::QuorumLost {
                round,
                accepted: 1,
                quorum: 2,
            },
            "030102",
        ),
        (FinishReason::WrongShares { round, silo }, "0302"),
        (FinishReason::Diverged { round }, "03"),
    ];
    let case = |(reason, fields): (FinishReason, &str)| {
        (
            place_of_end(&reason),
            ToSilo::Finish(reason),
            fields.to_owned(),
        )
    };
    hold_every("0003", 4, cases.into_iter().map(case).collect());
}

/// Shares are sealed, so that only their owner can make some: these are read.
#[test]
fn golden_bytes_of_sealed_shares() {
    let sealed = b"\x01\x04\x03\xaa\xbb\xcc\x00";
    let up = [b"\x00\x04\x03\x01\x01", &sealed[..]].concat();
    let message = read::<ToCoordinator>(&[frame(&up)]).unwrap().unwrap();
    let ToCoordinator::Masking(Masking {
        round: Round(3),
        attempt: 1,
        step: FromMember::Shares(shares),
    }) = &message
    else {
        panic!("{message:?}")
    };
    assert!(shares.keys().eq(&[SiloId(4)]));
    assert_eq!(wire(message, Compression::None), hex(&up));
    let down = [b"\x00\x04\x03\x01\x02", &sealed[..]].concat();
    let message = read::<ToSilo>(&[frame(&down)]).unwrap().unwrap();
    let ToSilo::Masking(Masking {
        step: ToMember::Shares(shares),
        ..
    }) = &message
    else {
        panic!("{message:?}")
    };
    assert!(shares.keys().eq(&[SiloId(4)]));
    assert_eq!(wire(message, Compression::None), hex(&down));
}
