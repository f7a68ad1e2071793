//! A silo whose coordinator sees sums only.
//!
//! What is stored is the update as it was trained. The summand is made from it when it leaves, the same every time: its noise
//! is drawn from the stream of silo and round, its masks from that and the attempt. So a repeated attempt sends the same
//! summand under other masks, and tells nothing that the first would not have told. One more rule keeps it so:
//! a silo helps to take masks off once a round, or the difference of two sums of one round would be somebody's summand.
//!
//! The seed is the run's in a simulation. In a deployment each silo draws its own from the operating system and keeps it: the
//! sum is the same, since masks cancel, up to the noise that is then the silo's secret.

use super::Silo;
use crate::SiloEvent;
use primitives::{ModelVector, Role, Round, Seed, Stream};
use protocol::{Decline, Masking, SiloUpdate, Summand, ToCoordinator};
use rand::Rng;
use secure_sum::{Masks, Member, MemberError, RoundSecret, SumPlan, ToMember};

/// How a silo gives to sums.
#[derive(Debug)]
pub(super) struct Summing {
    plan: SumPlan,
    seed: Seed,
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
}

impl Silo {
    /// A silo that gives to sums by `plan`; noise and masks come from streams of `seed`.
    #[must_use]
    pub fn with_sums(self, plan: SumPlan, seed: Seed) -> Self {
        let summing = Some(Summing {
            plan,
            seed,
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
                self.decline(round, Decline::UnsafeSum);
            }
        }
    }

    fn take_step(&mut self, round: Round, attempt: u32, step: ToMember) -> Result<(), MemberError> {
        let silo = self.plan.silo;
        let asked = self.training.as_ref().map(|training| training.round);
        let asked = asked.or_else(|| self.stored.as_ref().map(|stored| stored.round));
        let Some(summing) = self.summing.as_mut().filter(|_| asked == Some(round)) else {
            return Err(MemberError::OutOfTurn);
        };
        if step == ToMember::Begin {
            let under_way = summing.sum.as_ref().filter(|sum| sum.round == round);
            if under_way.is_some_and(|sum| sum.attempt > attempt) || self.opened >= Some(round) {
                return Err(MemberError::OutOfTurn);
            }
            if under_way.is_none_or(|sum| sum.attempt < attempt) {
                let setting = summing.plan.setting(&self.plan.digest, round, attempt);
                let setting = setting.ok_or(MemberError::OutOfTurn)?;
                let mut secret = [0; 32];
                summing
                    .seed
                    .stream(Stream::silo(Role::Masks, silo, round))
                    .fill_bytes(&mut secret);
                summing.sum = Some(UnderWay {
                    round,
                    attempt,
                    member: Member::new(silo, setting, &RoundSecret::new(secret)),
                    masks: None,
                });
            }
        }
        let sum = summing.sum.as_mut();
        let sum = sum.filter(|sum| sum.round == round && sum.attempt == attempt);
        let UnderWay { member, masks, .. } = sum.ok_or(MemberError::OutOfTurn)?;
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
    let mut rng = summing.seed.stream(stream);
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
