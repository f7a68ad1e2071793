//! Who of the roster is here and what they are doing, for people to see.

use primitives::{Round, SiloId};
use std::collections::BTreeMap;
use std::fmt;

/// What one silo is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It has not come yet.
    Awaited,
    /// It has joined and was not asked for anything.
    Waiting,
    /// It was asked to train.
    Training,
    /// It has answered.
    Answered,
    /// Its answer did not come in time.
    Late,
    /// Its connection is lost.
    Gone,
    /// It broke the rules and is out.
    Barred,
}

/// The roster at this moment.
#[derive(Debug)]
pub struct Members {
    round: Round,
    doing: BTreeMap<SiloId, Doing>,
}

impl Members {
    /// A roster of which nobody has come yet.
    pub fn new(roster: impl Iterator<Item = SiloId>) -> Self {
        Self {
            round: Round::UNTRAINED,
            doing: roster.map(|silo| (silo, Doing::Awaited)).collect(),
        }
    }

    /// Takes note of what a silo is doing. Nothing follows being barred.
    pub fn set(&mut self, silo: SiloId, doing: Doing) {
        if let Some(before) = self
            .doing
            .get_mut(&silo)
            .filter(|before| **before != Doing::Barred)
        {
            *before = doing;
        }
    }

    /// A silo is here again: what it was doing before it was gone is seen from its messages.
    pub fn arrive(&mut self, silo: SiloId) {
        self.set(silo, Doing::Waiting);
    }

    /// A round has begun.
    pub fn begin(&mut self, round: Round, cohort: impl Iterator<Item = SiloId>) {
        self.round = round;
        for doing in self.doing.values_mut() {
            if matches!(doing, Doing::Training | Doing::Answered | Doing::Late) {
                *doing = Doing::Waiting;
            }
        }
        for silo in cohort {
            if self.doing.get(&silo) == Some(&Doing::Waiting) {
                self.set(silo, Doing::Training);
            }
        }
    }

    /// How many silos have a connection.
    pub fn here(&self) -> usize {
        let away = [Doing::Awaited, Doing::Gone, Doing::Barred];
        self.doing
            .values()
            .filter(|doing| !away.contains(doing))
            .count()
    }
}

impl fmt::Display for Members {
    /// `round 4: 2 training, 1 answered; awaited: silo 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |doing| self.doing.values().filter(|found| **found == doing).count();
        if self.round == Round::UNTRAINED {
            write!(f, "{} of {} silos here", self.here(), self.doing.len())?;
        } else {
            write!(
                f,
                "{}: {} training, {} answered",
                self.round,
                count(Doing::Training),
                count(Doing::Answered)
            )?;
        }
        for (doing, word) in [
            (Doing::Awaited, "awaited"),
            (Doing::Late, "late"),
            (Doing::Gone, "gone"),
            (Doing::Barred, "barred"),
        ] {
            let silos: Vec<String> = self
                .doing
                .iter()
                .filter(|(_, found)| **found == doing)
                .map(|(silo, _)| silo.0.to_string())
                .collect();
            match silos.len() {
                0 => {}
                1..=8 => write!(f, "; {word}: silo {}", silos.join(", "))?,
                more => write!(f, "; {word}: {more} silos")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_is_missing() {
        let mut members = Members::new((0..4).map(SiloId));
        members.arrive(SiloId(0));
        members.arrive(SiloId(1));
        assert_eq!(members.to_string(), "2 of 4 silos here; awaited: silo 2, 3");
        members.arrive(SiloId(2));
        members.begin(Round(3), (0..4).map(SiloId));
        members.set(SiloId(1), Doing::Answered);
        members.set(SiloId(2), Doing::Gone);
        members.set(SiloId(3), Doing::Barred);
        members.arrive(SiloId(3));
        assert_eq!(
            members.to_string(),
            "round 3: 1 training, 1 answered; gone: silo 2; barred: silo 3"
        );
        assert_eq!(members.here(), 2);
        members.begin(Round(4), [SiloId(0)].into_iter());
        assert_eq!(
            members.to_string(),
            "round 4: 1 training, 0 answered; gone: silo 2; barred: silo 3"
        );
    }
}
