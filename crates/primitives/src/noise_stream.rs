//! Where in a random stream noise begins, for whoever draws it elsewhere.

use crate::keystream::WORDS;
use crate::noise;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// A place in a generator's stream: what a device needs to draw the normals that [`noise`] draws there.
///
/// ChaCha20 is a counter-based generator: block `block` of the keystream of `key` and `stream` follows from these three
/// numbers alone (RFC 8439, section 2.3, with a counter and a nonce of 64 bits each).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseStream {
    /// The cipher's key, as words in their order.
    pub key: [u32; 8],
    /// The cipher's nonce.
    pub stream: u64,
    /// The first block that nothing was drawn from.
    pub block: u64,
}

impl NoiseStream {
    /// Where `rng` stands.
    pub fn of(rng: &ChaCha20Rng) -> Self {
        let seed = rng.get_seed();
        let (words, _) = seed.as_chunks::<4>();
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(words) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self {
            key,
            stream: rng.get_stream(),
            block: rng.get_word_pos().div_ceil(WORDS as u128) as u64,
        }
    }

    /// Where the stream stands after `length` normals were drawn at once.
    #[must_use]
    pub const fn after(mut self, length: usize) -> Self {
        self.block = self.block.wrapping_add(noise::blocks(length));
        self
    }

    /// Draws the normals of this place into `out`.
    pub fn fill(&self, out: &mut [f32]) {
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(4).zip(self.key) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut rng = ChaCha20Rng::from_seed(seed);
        rng.set_stream(self.stream);
        rng.set_word_pos(u128::from(self.block) * WORDS as u128);
        out.fill(0.0);
        noise::add(&mut rng, 1.0, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Seed, Stream};

    #[test]
    fn a_place_draws_what_the_generator_draws_there() {
        let mut rng = Seed::from_number(5).stream(Stream::run(Role::Noise));
        let mut place = NoiseStream::of(&rng);
        for length in [1, 511, 512, 513, 3000] {
            let (mut drawn, mut again) = (vec![0.0; length], vec![1.0; length]);
            noise::add(&mut rng, 1.0, &mut drawn);
            place.fill(&mut again);
            assert_eq!(drawn, again);
            place = place.after(length);
            assert_eq!(place, NoiseStream::of(&rng), "after {length}");
        }
    }
}
