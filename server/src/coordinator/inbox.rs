//! What a coordinator makes of what silos send.

use super::{Coordinator, Phase};
use crate::event::{CoordinatorEvent, Missing};
use primitives::{Round, SiloId};
use protocol::{
    Decline, Join, Masking, PROTOCOL_VERSION, Refusal, SiloUpdate, Summand, ToCoordinator, ToSilo,
    Welcome,
};
use secure_sum::FromMember;
use std::time::Duration;

/// Whether a message brought anything.
enum News {
    Some,
    None,
}

impl Coordinator {
    /// Takes in a message that came over the link of `from`. If a deadline has passed by `now`, it
    /// counts first, so that a late update is late whoever is told first.
    pub fn handle(&mut self, now: Duration, from: SiloId, message: ToCoordinator) {
        self.advance(now);
        if self.traffic.is_cut_off(from) {
            return;
        }
        let handled = match message {
            ToCoordinator::Join(join) => self.handle_join(from, join),
            ToCoordinator::Update(update) => self.handle_update(from, update),
            ToCoordinator::Decline { round, reason } => self.handle_decline(from, round, reason),
            ToCoordinator::Summand(summand) => self.handle_summand(from, summand),
            ToCoordinator::Masking(answer) => self.handle_step(from, answer),
        };
        match handled {
            Ok(News::Some) => {}
            Ok(News::None) => self.count_needless(from),
            Err(reason) => self.refuse(from, reason),
        }
        self.advance(now);
    }

    /// Takes in bytes over the link of `from` that are no message.
    pub fn handle_malformed(&mut self, now: Duration, from: SiloId) {
        self.advance(now);
        if !self.traffic.is_cut_off(from) {
            self.refuse(from, Refusal::Malformed);
        }
        self.advance(now);
    }

    /// Takes in that the driver has closed the door on `silo`, for `reason`: the attempt under way does not wait
    /// for it. The next one does, unless it is told again.
    pub fn handle_shut_out(&mut self, now: Duration, silo: SiloId, reason: Refusal) {
        self.advance(now);
        if let Phase::Open(open) = &mut self.phase {
            open.put_out(silo, Missing::Refused(reason));
        }
        self.advance(now);
    }

    fn handle_join(&mut self, from: SiloId, join: Join) -> Result<News, Refusal> {
        let Join {
            version,
            silo,
            plan,
        } = join;
        if version != PROTOCOL_VERSION {
            return Err(Refusal::ProtocolVersion {
                coordinator: PROTOCOL_VERSION,
                silo: version,
            });
        }
        if silo != from {
            return Err(Refusal::Identity {
                link: from,
                named: silo,
            });
        }
        if plan != self.plan.digest {
            return Err(Refusal::PlanDigest {
                coordinator: self.plan.digest,
                silo: plan,
            });
        }
        if !self.plan.cohorts.roster().contains(&silo) {
            return Err(Refusal::UnknownSilo { silo });
        }
        let first = self.joined.insert(silo);
        if first {
            self.events.push_back(CoordinatorEvent::SiloJoined(silo));
        }
        let welcome = Welcome {
            round: self.state.round.next(),
            rounds: self.plan.rounds,
            asked: self.last_asked(silo),
        };
        self.send(silo, ToSilo::Welcome(welcome));
        match &mut self.phase {
            Phase::Open(open) if open.awaits(silo) => {
                open.note_asked(silo);
                let task = self.parts.strategy.task(&self.state, open.round);
                let step = open.step_for(silo);
                self.send(silo, ToSilo::Train(task));
                if let Some(step) = step {
                    self.send(silo, step);
                }
            }
            // Its summand is in, and it may be asked to help to take masks off.
            Phase::Open(open) => {
                if let Some(step) = open.step_for(silo) {
                    self.send(silo, step);
                }
            }
            &mut Phase::Finished(reason) => self.send(silo, ToSilo::Finish(reason)),
            Phase::Gathering { .. } => {}
        }
        Ok(if first { News::Some } else { News::None })
    }

