//! The way between both ends, and what a bad network makes of it.

use super::case::{below, milliseconds};
use super::world::{Timer, World, reader};
use primitives::SiloId;
use protocol::{Frame, Message, ToCoordinator, ToSilo, encode};
use rand::Rng;
use transport::{Delivery, End};

impl World<'_> {
    /// Sends a message, or what a bad network makes of it.
    pub(super) fn mistreat<M>(&mut self, silo: SiloId, from: End, message: M)
    where
        M: Message + Clone + Delayed,
    {
        if self.strikes(12) {
            let connection = self.members[&silo].connections;
            let later = |message: M| message.later(silo, connection);
            let delay = milliseconds(&mut self.rng, 3000);
            match below(&mut self.rng, 6) {
                0 => self.carry(silo, from, message.clone()),
                1 => return self.set(delay, later(message)),
                2 => self.set(delay / 16, Timer::Break(silo)),
                3 if self.case.is_honest(silo) => return self.garble(silo, from, message),
                4 if !self.sent.is_empty() => {
                    let count = self.sent.len() as u32;
                    let (silo, old) = self.sent[below(&mut self.rng, count) as usize].clone();
                    self.set(delay / 4, Timer::Up(silo, old));
                }
                _ => self.set(delay, later(message.clone())),
            }
        }
        self.carry(silo, from, message);
    }

    pub(super) fn carry(&mut self, silo: SiloId, from: End, message: impl Message) {
        for frame in encode(message, self.case.compression).unwrap() {
            self.push(silo, from, frame);
        }
    }

    /// Sends a message of which one frame is replaced by noise.
    fn garble(&mut self, silo: SiloId, from: End, message: impl Message) {
        let frames: Vec<Frame> = encode(message, self.case.compression).unwrap().collect();
        let spoilt = below(&mut self.rng, frames.len() as u32) as usize;
        for (i, frame) in frames.into_iter().enumerate() {
            let frame = if i == spoilt {
                let mut noise = vec![0; frame.payload().len()];
                self.rng.fill_bytes(&mut noise);
                // Noise that happens to be a message would be a lie, not noise.
                noise[0] = 0xff;
                Frame::try_new(noise).unwrap()
            } else {
                frame
            };
            self.push(silo, from, frame);
        }
    }

    pub(super) fn push(&mut self, silo: SiloId, from: End, frame: Frame) {
        let linked = self.members[&silo].linked;
        if linked && self.coordinator.is_some() {
            self.network.send(silo, from, frame).unwrap();
        }
    }

    /// Garbage costs a connection.
    pub(super) fn receive(&mut self, delivery: &Delivery) {
        let (now, silo) = (delivery.at, delivery.silo);
        let member = self.members.get_mut(&silo).unwrap();
        let broken = match delivery.to {
            End::Coordinator => {
                let read = member.up.read(&delivery.parcel);
                match (read, &mut self.coordinator) {
                    (Ok(Some(message)), Some(coordinator)) => {
                        coordinator.handle(now, silo, message);
                        false
                    }
                    (Err(_), Some(coordinator)) => {
                        coordinator.handle_malformed(now, silo);
                        // Who floods goes on, and does not join anew.
                        member.up = reader();
                        self.case.is_honest(silo)
                    }
                    _ => false,
                }
            }
            End::Silo => match (member.down.read(&delivery.parcel), &mut member.silo) {
                (Ok(Some(message)), Some(machine)) => {
                    machine.handle(message);
                    false
                }
                (read, _) => read.is_err(),
            },
        };
        if broken {
            self.fire(Timer::Break(silo));
        }
    }
}

/// How a message is sent later.
pub(super) trait Delayed {
    fn later(self, silo: SiloId, connection: u32) -> Timer;
}

impl Delayed for ToCoordinator {
    fn later(self, silo: SiloId, _connection: u32) -> Timer {
        Timer::Up(silo, self)
    }
}

impl Delayed for ToSilo {
    fn later(self, silo: SiloId, connection: u32) -> Timer {
        Timer::Down(silo, self, connection)
    }
}
