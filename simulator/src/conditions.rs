//! The network, the speed and the outages of a simulated federation, as its scenario has them.

use primitives::{Role, Round, Seed, SiloId, Stream};
use scenarios::NetworkConfig;
use std::collections::BTreeMap;
use std::time::Duration;
use transport::{MemoryNetwork, OutageClock, Parcel};

/// What the silos' surroundings do to them. All of it follows from the run's seed and the moment; what is drawn for
/// a round comes out of streams of that round, so that a resumed run draws the same.
pub struct Conditions {
    config: NetworkConfig,
    seed: Seed,
    /// Silos that come and go.
    clocks: BTreeMap<SiloId, OutageClock>,
}

impl Conditions {
    /// The conditions of `silos` at the moment `now`.
    pub fn new(
        config: NetworkConfig,
        seed: Seed,
        silos: impl Iterator<Item = SiloId>,
        now: Duration,
    ) -> Self {
        // Rounds have the small numbers.
        let outages = seed.child(Role::Network, u64::MAX);
        let clocks = silos.filter_map(|silo| {
            let mut clock = OutageClock::new(config.outages(silo)?, &outages, silo);
            clock.advance_to(now);
            Some((silo, clock))
        });
        Self {
            clocks: clocks.collect(),
            config,
            seed,
        }
    }

    /// The links between all silos and the coordinator, idle, in `round` and from the moment `now`.
    pub fn network<P: Parcel>(&self, round: Round, now: Duration) -> MemoryNetwork<P> {
        let mut network = MemoryNetwork::new(self.config.link(), self.seed_of(round));
        for (silo, link) in self.config.links() {
            network.set_link(silo, link);
        }
        network.advance_to(now);
        network
    }

    /// How long `silo` trains in `round`.
    pub fn training_time(&self, silo: SiloId, round: Round) -> Duration {
        let (least, jitter) = self.config.training_time(silo);
        // The links of the round have the streams 0 and 1 of every silo.
        let stream = Stream::silo(Role::Network, silo, Round(2));
        least.duration() + jitter.draw_part(&self.seed_of(round), stream)
    }

    /// Whether `silo` can be reached.
    pub fn is_up(&self, silo: SiloId) -> bool {
        self.clocks.get(&silo).is_none_or(OutageClock::is_up)
    }

    /// Whether nothing changes for `silo` up to and at `moment`.
    pub fn stays_as_it_is(&self, silo: SiloId, moment: Duration) -> bool {
        let change = self.clocks.get(&silo).and_then(OutageClock::next_change);
        change.is_none_or(|change| change > moment)
    }

    /// When the next silo goes or comes, if ever.
    pub fn next_change(&self) -> Option<Duration> {
        self.clocks
            .values()
            .filter_map(OutageClock::next_change)
            .min()
    }

    /// Lets time pass until `now`, and says who has gone (false) or come (true) meanwhile, in the order of ids.
    pub fn advance_to(&mut self, now: Duration) -> Vec<(SiloId, bool)> {
        let mut changed = Vec::new();
        for (&silo, clock) in &mut self.clocks {
            let before = clock.is_up();
            clock.advance_to(now);
            if clock.is_up() != before {
                changed.push((silo, clock.is_up()));
            }
        }
        changed
    }

    fn seed_of(&self, round: Round) -> Seed {
        self.seed.child(Role::Network, round.0.into())
    }
}
