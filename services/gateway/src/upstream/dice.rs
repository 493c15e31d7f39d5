//! Randomness for spreading load: fast, not secret.

use std::cell::Cell;

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016).
pub struct Dice(Cell<u64>);

impl Dice {
    /// Any seed will do.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed | 1))
    }

    /// A number from 0 to `bound - 1`; 0 when `bound` is 0.
    pub fn below(&self, bound: usize) -> usize {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        let high = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        // Lemire's multiplication instead of a division.
        usize::try_from(high.wrapping_mul(bound as u64) >> 32).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_comes_up_about_as_often() {
        let dice = Dice::new(42);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[dice.below(6)] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }
}
