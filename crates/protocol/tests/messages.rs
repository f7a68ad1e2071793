//! Every message: its golden bytes, its way there and back, and what garbage does.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod streams;

use accounting::{ClipNorm, Mechanism, NoiseMultiplier, SamplingRate};
use arbitrary::Unstructured;
use primitives::{Digest, ModelVector, Round, SiloId};
use proptest::prelude::*;
use secure_sum::{FromMember, Opened, PublicKeys, ToMember};
use siloscope_protocol as protocol;
use siloscope_protocol::{
    CHUNK_VALUES, CodecError, Compression, Decline, FinishReason, Frame, Join, Masking, Message,
    MessageReader, PROTOCOL_VERSION, Refusal, Release, SiloUpdate, Summand, Task, ToCoordinator,
    ToSilo, UpdateMetrics, Welcome, encode,
};
use std::fmt::Debug;
use std::num::NonZeroU32;

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(digit)
        .collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}

fn frames<M: Message>(message: M, compression: Compression) -> Vec<Frame> {
    let frames = encode(message, compression).unwrap();
    let announced = frames.len();
    let frames: Vec<Frame> = frames.collect();
    assert_eq!(frames.len(), announced);
    frames
}

/// All frames in hexadecimal, one after the other.
fn wire<M: Message>(message: M, compression: Compression) -> String {
    let frames = frames(message, compression);
    let frames: Vec<String> = frames.iter().map(|frame| hex(frame.payload())).collect();
    frames.join(" ")
}

/// What a fresh reader makes of these frames: the message that the last one completes.
fn read<M: Message>(frames: &[Frame]) -> Result<Option<M>, CodecError> {
    let mut reader = MessageReader::new(1 << 20);
    let mut message = None;
    for frame in frames {
        message = reader.read(frame)?;
    }
    Ok(message)
}

fn frame(bytes: &[u8]) -> Frame {
    Frame::try_new(bytes.to_vec()).unwrap()
}

fn digest() -> Digest {
    Digest::of(b"plan")
}

fn update() -> SiloUpdate {
    let mechanism = Mechanism::AveragedGradient {
        sampling_rate: SamplingRate::try_new(0.5).unwrap(),
        noise_multiplier: NoiseMultiplier::try_new(1.0).unwrap(),
    };
    SiloUpdate {
        round: Round(3),
        silo: SiloId(2),
        delta: ModelVector::from(vec![1.0, -0.5]),
        weight: 1.0,
        clip_norm: None,
        releases: vec![Release {
            mechanism,
            steps: 20,
        }],
        metrics: UpdateMetrics::Withheld,
    }
}

/// A changed line here is a new [`PROTOCOL_VERSION`].
#[test]
fn golden_bytes_of_messages_to_a_silo() {
    assert_eq!(PROTOCOL_VERSION, 4);
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
    for (message, golden) in cases {
        assert_eq!(
            wire(message.clone(), Compression::None),
            golden,
            "{message:?}"
        );
    }
}

/// As above.
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
        (ToCoordinator::Join(join), format!("0000040240{text}00")),
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
    for (message, golden) in cases {
        assert_eq!(
            wire(message.clone(), Compression::None),
            golden,
            "{message:?}"
        );
    }
}

