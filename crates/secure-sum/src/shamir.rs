//! Shamir's secret sharing over GF(2⁸), byte by byte.
//!
//! `threshold` shares give the secret, fewer tell nothing about it (Shamir 1979). The field is that of AES,
//! `x⁸ + x⁴ + x³ + x + 1`; multiplication runs through all eight bits whatever they are, and looks nothing up in a
//! table, so that neither its time nor its memory accesses depend on a secret.

use rand::Rng;

/// A secret: a key, or the seed of a mask.
pub(crate) type Secret = [u8; 32];

/// The value of a secret's polynomials at one place.
pub(crate) type Share = [u8; 32];

/// Shares of `secret` at `places`, any `threshold` of which give it back. Places are different and not zero.
///
/// Coefficients are drawn from `rng` from the lowest power up, 32 bytes each.
pub(crate) fn split(
    secret: &Secret,
    threshold: usize,
    places: impl Iterator<Item = u8>,
    rng: &mut impl Rng,
) -> Vec<Share> {
    let mut coefficients = vec![*secret];
    for _ in 1..threshold {
        let mut coefficient = [0; 32];
        rng.fill_bytes(&mut coefficient);
        coefficients.push(coefficient);
    }
    let at = |place: u8| {
        // Horner's rule, from the highest power down.
        let mut value = [0; 32];
        for coefficient in coefficients.iter().rev() {
            for (byte, coefficient) in value.iter_mut().zip(coefficient) {
                *byte = times(*byte, place) ^ coefficient;
            }
        }
        value
    };
    places.map(at).collect()
}

/// The secret whose shares these are: the value at zero of the polynomials through them. Their places are different
/// and not zero, which whoever calls has seen to; whether they are enough nobody can see.
pub(crate) fn join(shares: &[(u8, Share)]) -> Secret {
    let mut secret = [0; 32];
    for (i, (place, share)) in shares.iter().enumerate() {
        let mut factor = 1;
        for (j, (other, _)) in shares.iter().enumerate() {
            if i != j {
                factor = times(factor, times(*other, inverse(*other ^ *place)));
            }
        }
        for (byte, share) in secret.iter_mut().zip(share) {
            *byte ^= times(*share, factor);
        }
    }
    secret
}

fn times(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & ((b >> bit) & 1).wrapping_neg();
        a = (a << 1) ^ (0x1b & (a >> 7).wrapping_neg());
    }
    product
}

/// `a²⁵⁴`.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    let mut inverse = 1;
    for _ in 0..7 {
        power = times(power, power);
        inverse = times(inverse, power);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::{Role, Seed, Stream};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// FIPS 197, section 4.2: {57} · {83} = {c1}, {57} · {13} = {fe}; figure 7: the inverse of {53} is {ca}.
    #[test]
    fn golden_products() {
        assert_eq!(times(0x57, 0x83), 0xc1);
        assert_eq!(times(0x57, 0x13), 0xfe);
        assert_eq!(inverse(0x53), 0xca);
        for a in 1..=255 {
            assert_eq!(times(a, inverse(a)), 1);
        }
    }

    /// One share of two, over all lines through a secret byte: every value once, so it tells nothing.
    #[test]
    fn a_share_too_few_tells_nothing() {
        for secret in [0, 1, 0x80] {
            let mut seen = BTreeMap::new();
            for slope in 0..=255 {
                *seen.entry(times(slope, 7) ^ secret).or_insert(0) += 1;
            }
            assert_eq!(seen.len(), 256);
        }
    }

    proptest! {
        #[test]
        fn enough_shares_give_the_secret_and_one_too_few_do_not(
            secret: [u8; 32],
            members in 2u8..20,
            threshold in 2usize..20,
            start in 0usize..20,
        ) {
            let threshold = threshold.min(members.into());
            let mut rng = Seed::from_number(5).stream(Stream::run(Role::Init));
            let shares = split(&secret, threshold, 1..=members, &mut rng);
            let all: Vec<(u8, Share)> = (1..=members).zip(shares).collect();
            let some: Vec<(u8, Share)> =
                all.iter().copied().cycle().skip(start).take(threshold).collect();
            prop_assert_eq!(join(&some), secret);
            prop_assert_eq!(join(&all), secret);
            prop_assert_ne!(join(&some[1..]), secret);
        }
    }
}
