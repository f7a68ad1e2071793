//! Sixteen blocks of ChaCha20 at once.
//!
//! The words are those of [`ChaCha20Rng`]; drawing them side by side, one vector lane a block, is several times
//! faster where vectors are wide. Noise is otherwise bound by this.

// What is called in a loop must be compiled with the loop's vectors.
#![allow(clippy::inline_always)]

use crate::NoiseStream;
use pulp::Simd;
use rand::Rng;
use rand_chacha::ChaCha20Rng;

/// Blocks made at once.
pub(crate) const BLOCKS: usize = 16;

/// Words of a block.
pub(crate) const WORDS: usize = 16;

/// `words[w][b]` is word `w` of block `b`.
pub(crate) type Words = [[u32; BLOCKS]; WORDS];

/// The keystream of a generator, from the first block that nothing was drawn from.
pub(crate) struct Keystream<'a> {
    rng: &'a mut ChaCha20Rng,
    key: [u32; 8],
    stream: u64,
    block: u64,
}

impl<'a> Keystream<'a> {
    pub(crate) fn of(rng: &'a mut ChaCha20Rng) -> Self {
        let NoiseStream { key, stream, block } = NoiseStream::of(rng);
        Self {
            rng,
            key,
            stream,
            block,
        }
    }

    /// The number of the block that comes next.
    pub(crate) const fn block(&self) -> u64 {
        self.block
    }

    /// Words `2 i` and `2 i + 1` of the block half the stream away from `block`, which nothing else reads.
    pub(crate) fn far(&self, block: u64, i: usize) -> u64 {
        let mut rng = self.rng.clone();
        rng.set_word_pos(u128::from(block ^ 1 << 63) * WORDS as u128 + 2 * i as u128);
        rng.next_u64()
    }

    /// The next `N` times sixteen blocks. Two at a time keep wide machines busy while results travel.
    #[inline(always)]
    pub(crate) fn next<S: Simd, const N: usize>(&mut self, simd: S, blocks: &mut [Words; N]) {
        let (constants, _) = b"expand 32-byte k".as_chunks::<4>();
        let mut fixed = [simd.splat_u32s(0); WORDS];
        for (word, constant) in fixed.iter_mut().zip(constants) {
            *word = simd.splat_u32s(u32::from_le_bytes(*constant));
        }
        for (word, key) in fixed[4..].iter_mut().zip(self.key) {
            *word = simd.splat_u32s(key);
        }
        fixed[14] = simd.splat_u32s(self.stream as u32);
        fixed[15] = simd.splat_u32s((self.stream >> 32) as u32);
        let counters: [[u64; BLOCKS]; N] = std::array::from_fn(|n| {
            std::array::from_fn(|block| self.block.wrapping_add((n * BLOCKS + block) as u64))
        });
        let low = counters.map(|counters| counters.map(|counter| counter as u32));
        let high = counters.map(|counters| counters.map(|counter| (counter >> 32) as u32));
        self.block = self.block.wrapping_add((N * BLOCKS) as u64);

        for group in 0..BLOCKS / S::U32_LANES {
            let mut start = [fixed; N];
            for n in 0..N {
                start[n][12] = S::as_simd_u32s(&low[n]).0[group];
                start[n][13] = S::as_simd_u32s(&high[n]).0[group];
            }
            let end = permute(simd, start);
            for (words, end) in blocks.iter_mut().zip(end) {
                for (row, end) in words.iter_mut().zip(end) {
                    S::as_mut_simd_u32s(row).0[group] = end;
                }
            }
        }
    }
}

impl Drop for Keystream<'_> {
    /// Moves the generator behind the last block that was taken.
    fn drop(&mut self) {
        self.rng
            .set_word_pos(u128::from(self.block) * WORDS as u128);
    }
}

/// `chacha20_block` of RFC 8439, section 2.3, in every lane of `N` sets of vectors.
#[inline(always)]
fn permute<S: Simd, const N: usize>(
    simd: S,
    start: [[S::u32s; WORDS]; N],
) -> [[S::u32s; WORDS]; N] {
    let mut x = start;
    for _ in 0..10 {
        quarter_round(simd, &mut x, [0, 4, 8, 12]);
        quarter_round(simd, &mut x, [1, 5, 9, 13]);
        quarter_round(simd, &mut x, [2, 6, 10, 14]);
        quarter_round(simd, &mut x, [3, 7, 11, 15]);
        quarter_round(simd, &mut x, [0, 5, 10, 15]);
        quarter_round(simd, &mut x, [1, 6, 11, 12]);
        quarter_round(simd, &mut x, [2, 7, 8, 13]);
        quarter_round(simd, &mut x, [3, 4, 9, 14]);
    }
    for (x, start) in x.iter_mut().zip(start) {
        for (end, start) in x.iter_mut().zip(start) {
            *end = simd.add_u32s(*end, start);
        }
    }
    x
}

#[inline(always)]
fn quarter_round<S: Simd, const N: usize>(
    simd: S,
    x: &mut [[S::u32s; WORDS]; N],
    [a, b, c, d]: [usize; 4],
) {
    for (target, with, turned, bits) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        for x in &mut *x {
            x[target] = simd.add_u32s(x[target], x[with]);
            let word = simd.xor_u32s(x[turned], x[target]);
            let left = simd.wrapping_dyn_shl_u32s(word, simd.splat_u32s(bits));
            let right = simd.wrapping_dyn_shr_u32s(word, simd.splat_u32s(32 - bits));
            x[turned] = simd.or_u32s(left, right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Round, Seed, SiloId, Stream};

    struct Next<'a, 'b, const N: usize>(&'a mut Keystream<'b>);

    impl<const N: usize> pulp::WithSimd for Next<'_, '_, N> {
        type Output = [Words; N];

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let mut blocks = [[[0; BLOCKS]; WORDS]; N];
            self.0.next(simd, &mut blocks);
            blocks
        }
    }

    #[test]
    fn the_words_are_those_of_the_generator() {
        let stream = Stream::silo(Role::Noise, SiloId(70_000), Round(9));
        let mut fast = Seed::from_number(3).stream(stream);
        let mut slow = fast.clone();
        // A counter that carries into its upper word on the way, and a block that was begun.
        for rng in [&mut fast, &mut slow] {
            rng.set_word_pos(((1 << 32) - 20) * WORDS as u128 - 3);
        }
        slow.set_word_pos(((1 << 32) - 20) * WORDS as u128);
        let mut keystream = Keystream::of(&mut fast);
        let first = keystream.block();
        let [one] = pulp::Arch::new().dispatch(Next::<1>(&mut keystream));
        let two = pulp::Arch::new().dispatch(Next::<2>(&mut keystream));
        for words in [one].iter().chain(&two) {
            for block in 0..BLOCKS {
                for row in words {
                    assert_eq!(row[block], slow.next_u32());
                }
            }
        }
        let far = keystream.far(first, 3);
        drop(keystream);
        assert_eq!(
            fast.next_u64(),
            slow.next_u64(),
            "the generator goes on behind the last block"
        );
        slow.set_word_pos(((1 << 63) + u128::from(first)) * WORDS as u128 + 6);
        assert_eq!(far, slow.next_u64());
    }
}
