//! Dealing the records of one subject to the silos that hold it.

use super::PartitionError;
use super::SpreadConfig;
use primitives::SiloId;
use rand::{Rng, RngExt};

/// Over how many silos a subject with `records` records scatters: what `spread` says, or one.
pub(super) fn silos_of_subject(
    spread: Option<SpreadConfig>,
    records: usize,
    silos: u32,
    rng: &mut dyn Rng,
) -> Result<usize, PartitionError> {
    let wanted = match spread {
        None => 1,
        Some(spread) => {
            spread.check_silos(silos)?;
            spread.draw(rng)
        }
    };
    Ok((wanted as usize).min(records))
}

/// `count` different silos, `home` first, the others drawn in proportion to `weights`.
pub(crate) fn choose_silos(
    home: SiloId,
    count: usize,
    weights: &[f64],
    rng: &mut dyn Rng,
) -> Vec<SiloId> {
    let mut left = weights.to_vec();
    let mut chosen = vec![home];
    left[home.index()] = 0.0;
    while chosen.len() < count {
        let next = draw_index(&left, rng);
        left[next] = 0.0;
        chosen.push(SiloId(next as u32));
    }
    chosen
}

/// An index drawn in proportion to `weights`, of which at least one is above zero.
pub(crate) fn draw_index(weights: &[f64], rng: &mut dyn Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let mut last = 0;
    for (i, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            last = i;
            if left < weight {
                return i;
            }
            left -= weight;
        }
    }
    last
}
