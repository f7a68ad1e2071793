//! Whole masked sums: with everybody, with drop-outs at every step, and with parties that do what they should not.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

use primitives::SiloId;
use proptest::prelude::*;
use siloscope_secure_sum::{
    Collector, FromMember, Masks, Member, MemberError, MemberRefusal, Opened, RingVector,
    RoundSecret, Setting, ToMember, TooFew, WrongShares,
};
use std::collections::{BTreeMap, BTreeSet};

const LENGTH: usize = 5;

fn setting(threshold: usize) -> Setting {
    Setting {
        context: [7; 32],
        threshold,
    }
}

fn member(silo: u32, setting: Setting) -> Member {
    Member::new(
        SiloId(silo),
        setting,
        &RoundSecret::new([silo as u8 + 1; 32]),
    )
}

fn summand(silo: SiloId) -> RingVector {
    let word = |i: usize| {
        (silo.0 + 1)
            .wrapping_mul(0x9e37_79b9)
            .wrapping_add(i as u32)
    };
    (0..LENGTH).map(word).collect::<Vec<u32>>().into()
}

fn plain_sum<'a>(silos: impl IntoIterator<Item = &'a SiloId>) -> RingVector {
    let mut sum = RingVector::zeros(LENGTH);
    for &silo in silos {
        sum.add(&summand(silo));
    }
    sum
}

/// A sum under way: some members and the server.
struct Sum {
    members: BTreeMap<SiloId, Member>,
    masks: BTreeMap<SiloId, Masks>,
    server: Collector,
}

impl Sum {
    fn of(members: u32, threshold: usize) -> Self {
        let setting = setting(threshold);
        let silos: BTreeSet<SiloId> = (0..members).map(SiloId).collect();
        Self {
            members: (0..members)
                .map(|silo| (SiloId(silo), member(silo, setting)))
                .collect(),
            masks: BTreeMap::new(),
            server: Collector::new(setting, silos, LENGTH),
        }
    }

    fn drop_out(&mut self, silos: &BTreeSet<SiloId>) {
        self.members.retain(|silo, _| !silos.contains(silo));
    }

    fn show_keys(&mut self) {
        for (&silo, member) in &self.members {
            self.server.handle(silo, member.keys()).unwrap();
        }
    }

    /// Ends a step, and lets the members who are left answer what they are told.
    fn step(&mut self) -> Result<(), TooFew> {
        for (silo, told) in self.server.advance()? {
            let Some(member) = self.members.get_mut(&silo) else {
                continue;
            };
            let answer = match told {
                ToMember::Begin => panic!("a step was over"),
                ToMember::Keys(keys) => member.share(keys).unwrap(),
                ToMember::Shares(shares) => {
                    self.masks
                        .insert(silo, member.receive(shares).unwrap().unwrap());
                    continue;
                }
                ToMember::Survivors(survivors) => member.open(&survivors).unwrap(),
            };
            self.server.handle(silo, answer).unwrap();
        }
        Ok(())
    }

    fn masked(&self, silo: SiloId) -> RingVector {
        let mut masked = summand(silo);
        self.masks[&silo].apply(&mut masked);
        masked
    }

    fn send_summands(&mut self) {
        let silos: Vec<SiloId> = self.members.keys().copied().collect();
        for silo in silos {
            let masked = self.masked(silo);
            assert_ne!(masked, summand(silo));
            self.server.add(silo, &masked).unwrap();
        }
    }
}

/// Runs a sum whose members drop out before their keys, shares, summands and shares of the masks.
fn run(
    members: u32,
    threshold: usize,
    gone: &[BTreeSet<SiloId>; 4],
) -> Result<(BTreeSet<SiloId>, RingVector), TooFew> {
    let mut sum = Sum::of(members, threshold);
    sum.drop_out(&gone[0]);
    sum.show_keys();
    sum.drop_out(&gone[1]);
    sum.step()?;
    sum.step()?;
    sum.drop_out(&gone[2]);
    sum.send_summands();
    sum.drop_out(&gone[3]);
    sum.step()?;
    sum.step()?;
    assert!(sum.server.is_done());
    Ok((sum.server.survivors().clone(), sum.server.unmask().unwrap()))
}

