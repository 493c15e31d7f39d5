//! Randomness for spreading load and jitter: fast, not secret, shared by all threads, exact when the seed is known.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use kit::Ids;

/// `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): its state is a counter, so
/// threads share it without a lock.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    /// Any seed will do.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Seeded by the process's source of randomness.
    pub fn seeded(ids: &dyn Ids) -> Self {
        let mut seed = [0; 8];
        ids.random(&mut seed);
        Self::new(u64::from_le_bytes(seed))
    }

    /// From 0 up to but without 1, in steps of 2⁻⁵³.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
    pub fn unit(&self) -> f64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Any length of time up to `most`.
    pub fn up_to(&self, most: Duration) -> Duration {
        most.mul_f64(self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_comes_up_about_as_often() {
        let dice = Dice::new(42);
        let tenths = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            let unit = dice.unit();
            assert!((0.0..1.0).contains(&unit));
            counts[tenths.partition_point(|tenth| *tenth <= unit)] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_seed_decides_everything() {
        let (a, b) = (Dice::new(7), Dice::new(7));
        assert!((0..100).all(|_| a.unit().to_bits() == b.unit().to_bits()));
    }
}
