//! Subjects with a mean of their own, whatever is to be predicted about their records.
//!
//! Subject `s` has a mean `μ_s ~ N(0, spread² I)` and a shift `b_s ~ N(0, shift² I)`; a record of it in
//! silo `h` is `x ~ N(μ_s + m_h, within² I)`, and its label is drawn from `x` and `b_s + b_h`, where
//! `m_h` and `b_h` are the silo's ([`SiloWorld`]) and zero without silos.

use super::check;
use super::people::People;
use super::record_count::RecordCount;
use super::silo_world::{Places, SiloWorld};
use crate::DataError;
use primitives::normal;
use primitives::{Seed, SiloId};
use rand_chacha::ChaCha20Rng;

/// What a generator of a crowd may be left to decide.
pub(super) mod defaults {
    use super::RecordCount;

    pub(in super::super) const fn records_per_subject() -> RecordCount {
        RecordCount::Fixed(16)
    }
    pub(in super::super) const fn test_subjects() -> u32 {
        60
    }
    pub(in super::super) const fn features() -> u32 {
        20
    }
    pub(in super::super) const fn spread() -> f64 {
        1.0
    }
    pub(in super::super) const fn within() -> f64 {
        0.6
    }
}

/// The numbers of a crowd, as its generator was given them.
pub(super) struct Crowd<'a> {
    /// The generator's `kind`, for errors.
    pub kind: &'static str,
    pub subjects: u32,
    pub test_subjects: u32,
    pub records: RecordCount,
    pub features: u32,
    pub spread: f64,
    pub within: f64,
    pub shift: f64,
    pub silos: Option<&'a SiloWorld>,
    /// Numbers of a subject's shift.
    pub shifts: usize,
    /// Standard normals that are drawn for each record beside its features.
    pub extras: usize,
}

/// One record before it has a label.
pub(super) struct Unlabelled<'a> {
    /// Features. Shape: `[features]`.
    pub x: &'a [f64],
    /// Shift of its subject and its silo together. Shape: `[shifts]`.
    pub shift: &'a [f64],
    /// Standard normals. Shape: `[extras]`.
    pub extras: &'a [f64],
    pub silo: Option<SiloId>,
}

/// A crowd's records.
pub(super) struct Drawn<L> {
    pub people: People,
    pub places: Option<Places>,
    /// Shape: `[records × features]`.
    pub features: Vec<f32>,
    pub labels: Vec<L>,
}

impl Crowd<'_> {
    /// Draws subject after subject from `rng`, test subjects last; each record's label by `label`.
    ///
    /// How many records a subject has and what is peculiar to silos comes from other streams of `seed`,
    /// so that neither changes what else is drawn.
    pub(super) fn draw<L>(
        &self,
        seed: &Seed,
        rng: &mut ChaCha20Rng,
        mut label: impl FnMut(&Unlabelled<'_>, &mut ChaCha20Rng) -> L,
    ) -> Drawn<L> {
        let (d, shifts) = (self.features as usize, self.shifts);
        let people = People {
            counts: self.records.draw(self.subjects + self.test_subjects, seed),
            train: self.subjects,
        };
        let places = self.silos.map(|silos| silos.draw(&people, d, shifts, seed));
        let mut features = Vec::with_capacity(people.records() * d);
        let mut labels = Vec::with_capacity(people.records());
        // Of one subject: its mean, its shift, each record's deviation from the mean, each record's extras.
        let mut normals = Vec::new();
        let mut together = vec![0.0; shifts];
        for &records in &people.counts {
            let records = records as usize;
            normals.resize(d + shifts + records * (d + self.extras), 0.0);
            normal::fill(rng, &mut normals);
            let (mean, rest) = normals.split_at_mut(d);
            let (shift, rest) = rest.split_at_mut(shifts);
            let (deviations, extras) = rest.split_at_mut(records * d);
            for mean in mean.iter_mut() {
                *mean *= self.spread;
            }
            for shift in shift.iter_mut() {
                *shift *= self.shift;
            }
            for (i, x) in deviations.chunks_exact_mut(d).enumerate() {
                for (x, mean) in x.iter_mut().zip(&*mean) {
                    *x = mean + self.within * *x;
                }
                together.copy_from_slice(shift);
                let silo = places.as_ref().map(|places| {
                    let silo = places.of_records[labels.len()];
                    add(x, &places.means[silo.index() * d..][..d]);
                    add(
                        &mut together,
                        &places.shifts[silo.index() * shifts..][..shifts],
                    );
                    silo
                });
                let record = Unlabelled {
                    x,
                    shift: &together,
                    extras: &extras[i * self.extras..][..self.extras],
                    silo,
                };
                labels.push(label(&record, rng));
                features.extend(x.iter().map(|&x| x as f32));
            }
        }
        Drawn {
            people,
            places,
            features,
            labels,
        }
    }

    /// Refuses numbers out of range.
    pub(super) fn check(&self) -> Result<(), DataError> {
        let at_least = |key, given: u32, least: u32| {
            let allowed = format!("a whole number of at least {least}");
            check(given >= least, self.kind, key, f64::from(given), &allowed)
        };
        at_least("subjects", self.subjects, 2)?;
        self.records.check(self.kind)?;
        at_least("features", self.features, 1)?;
        for (key, given) in [
            ("spread", self.spread),
            ("within", self.within),
            ("shift", self.shift),
        ] {
            let fits = given.is_finite() && given >= 0.0;
            check(fits, self.kind, key, given, "a finite number of at least 0")?;
        }
        if let Some(silos) = self.silos {
            silos.check(self.kind, self.subjects)?;
        }
        let people = f64::from(self.subjects) + f64::from(self.test_subjects);
        let values = people * f64::from(self.records.most()) * f64::from(self.features);
        let allowed = "at most 2^30 numbers over all records";
        let fits = values <= f64::from(1 << 30);
        check(
            fits,
            self.kind,
            "subjects · records · features",
            values,
            allowed,
        )
    }
}

fn add(to: &mut [f64], summand: &[f64]) {
    to.iter_mut()
        .zip(summand)
        .for_each(|(to, summand)| *to += summand);
}