fn none() -> [BTreeSet<SiloId>; 4] {
    [const { BTreeSet::new() }; 4]
}

#[test]
fn masked_and_unmasked_sums_are_the_same() {
    for members in [2, 3, 10] {
        let (survivors, sum) = run(members, members as usize / 2 + 1, &none()).unwrap();
        assert_eq!(survivors.len(), members as usize);
        assert_eq!(sum, plain_sum(&survivors));
    }
}

/// Any one of five may go at any step; whose summand had come stays in the sum.
#[test]
fn a_drop_out_at_any_step_leaves_the_sum_of_the_others() {
    for step in 0..4 {
        for silo in 0..5 {
            let mut gone = none();
            gone[step].insert(SiloId(silo));
            let (survivors, sum) = run(5, 3, &gone).unwrap();
            assert_eq!(survivors.len(), if step == 3 { 5 } else { 4 });
            assert_eq!(sum, plain_sum(&survivors), "step {step}, silo {silo}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The sum of the survivors, or the error that says how many are left.
    #[test]
    fn any_drop_outs_give_the_sum_of_the_survivors_or_too_few(
        members in 2u32..9,
        more in 0usize..9,
        fates in prop::collection::vec(0usize..12, 9),
    ) {
        let threshold = (members as usize / 2 + 1 + more).min(members as usize);
        let mut gone = none();
        let mut left = members as usize;
        for silo in 0..members {
            if let Some(gone) = gone.get_mut(fates[silo as usize]) {
                gone.insert(SiloId(silo));
                left -= 1;
            }
        }
        match run(members, threshold, &gone) {
            Ok((survivors, sum)) => {
                prop_assert!(left >= threshold);
                prop_assert_eq!(survivors.len(), left + gone[3].len());
                prop_assert_eq!(sum, plain_sum(&survivors));
            }
            Err(TooFew { left: counted, threshold: needed }) => {
                prop_assert!(left < threshold && counted < threshold && needed == threshold);
            }
        }
    }
}

/// What the server holds when a member has dropped out is not its summand: its own mask stays on until enough others open it.
#[test]
fn the_servers_view_of_one_summand_changes_with_every_secret() {
    let mut sum = Sum::of(3, 2);
    sum.show_keys();
    sum.step().unwrap();
    sum.step().unwrap();
    let first = sum.masked(SiloId(0));
    let other_context = Setting {
        context: [8; 32],
        threshold: 2,
    };
    let mut other = Sum::of(3, 2);
    other.members = (0..3)
        .map(|silo| (SiloId(silo), member(silo, other_context)))
        .collect();
    other.server = Collector::new(other_context, (0..3).map(SiloId).collect(), LENGTH);
    other.show_keys();
    other.step().unwrap();
    other.step().unwrap();
    assert_ne!(
        first,
        other.masked(SiloId(0)),
        "the same secret in another context"
    );
}

#[test]
fn a_member_opens_one_secret_of_each_and_only_once() {
    let mut sum = Sum::of(4, 3);
    sum.show_keys();
    sum.step().unwrap();
    sum.step().unwrap();
    let member = sum.members.get_mut(&SiloId(0)).unwrap();
    let survivors = |silos: &[u32]| silos.iter().copied().map(SiloId).collect::<BTreeSet<_>>();
    // Too few, a stranger, or without itself.
    for bad in [&[0, 1][..], &[0, 1, 9], &[1, 2, 3]] {
        assert_eq!(member.open(&survivors(bad)), Err(MemberError::Survivors));
    }
    let FromMember::Opened(opened) = member.open(&survivors(&[0, 1, 2])).unwrap() else {
        panic!("it opens")
    };
    let Opened {
        own_masks,
        mask_keys,
    } = &opened;
    assert_eq!(
        own_masks.keys().copied().collect::<BTreeSet<_>>(),
        survivors(&[0, 1, 2])
    );
    assert_eq!(
        mask_keys.keys().copied().collect::<BTreeSet<_>>(),
        survivors(&[3])
    );
    let again = member.open(&survivors(&[0, 1, 2])).unwrap();
    assert_eq!(again, FromMember::Opened(opened));
    assert_eq!(
        member.open(&survivors(&[0, 1, 2, 3])),
        Err(MemberError::OutOfTurn)
    );
}

#[test]
fn a_member_refuses_lists_that_would_betray_it() {
    let setting = setting(3);
    let keys = |silos: std::ops::Range<u32>| -> BTreeMap<_, _> {
        let key = |silo| match member(silo, setting).keys() {
            FromMember::Keys(keys) => (SiloId(silo), keys),
            _ => panic!("keys come first"),
        };
        silos.map(key).collect()
    };
    let mut alone = member(0, setting);
    assert_eq!(alone.share(keys(1..5)), Err(MemberError::NotMyKey));
    for (silos, members) in [(0..2, 2), (0..6, 6)] {
        let error = alone.share(keys(silos)).unwrap_err();
        assert_eq!(
            error,
            MemberError::Members {
                members,
                threshold: 3,
                most: 5
            }
        );
    }
    let mut twice = keys(0..4);
    let copied = twice[&SiloId(1)];
    twice.insert(SiloId(2), copied);
    assert_eq!(alone.share(twice), Err(MemberError::BadKey(SiloId(2))));
    let mut weak = keys(0..4);
    weak.get_mut(&SiloId(3)).unwrap().seal = [0; 32];
    assert_eq!(alone.share(weak), Err(MemberError::BadKey(SiloId(3))));
    // A good list is answered, the same again alike, another one not.
    let answer = alone.share(keys(0..4)).unwrap();
    assert_eq!(alone.share(keys(0..4)), Ok(answer));
    assert_eq!(alone.share(keys(0..5)), Err(MemberError::OutOfTurn));
}

#[test]
fn shares_that_were_tampered_with_are_found_out() {
    let mut sum = Sum::of(3, 2);
    sum.show_keys();
    sum.step().unwrap();
    let told: BTreeMap<_, _> = sum.server.advance().unwrap().into_iter().collect();
    let ToMember::Shares(mut shares) = told[&SiloId(0)].clone() else {
        panic!("shares come next")
    };
    let swapped = shares[&SiloId(2)].clone();
    shares.insert(SiloId(1), swapped);
    let member = sum.members.get_mut(&SiloId(0)).unwrap();
    assert_eq!(
        member.receive(shares).unwrap_err(),
        MemberError::BadShares(SiloId(1))
    );
}

#[test]
fn a_wrong_share_is_an_error_and_not_a_wrong_sum() {
    let mut sum = Sum::of(3, 2);
    sum.show_keys();
    sum.step().unwrap();
    sum.step().unwrap();
    sum.send_summands();
    for (silo, told) in sum.server.advance().unwrap() {
        let ToMember::Survivors(survivors) = told else {
            panic!("masks are to be taken off")
        };
        let FromMember::Opened(mut opened) = sum
            .members
            .get_mut(&silo)
            .unwrap()
            .open(&survivors)
            .unwrap()
        else {
            panic!("it opens")
        };
        if silo == SiloId(1) {
            opened.own_masks.get_mut(&SiloId(0)).unwrap()[0] ^= 1;
        }
        sum.server.handle(silo, FromMember::Opened(opened)).unwrap();
    }
    sum.server.advance().unwrap();
    assert_eq!(sum.server.unmask(), Err(WrongShares(SiloId(0))));
}

#[test]
fn the_server_takes_each_answer_once_and_in_turn() {
    let mut sum = Sum::of(3, 2);
    let early = sum.server.add(SiloId(0), &summand(SiloId(0)));
    assert_eq!(early, Err(MemberRefusal::OutOfTurn));
    sum.show_keys();
    let other = member(9, setting(2)).keys();
    assert_eq!(
        sum.server.handle(SiloId(0), other),
        Ok(false),
        "a second key changes nothing"
    );
    sum.step().unwrap();
    let short = FromMember::Shares(BTreeMap::new());
    sum.step().unwrap();
    assert_eq!(sum.server.handle(SiloId(0), short), Ok(false), "late");
    sum.send_summands();
    sum.send_summands();
    assert_eq!(
        sum.server.add(SiloId(0), &RingVector::zeros(1)),
        Ok(false),
        "repeated"
    );
    sum.step().unwrap();
    sum.step().unwrap();
    assert_eq!(
        sum.server.unmask(),
        Ok(plain_sum(&[SiloId(0), SiloId(1), SiloId(2)]))
    );
}
