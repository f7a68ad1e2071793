//! A silo whose coordinator sees sums only.
//!
//! What is stored is the update as it was trained. The summand is made from it when it leaves, the same every time: its noise
//! is drawn from the stream of silo and round. So a repeated attempt sends the same summand under other masks, and tells
//! nothing that the first would not have told. One more rule keeps it so: a silo helps to take masks off once a round, or
//! the difference of two sums of one round would be somebody's summand.
//!
//! Noise and masks have a seed each. That of the noise is the run's, so that a sum is the same bytes wherever it is made; that
//! of the masks may be anybody's, since masks cancel, and a silo in a process of its own draws it from the operating
//! system and keeps it nowhere. Started anew in the middle of a masked sum, it does not know its secrets any more: it drops
//! out of the attempt. A summand that it has sent stays in the sum, whose masks the others take off.

use super::Silo;
use crate::SiloEvent;
use primitives::{ModelVector, Role, Round, Seed, SiloId, Stream};
use protocol::{Decline, Masking, SiloUpdate, Summand, ToCoordinator};
use rand::Rng;
use secure_sum::{Masks, Member, MemberError, RoundSecret, SumPlan, ToMember};

/// How a silo gives to sums.
#[derive(Debug)]
pub(super) struct Summing {
    plan: SumPlan,
    noise: Seed,
    masks: Seed,
    /// Members made: each has secrets of its own.
    made: u64,
    /// Whether a new connection was made, perhaps to a coordinator that has forgotten the sum under way.
    reconnected: bool,
    /// The masked sum under way.
    sum: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    round: Round,
    attempt: u32,
    member: Member,
    masks: Option<Masks>,
}

impl Summing {
    /// Takes in that `round` is over.
    pub(super) fn forget(&mut self, round: Round) {
        self.sum.take_if(|sum| sum.round <= round);
    }

    /// Takes in that there is a new connection.
    pub(super) fn handle_connected(&mut self) {
        self.reconnected = true;
    }

    /// Whether the secrets of an attempt are to be drawn: they were not, or the coordinator has forgotten what was done with
    /// them. What was sealed under them once is never sealed for another list of keys.
    fn is_new(&self, round: Round, attempt: u32) -> bool {
        self.sum
            .as_ref()
            .filter(|sum| sum.round == round)
            .is_none_or(|sum| {
                sum.attempt < attempt || self.reconnected && !sum.member.has_only_shown_keys()
            })
    }

    /// Secrets that no other member has, of this silo or another.
    fn secret(&mut self, silo: SiloId, round: Round) -> RoundSecret {
        let mut secret = [0; 32];
        self.masks
            .child(Role::Masks, self.made)
            .stream(Stream::silo(Role::Masks, silo, round))
            .fill_bytes(&mut secret);
        self.made += 1;
        RoundSecret::new(secret)
    }
}

impl Silo {
    /// A silo that gives to sums by `plan`; its noise comes from streams of `noise`, its masks from streams of `masks`. Sums
    /// depend on the first alone. Where there is something to hide, nobody else knows the second, and no two
    /// processes have the same.
    #[must_use]
    pub fn with_sums(self, plan: SumPlan, noise: Seed, masks: Seed) -> Self {
        let summing = Some(Summing {
            plan,
            noise,
            masks,
            made: 0,
            reconnected: false,
            sum: None,
        });
        Self { summing, ..self }
    }

    /// Sends what is stored, in the form that the coordinator may see; later, if its masks are not there yet.
    pub(super) fn send_stored(&mut self) {
        let Some(update) = &self.stored else {
            return;
        };
        let message = match &self.summing {
            None => ToCoordinator::Update(update.clone()),
            Some(summing) if summing.plan.threshold.is_none() => {
                ToCoordinator::Summand(summand(summing, update, 1, None))
            }
            Some(summing) => {
                let sum = summing.sum.as_ref().filter(|sum| sum.round == update.round);
                let Some((attempt, masks)) =
                    sum.and_then(|sum| Some((sum.attempt, sum.masks.as_ref()?)))
                else {
                    return;
                };
                ToCoordinator::Summand(summand(summing, update, attempt, Some(masks)))
            }
        };
        self.transmits.push_back(message);
    }

