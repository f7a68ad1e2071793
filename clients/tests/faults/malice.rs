//! What a silo that does not keep to the protocol sends instead of its update.

use super::case::Malice;
use crate::common::{PARAMETERS, digest};
use primitives::{Round, SiloId};
use protocol::{
    Compression, Frame, Join, Message, PROTOCOL_VERSION, SiloUpdate, ToCoordinator, encode,
};

/// The frames that come instead of `update`.
pub(crate) fn frames(kind: Malice, update: &SiloUpdate, silos: u32) -> Vec<Frame> {
    let flat = |value: f32| SiloUpdate {
        delta: vec![value; PARAMETERS].into(),
        ..update.clone()
    };
    let garbage = || Frame::try_new(vec![0xee; 9]).unwrap();
    let update = match kind {
        Malice::NotANumber => flat(f32::NAN),
        Malice::Infinite => flat(f32::NEG_INFINITY),
        Malice::Huge => flat(1e30),
        Malice::WrongShape => SiloUpdate {
            delta: vec![0.0; PARAMETERS - 1].into(),
            ..update.clone()
        },
        Malice::Unplanned => SiloUpdate {
            releases: vec![crate::common::release(); 3],
            ..update.clone()
        },
        Malice::Weight => SiloUpdate {
            weight: 1e6,
            ..update.clone()
        },
        Malice::Impostor => SiloUpdate {
            silo: SiloId((update.silo.0 + 1) % silos),
            ..update.clone()
        },
        Malice::WrongRound => SiloUpdate {
            round: Round(update.round.0 + 7),
            ..update.clone()
        },
        Malice::Garbage => return vec![garbage()],
        Malice::FloodOfGarbage => return vec![garbage(); 200],
        Malice::FloodOfJoins => {
            let join = Join {
                version: PROTOCOL_VERSION,
                silo: update.silo,
                plan: digest(),
            };
            return (0..200)
                .flat_map(|_| sent(ToCoordinator::Join(join)))
                .collect();
        }
    };
    sent(ToCoordinator::Update(update)).collect()
}

fn sent<M: Message>(message: M) -> impl Iterator<Item = Frame> {
    encode(message, Compression::None).unwrap()
}
