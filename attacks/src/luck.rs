//! How large an AUC is by luck.

/// Chance of an AUC of at least `u / (inside · outside)`, for every `u` from 0, if members and non-members are alike and
/// no two scores are equal: the exact upper tail of Mann and Whitney's `U`.
///
/// By the recurrence of Mann and Whitney 1947 ("On a Test of Whether one of Two Random Variables is Stochastically
/// Larger than the Other"): the greatest score is a member's, and beats all `outside`, or a non-member's.
pub fn by_luck(inside: usize, outside: usize) -> Vec<f64> {
    // law[n][u]: chance of U = u for the members so far and n non-members.
    let mut law: Vec<Vec<f64>> = vec![vec![1.0]; outside + 1];
    for m in 1..=inside {
        let mut next: Vec<Vec<f64>> = Vec::with_capacity(outside + 1);
        for (n, fewer) in law.iter().enumerate() {
            let all = (m + n) as f64;
            let mut chances = vec![0.0; m * n + 1];
            for (u, chance) in fewer.iter().enumerate() {
                chances[u + n] += chance * m as f64 / all;
            }
            if n > 0 {
                for (u, chance) in next[n - 1].iter().enumerate() {
                    chances[u] += chance * n as f64 / all;
                }
            }
            next.push(chances);
        }
        law = next;
    }
    let mut tail = law.swap_remove(outside);
    for u in (0..tail.len() - 1).rev() {
        tail[u] += tail[u + 1];
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_all_orders() {
        // All orders of 3 members and 2 non-members, counted.
        let mut counts = [0u32; 7];
        for places in 0..32u32 {
            if places.count_ones() != 3 {
                continue;
            }
            let below = |i: u32| (0..i).filter(|j| (places >> j) & 1 == 0).count();
            let u: usize = (0..5).filter(|i| (places >> i) & 1 == 1).map(below).sum();
            counts[u] += 1;
        }
        let tail = by_luck(3, 2);
        for (u, found) in tail.iter().enumerate() {
            let expected = f64::from(counts[u..].iter().sum::<u32>()) / 10.0;
            assert!((found - expected).abs() < 1e-12, "{u}");
        }
        // 8 against 8: all above all in one of C(16, 8) = 12,870 orders.
        assert!((by_luck(8, 8)[64] - 1.0 / 12_870.0).abs() < 1e-15);
        assert!((by_luck(8, 8)[0] - 1.0).abs() < 1e-12);
    }
}