    /// The last round that `silo` may have trained: it was asked for it, or was in its cohort while nobody remembers.
    fn last_asked(&self, silo: SiloId) -> Option<Round> {
        let mut last = self.state.round;
        match &self.phase {
            Phase::Open(open) if open.may_have_trained(silo) => return Some(open.round),
            Phase::Open(_) | Phase::Gathering { .. } if self.is_restored => last = last.next(),
            _ => {}
        }
        let rounds = (1..=last.0.min(self.plan.rounds)).rev().map(Round);
        let mut asked = rounds.filter(|&round| self.plan.cohorts.cohort(round).contains(&silo));
        asked.next()
    }

    fn handle_update(&mut self, from: SiloId, update: SiloUpdate) -> Result<News, Refusal> {
        if update.silo != from {
            return Err(Refusal::Identity {
                link: from,
                named: update.silo,
            });
        }
        if !self.joined.contains(&from) {
            return Err(Refusal::NotJoined { silo: from });
        }
        match &mut self.phase {
            Phase::Open(open) if open.round == update.round => {
                let new = open.receive(&self.plan, update)?;
                Ok(if new { News::Some } else { News::None })
            }
            _ => self.check_past(update.round),
        }
    }

    fn handle_summand(&mut self, from: SiloId, summand: Summand) -> Result<News, Refusal> {
        let (silo, round) = (summand.update.silo, summand.update.round);
        if silo != from {
            return Err(Refusal::Identity {
                link: from,
                named: silo,
            });
        }
        if !self.joined.contains(&from) {
            return Err(Refusal::NotJoined { silo: from });
        }
        match &mut self.phase {
            Phase::Open(open) if open.round == round => {
                let new = open.receive_summand(&self.plan, summand)?;
                Ok(if new { News::Some } else { News::None })
            }
            _ => self.check_past(round),
        }
    }

    fn handle_step(&mut self, from: SiloId, answer: Masking<FromMember>) -> Result<News, Refusal> {
        if !self.joined.contains(&from) {
            return Err(Refusal::NotJoined { silo: from });
        }
        match &mut self.phase {
            Phase::Open(open) if open.round == answer.round => {
                let new = open.receive_step(from, answer)?;
                Ok(if new { News::Some } else { News::None })
            }
            _ => self.check_past(answer.round),
        }
    }

    fn handle_decline(
        &mut self,
        from: SiloId,
        round: Round,
        reason: Decline,
    ) -> Result<News, Refusal> {
        if !self.joined.contains(&from) {
            return Err(Refusal::NotJoined { silo: from });
        }
        match &mut self.phase {
            Phase::Open(open) if open.round == round => {
                if !open.put_out(from, Missing::Declined(reason)) {
                    return Ok(News::None);
                }
                self.events.push_back(CoordinatorEvent::SiloDeclined {
                    silo: from,
                    round,
                    reason,
                });
                Ok(News::Some)
            }
            _ => self.check_past(round),
        }
    }

    /// An answer to a finished round is late or a repetition, and needs no answer itself.
    fn check_past(&self, found: Round) -> Result<News, Refusal> {
        if found > Round::UNTRAINED && found <= self.state.round {
            return Ok(News::None);
        }
        let expected = match &self.phase {
            Phase::Open(open) => open.round,
            Phase::Gathering { .. } | Phase::Finished(_) => self.state.round,
        };
        Err(Refusal::WrongRound { expected, found })
    }

    fn refuse(&mut self, silo: SiloId, reason: Refusal) {
        self.events
            .push_back(CoordinatorEvent::SiloRefused { silo, reason });
        self.send(silo, ToSilo::Refuse(reason));
        self.count_needless(silo);
    }

    /// Counts a message that brought nothing, and stops listening to a silo that sends nothing else.
    fn count_needless(&mut self, silo: SiloId) {
        if !self.traffic.is_flooded_by(silo) {
            return;
        }
        let round = match &mut self.phase {
            Phase::Open(open) => {
                let round = open.round;
                open.put_out(silo, Missing::Refused(Refusal::Flood { round }));
                round
            }
            Phase::Gathering { .. } | Phase::Finished(_) => self.state.round.next(),
        };
        self.events
            .push_back(CoordinatorEvent::SiloCutOff { silo, round });
        self.send(silo, ToSilo::Refuse(Refusal::Flood { round }));
    }
}