fn keys(byte: u8) -> PublicKeys {
    PublicKeys {
        mask: [byte; 32],
        seal: [byte + 1; 32],
        own_mask: [byte + 2; 32],
    }
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
    for (message, golden) in cases {
        assert_eq!(
            wire(message.clone(), Compression::None),
            golden,
            "{message:?}"
        );
    }
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
    for (message, golden) in cases {
        assert_eq!(
            wire(message.clone(), Compression::Fp16Zstd),
            golden,
            "{message:?}"
        );
    }
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

#[test]
fn a_message_must_use_all_of_its_bytes_and_all_of_its_bytes_must_come() {
    let whole = frames(ToCoordinator::Update(update()), Compression::None);
    assert_eq!(read(&whole), Ok(Some(ToCoordinator::Update(update()))));
    let head = whole[0].payload();
    let longer = frame(&[head, &[0]].concat());
    assert_eq!(
        read::<ToCoordinator>(&[longer]),
        Err(CodecError::Trailing { left: 1 })
    );
    for cut in 1..head.len() {
        let error = read::<ToCoordinator>(&[frame(&head[..cut])]).unwrap_err();
        assert!(matches!(error, CodecError::Decode(_)), "{cut}");
    }
    let chunk = whole[1].payload();
    for cut in 1..chunk.len() {
        let error = read::<ToCoordinator>(&[whole[0].clone(), frame(&chunk[..cut])]).unwrap_err();
        assert!(matches!(error, CodecError::ChunkSize { .. }), "{cut}");
    }
    let longer = frame(&[chunk, &[0]].concat());
    let error = read::<ToCoordinator>(&[whole[0].clone(), longer]).unwrap_err();
    assert_eq!(
        error,
        CodecError::ChunkSize {
            number: 0,
            expected: 8
        }
    );
}

/// A task of two chunks and a bit.
fn long_task() -> (Task, Vec<Frame>) {
    let values = (0..2 * CHUNK_VALUES + 3).map(|i| (i as f32).sin());
    let task = Task {
        round: Round(3),
        model: values.collect::<Vec<_>>().into(),
        clip_norm: None,
    };
    let frames = frames(ToSilo::Train(task.clone()), Compression::None);
    assert_eq!(frames.len(), 4);
    (task, frames)
}

#[test]
fn frames_that_are_lost_repeated_or_swapped_end_the_stream() {
    let (task, whole) = long_task();
    assert_eq!(read(&whole), Ok(Some(ToSilo::Train(task))));
    let order = |numbers: &[usize]| {
        let frames: Vec<Frame> = numbers.iter().map(|&at| whole[at].clone()).collect();
        read::<ToSilo>(&frames).unwrap_err()
    };
    let chunk = |found, expected| CodecError::ChunkOrder { found, expected };
    assert_eq!(order(&[0, 2]), chunk(1, 0));
    assert_eq!(order(&[0, 1, 1]), chunk(0, 1));
    assert_eq!(order(&[0, 1, 3]), chunk(2, 1));
    assert!(matches!(
        order(&[1]),
        CodecError::Order {
            found: "a chunk",
            ..
        }
    ));
    assert!(matches!(
        order(&[0, 1, 0]),
        CodecError::Order {
            found: "a message",
            ..
        }
    ));
    assert!(matches!(
        order(&[0, 1, 2, 3, 3]),
        CodecError::Order {
            found: "a chunk",
            ..
        }
    ));

    let mut reader = MessageReader::<ToSilo>::new(1 << 20);
    let error = reader.read(&frame(&[7, 7])).unwrap_err();
    assert_eq!(error, CodecError::Mark { found: Some(7) });
    assert_eq!(reader.read(&whole[0]), Err(error), "an error is for good");
    assert_eq!(
        read::<ToSilo>(&[frame(&[])]),
        Err(CodecError::Mark { found: None })
    );
}

#[test]
fn a_vector_longer_than_the_federations_model_is_refused_at_its_head() {
    let (task, frames) = long_task();
    let values = task.model.len() as u64;
    let limit = values - 1;
    let error = MessageReader::<ToSilo>::new(limit).read(&frames[0]);
    assert_eq!(error, Err(CodecError::TooLong { values, limit }));
    assert_eq!(
        MessageReader::<ToSilo>::new(values).read(&frames[0]),
        Ok(None)
    );
    // A vector written into the head itself would pass by that limit.
    let inline = frame(b"\x00\x01\x03\x01\x00\x00\x80\x3f\x01\x00\x00");
    assert!(matches!(
        read::<ToSilo>(&[inline]),
        Err(CodecError::Decode(_))
    ));
}

#[test]
fn zstd_changes_the_bytes_on_the_way_and_nothing_else() {
    let delta: Vec<f32> = (0..CHUNK_VALUES + 100)
        .map(|i| (i as f32 * 0.01).cos() * 1e-3)
        .collect();
    let update = SiloUpdate {
        delta: delta.into(),
        ..update()
    };
    let pairs = [
        (Compression::None, Compression::Zstd),
        (Compression::Fp16, Compression::Fp16Zstd),
        (Compression::Int8, Compression::Int8Zstd),
    ];
    for (plain, squeezed) in pairs {
        let plain = frames(ToCoordinator::Update(update.clone()), plain);
        let squeezed = frames(ToCoordinator::Update(update.clone()), squeezed);
        assert_eq!(
            read::<ToCoordinator>(&plain),
            read::<ToCoordinator>(&squeezed)
        );
        let bytes = |frames: &[Frame]| frames.iter().map(Frame::wire_len).sum::<usize>();
        assert!(bytes(&squeezed) < bytes(&plain));
        // A squeezed chunk that unfolds to more than its values is refused without unfolding it.
        let zeros = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
        let bomb = frame(&[&[1, 0, 0, 0, 0, 1][..], &zeros].concat());
        let error = read::<ToCoordinator>(&[plain[0].clone(), bomb]).unwrap_err();
        assert!(
            matches!(error, CodecError::ChunkSize { number: 0, .. }),
            "{error}"
        );
    }
}

/// Models are never rounded, whatever is asked for updates.
#[test]
fn a_model_travels_exactly() {
    let task = Task {
        round: Round(1),
        model: vec![0.1, 1e-30, 3e38].into(),
        clip_norm: None,
    };
    for compression in [Compression::Fp16, Compression::Int8, Compression::Int8Zstd] {
        let frames = frames(ToSilo::Train(task.clone()), compression);
        assert_eq!(read(&frames), Ok(Some(ToSilo::Train(task.clone()))));
    }
}

#[test]
fn a_number_out_of_its_range_is_no_message() {
    let frames = frames(ToCoordinator::Update(update()), Compression::None);
    let head = frames[0].payload();
    let half = 0.5_f64.to_le_bytes();
    let at = head.windows(8).position(|window| window == half).unwrap();
    let mut bytes = head.to_vec();
    bytes[at..at + 8].copy_from_slice(&1.5_f64.to_le_bytes());
    let error = read::<ToCoordinator>(&[frame(&bytes)]).unwrap_err();
    assert!(error.to_string().contains("sampling rate 1.5"), "{error}");
}

fn model() -> impl Strategy<Value = ModelVector> {
    prop::collection::vec(-1e6f32..1e6, 0..50).prop_map(ModelVector::from)
}

fn clip_norm() -> impl Strategy<Value = Option<ClipNorm>> {
    prop::option::of((1e-6..1e6).prop_map(|norm| ClipNorm::try_new(norm).unwrap()))
}

fn rate() -> impl Strategy<Value = SamplingRate> {
    (1e-6..=1.0).prop_map(|q| SamplingRate::try_new(q).unwrap())
}

fn noise() -> impl Strategy<Value = NoiseMultiplier> {
    (0.0..100.0).prop_map(|z| NoiseMultiplier::try_new(z).unwrap())
}

fn mechanism() -> impl Strategy<Value = Mechanism> {
    prop_oneof![
        Just(Mechanism::None),
        (rate(), noise()).prop_map(|(sampling_rate, noise_multiplier)| Mechanism::Record {
            sampling_rate,
            noise_multiplier
        }),
        (rate(), noise(), 1u32..).prop_map(|(sampling_rate, noise_multiplier, group)| {
            let group_size = NonZeroU32::new(group).unwrap();
            Mechanism::Group {
                sampling_rate,
                noise_multiplier,
                group_size,
            }
        }),
        (rate(), noise()).prop_map(|(sampling_rate, noise_multiplier)| {
            Mechanism::AveragedGradient {
                sampling_rate,
                noise_multiplier,
            }
        }),
        (rate(), noise()).prop_map(|(sampling_rate, noise_multiplier)| {
            Mechanism::SubjectSampling {
                sampling_rate,
                noise_multiplier,
            }
        }),
        noise().prop_map(|noise_multiplier| Mechanism::SiloNoise { noise_multiplier }),
        (noise(), 1u32..).prop_map(|(noise_multiplier, shares)| Mechanism::DistributedNoise {
            noise_multiplier,
            shares: NonZeroU32::new(shares).unwrap(),
        }),
    ]
}

fn metrics() -> impl Strategy<Value = UpdateMetrics> {
    prop_oneof![
        Just(UpdateMetrics::Withheld),
        (any::<u64>(), prop::option::of(-1e9..1e9))
            .prop_map(|(records, mean_loss)| UpdateMetrics::Open { records, mean_loss }),
    ]
}

fn any_update() -> impl Strategy<Value = SiloUpdate> {
    let release =
        (mechanism(), any::<u64>()).prop_map(|(mechanism, steps)| Release { mechanism, steps });
    let releases = prop::collection::vec(release, 0..4);
    (
        any::<u32>(),
        any::<u32>(),
        model(),
        -1e9..1e9,
        clip_norm(),
        releases,
        metrics(),
    )
        .prop_map(
            |(round, silo, delta, weight, clip_norm, releases, metrics)| SiloUpdate {
                round: Round(round),
                silo: SiloId(silo),
                delta,
                weight,
                clip_norm,
                releases,
                metrics,
            },
        )
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let (round, silo) = (any::<u32>().prop_map(Round), any::<u32>().prop_map(SiloId));
    let digest = any::<[u8; 4]>().prop_map(|bytes| Digest::of(&bytes));
    prop_oneof![
        (any::<u16>(), any::<u16>())
            .prop_map(|(coordinator, silo)| Refusal::ProtocolVersion { coordinator, silo }),
        (digest.clone(), digest)
            .prop_map(|(coordinator, silo)| Refusal::PlanDigest { coordinator, silo }),
        silo.clone().prop_map(|silo| Refusal::UnknownSilo { silo }),
        (silo.clone(), silo.clone()).prop_map(|(link, named)| Refusal::Identity { link, named }),
        silo.prop_map(|silo| Refusal::NotJoined { silo }),
        Just(Refusal::Malformed),
        (round.clone(), round.clone())
            .prop_map(|(expected, found)| Refusal::WrongRound { expected, found }),
        round
            .clone()
            .prop_map(|round| Refusal::NotInCohort { round }),
        round.prop_map(|round| Refusal::OutOfRound { round }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(expected, found)| Refusal::WrongShape { expected, found }),
        Just(Refusal::NotFinite),
        (-1e9..1e9, any::<bool>()).prop_map(|(found, uniform)| Refusal::Weight { found, uniform }),
        Just(Refusal::UnplannedMechanism),
        Just(Refusal::UnplannedMetrics),
        Just(Refusal::UnplannedClipNorm),
        (0.0..1e9, 0.0..1e9).prop_map(|(found, limit)| Refusal::HugeUpdate { found, limit }),
        any::<u32>().prop_map(|round| Refusal::Flood {
            round: Round(round)
        }),
    ]
}

fn finish() -> impl Strategy<Value = FinishReason> {
    prop_oneof![
        Just(FinishReason::RoundsDone),
        Just(FinishReason::BudgetReached),
        any::<(u32, u32, u32)>().prop_map(|(round, accepted, quorum)| FinishReason::QuorumLost {
            round: Round(round),
            accepted,
            quorum
        }),
        any::<u32>().prop_map(|round| FinishReason::Diverged {
            round: Round(round)
        }),
    ]
}

fn to_silo() -> impl Strategy<Value = ToSilo> {
    prop_oneof![
        any::<(u32, u32, Option<u32>)>().prop_map(|(round, rounds, asked)| {
            ToSilo::Welcome(Welcome {
                round: Round(round),
                rounds,
                asked: asked.map(Round),
            })
        }),
        (any::<u32>(), model(), clip_norm()).prop_map(|(round, model, clip_norm)| {
            ToSilo::Train(Task {
                round: Round(round),
                model,
                clip_norm,
            })
        }),
        refusal().prop_map(ToSilo::Refuse),
        (
            any::<(u32, u32)>(),
            prop::collection::btree_set((0u32..9).prop_map(SiloId), 0..9)
        )
            .prop_map(|((round, attempt), silos)| ToSilo::Masking(Masking {
                round: Round(round),
                attempt,
                step: ToMember::Survivors(silos),
            })),
        finish().prop_map(ToSilo::Finish),
    ]
}

fn to_coordinator() -> impl Strategy<Value = ToCoordinator> {
    let decline = prop_oneof![
        Just(Decline::BudgetReached),
        any::<u32>().prop_map(|last| Decline::AlreadySpent { last: Round(last) }),
        Just(Decline::TrainingFailed),
    ];
    prop_oneof![
        (any::<u16>(), any::<u32>(), any::<[u8; 4]>()).prop_map(|(version, silo, plan)| {
            ToCoordinator::Join(Join {
                version,
                silo: SiloId(silo),
                plan: Digest::of(&plan),
            })
        }),
        any_update().prop_map(ToCoordinator::Update),
        (any_update(), prop::collection::vec(any::<u32>(), 0..50)).prop_map(|(update, words)| {
            let delta = ModelVector::default();
            ToCoordinator::Summand(Summand {
                update: SiloUpdate { delta, ..update },
                attempt: 1,
                values: words.into(),
            })
        }),
        any::<(u32, u32, [u8; 32])>().prop_map(|(round, attempt, mask)| {
            let keys = PublicKeys { mask, ..keys(7) };
            ToCoordinator::Masking(Masking {
                round: Round(round),
                attempt,
                step: FromMember::Keys(keys),
            })
        }),
        (any::<u32>(), decline).prop_map(|(round, reason)| ToCoordinator::Decline {
            round: Round(round),
            reason
        }),
    ]
}

fn there_and_back<M: Message + Clone + PartialEq + Debug>(
    message: &M,
) -> Result<(), TestCaseError> {
    let frames = frames(message.clone(), Compression::Zstd);
    let expected = Ok(Some(message.clone()));
    prop_assert_eq!(read::<M>(&frames), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The fuzz targets `framing`, `to_coordinator` and `to_silo`, without a fuzzer.
    #[test]
    fn any_bytes_are_frames_and_messages_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        // Bytes that run out are the end of the stream.
        let _ = streams::framing(&mut Unstructured::new(&bytes));
        let _ = streams::decoding::<ToCoordinator>(&mut Unstructured::new(&bytes));
        let _ = streams::decoding::<ToSilo>(&mut Unstructured::new(&bytes));
    }
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(down in to_silo(), up in to_coordinator()) {
        there_and_back(&down)?;
        there_and_back(&up)?;
    }

    #[test]
    fn garbage_is_refused_or_is_a_message_of_its_own(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
        marked: bool,
    ) {
        let mut up = MessageReader::<ToCoordinator>::new(100);
        let mut down = MessageReader::<ToSilo>::new(100);
        for mut bytes in frames {
            if marked && let Some(first) = bytes.first_mut() {
                *first &= 1;
            }
            if let Ok(Some(message)) = up.read(&frame(&bytes)) {
                prop_assert!(encode(message, Compression::None).is_ok());
            }
            if let Ok(Some(message)) = down.read(&frame(&bytes)) {
                prop_assert!(encode(message, Compression::None).is_ok());
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_panics(
        message in to_coordinator(),
        which: prop::sample::Index,
        at: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let mut frames = frames(message, Compression::Zstd);
        let which = which.index(frames.len());
        let mut bytes = frames[which].payload().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        frames[which] = frame(&bytes);
        let _ = read::<ToCoordinator>(&frames);
    }
}
