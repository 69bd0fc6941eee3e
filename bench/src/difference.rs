//! Whether something makes a difference where everything differs all the time.
//!
//! Slices with it and slices without are measured in pairs, side by side, so that both see the same machine. If it makes no
//! difference, which of the two lost more was a throw of a coin: of all ways in which the coins could have fallen, the part
//! that shows a difference at least as large as the one seen is the probability that chance alone shows it (a permutation
//! test of the paired mean; it assumes nothing of how losses are distributed). How large the difference can be is said by
//! drawing the pairs again and again with replacement (a bootstrap), which of a few pairs is a rough answer.

use crate::noise::Noise;

/// What pairs say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// How much more there is with it, on average.
    pub mean: f64,
    /// How likely chance alone shows so much or more.
    pub chance: f64,
    /// What the difference is at most, with a confidence of 95 %.
    pub at_most: f64,
}

impl Difference {
    /// Of pairs: with it, and without.
    #[must_use]
    pub fn of_pairs(pairs: &[(f64, f64)]) -> Self {
        let more: Vec<f64> = pairs.iter().map(|(with, without)| with - without).collect();
        let seen: f64 = more.iter().sum();
        Self { mean: seen / count(more.len()), chance: chance(&more, seen), at_most: at_most(&more) }
    }

    /// Whether it cannot well be chance.
    #[must_use]
    pub fn is_significant(&self) -> bool {
        self.chance < 0.05
    }
}

/// The part of all signs of the differences with which their sum is as large as it was seen.
fn chance(more: &[f64], seen: f64) -> f64 {
    // Sums of the same numbers in another order differ in their last digits.
    let is_as_large = |sum: f64| sum >= seen - 1e-9 * seen.abs().max(1.0);
    if more.len() <= MOST_EXACT {
        let all = 1_u32 << more.len();
        let sum = |signs: u32| more.iter().enumerate().map(|(place, more)| signed(*more, signs >> place)).sum();
        let as_large = (0..all).filter(|signs| is_as_large(sum(*signs))).count();
        return count(as_large) / f64::from(all);
    }
    let mut noise = Noise(1);
    let mut throw = || more.iter().map(|more| signed(*more, u32::from(noise.next() >> 63 != 0))).sum();
    let as_large = (0..DRAWS).filter(|_throw| is_as_large(throw())).count();
    // The one that was seen is one of them.
    count(as_large + 1) / count(DRAWS + 1)
}

fn signed(number: f64, sign: u32) -> f64 {
    if sign & 1 == 0 { number } else { -number }
}

/// The mean that 95 % of the draws with replacement stay below.
fn at_most(more: &[f64]) -> f64 {
    if more.is_empty() {
        return f64::INFINITY;
    }
    let mut noise = Noise(2);
    let mut draw = || more.iter().map(|_one| more[noise.below(more.len())]).sum::<f64>() / count(more.len());
    let mut means: Vec<f64> = (0..DRAWS).map(|_draw| draw()).collect();
    means.sort_by(f64::total_cmp);
    means[DRAWS * 95 / 100]
}

#[expect(clippy::cast_precision_loss, reason = "pairs and draws are few")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Pairs of which every combination of signs is tried; of more, some are drawn.
const MOST_EXACT: usize = 16;

const DRAWS: usize = 20_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_slices_that_lose_nothing_nothing_can_be_said_but_that() {
        let nothing = Difference::of_pairs(&[(0.0, 0.0); 8]);
        assert_eq!(nothing, Difference { mean: 0.0, chance: 1.0, at_most: 0.0 });
    }

    #[test]
    fn a_difference_in_every_pair_is_as_unlikely_as_all_coins_alike() {
        let always = Difference::of_pairs(&[(5.0, 1.0), (9.0, 2.0), (4.0, 0.0), (7.0, 3.0), (8.0, 1.0)]);
        assert!((always.chance - 1.0 / 32.0).abs() < 1e-12 && always.is_significant(), "{always:?}");
        assert!((always.mean - 5.2).abs() < 1e-12 && always.at_most >= always.mean, "{always:?}");
    }

    #[test]
    fn one_bad_slice_among_many_proves_nothing() {
        let mut pairs = [(0.0, 0.0); 8];
        pairs[3] = (100_000.0, 0.0);
        let once = Difference::of_pairs(&pairs);
        assert!((once.chance - 0.5).abs() < 1e-12 && !once.is_significant(), "{once:?}");
    }

    #[test]
    fn many_pairs_are_drawn_from_and_come_to_the_same() {
        let more: Vec<f64> = (0..MOST_EXACT + 1).map(|n| if n % 3 == 0 { -2.0 } else { 1.5 }).collect();
        let seen = more.iter().sum();
        let drawn = chance(&more, seen);
        // What one more pair without any difference does not change.
        let exact = {
            let all = 1_u32 << more.len();
            let sum = |signs: u32| more.iter().enumerate().map(|(at, more)| signed(*more, signs >> at)).sum::<f64>();
            count((0..all).filter(|signs| sum(*signs) >= seen - 1e-9).count()) / f64::from(all)
        };
        assert!((drawn - exact).abs() < 0.015, "{drawn} drawn, {exact} of all");
    }

    proptest! {
        #[test]
        fn a_chance_is_a_part_of_all_and_what_is_turned_round_is_as_likely_as_it_is_not(
            pairs in proptest::collection::vec((0_u32..100, 0_u32..100), 1..10),
        ) {
            let pairs: Vec<(f64, f64)> = pairs.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).collect();
            let turned: Vec<(f64, f64)> = pairs.iter().map(|(a, b)| (*b, *a)).collect();
            let (one, other) = (Difference::of_pairs(&pairs), Difference::of_pairs(&turned));
            prop_assert!(one.chance > 0.0 && one.chance <= 1.0);
            // Both count what is as large as seen, so that they overlap and are no less than the whole.
            prop_assert!(one.chance + other.chance >= 1.0 - 1e-9, "{one:?} {other:?}");
            prop_assert!((one.mean + other.mean).abs() < 1e-9);
        }
    }
}