    pub(super) fn handle_masking(&mut self, masking: Masking<ToMember>) {
        let Masking {
            round,
            attempt,
            step,
        } = masking;
        match self.take_step(round, attempt, step) {
            // What belongs to another attempt, or repeats an earlier step, is the network's doing.
            Ok(()) | Err(MemberError::OutOfTurn) => {}
            Err(error) => {
                self.events
                    .push_back(SiloEvent::SumRefused { round, error });
                self.decline(
                    round,
                    match error {
                        MemberError::Forgotten => Decline::SumForgotten,
                        _ => Decline::UnsafeSum,
                    },
                );
            }
        }
    }

    fn take_step(&mut self, round: Round, attempt: u32, step: ToMember) -> Result<(), MemberError> {
        let silo = self.plan.silo;
        let asked = self.training.as_ref().map(|training| training.round);
        let asked = asked.or_else(|| self.stored.as_ref().map(|stored| stored.round));
        let summing = self.summing.as_mut().ok_or(MemberError::OutOfTurn)?;
        if asked != Some(round) {
            // What was spent and lost cannot be summed; a round that nobody asked for is none.
            let is_lost = asked.is_none() && self.last == Some(round);
            return Err(if is_lost {
                MemberError::Forgotten
            } else {
                MemberError::OutOfTurn
            });
        }
        let setting = summing.plan.setting(&self.plan.digest, round, attempt);
        let setting = setting.ok_or(MemberError::OutOfTurn)?;
        let known = summing.sum.as_ref().filter(|sum| sum.round == round);
        if known.is_some_and(|sum| sum.attempt > attempt) {
            return Err(MemberError::OutOfTurn);
        }
        let is_known = known.is_some_and(|sum| sum.attempt == attempt);
        if step == ToMember::Begin && summing.is_new(round, attempt) {
            if self.opened >= Some(round) {
                return Err(MemberError::Forgotten);
            }
            let secret = summing.secret(silo, round);
            summing.sum = Some(UnderWay {
                round,
                attempt,
                member: Member::new(silo, setting, &secret),
                masks: None,
            });
        } else if !is_known {
            return Err(MemberError::Forgotten);
        }
        summing.reconnected &= step != ToMember::Begin;
        let sum = summing.sum.as_mut().ok_or(MemberError::Forgotten)?;
        let UnderWay { member, masks, .. } = sum;
        let answer = match step {
            ToMember::Begin => member.keys(),
            ToMember::Keys(keys) => member.share(keys)?,
            ToMember::Shares(shares) => {
                if let Some(made) = member.receive(shares)? {
                    *masks = Some(made);
                    self.send_stored();
                }
                return Ok(());
            }
            ToMember::Survivors(survivors) => {
                if survivors.len() < summing.plan.fewest() as usize {
                    return Err(MemberError::Survivors);
                }
                let answer = member.open(&survivors)?;
                self.opened = Some(round);
                self.events.push_back(SiloEvent::Opened(round));
                answer
            }
        };
        self.transmits.push_back(ToCoordinator::Masking(Masking {
            round,
            attempt,
            step: answer,
        }));
        Ok(())
    }
}

fn summand(summing: &Summing, update: &SiloUpdate, attempt: u32, masks: Option<&Masks>) -> Summand {
    let stream = Stream::silo(Role::SumNoise, update.silo, update.round);
    let mut rng = summing.noise.stream(stream);
    let mut values = summing.plan.encode(update.delta.as_slice(), &mut rng);
    if let Some(masks) = masks {
        masks.apply(&mut values);
    }
    Summand {
        update: SiloUpdate {
            round: update.round,
            silo: update.silo,
            delta: ModelVector::default(),
            weight: update.weight,
            clip_norm: update.clip_norm,
            releases: update.releases.clone(),
            metrics: update.metrics,
        },
        attempt,
        values,
    }
}
