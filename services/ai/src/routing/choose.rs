//! Which of several equal routes takes the next call.
//!
//! At random by share, where a route's share is its weight, reduced when it is slower than the fastest of its rank:
//!
//! ```text
//! share = weight · clamp(fastest / latency, 1/8, 1)
//! ```
//!
//! `latency` is the moving average of the seconds to the first byte, `fastest` the smallest of the candidates'. Twice as
//! slow gets half of its weight; nothing falls below an eighth, so that a route which has recovered is measured again. A
//! route without a measurement counts as the fastest.

use super::{dice::Dice, health::Standing};

/// Least part of its weight that a slow route keeps.
const FLOOR: f64 = 1.0 / 8.0;

/// Below this many seconds a difference is noise.
const RESOLUTION: f64 = 0.005;

/// One of `candidates`, given as (what to return, weight, standing). `None` when there is none with a weight.
pub fn choose<T: Copy>(candidates: &[(T, u32, Standing)], dice: &Dice) -> Option<T> {
    if let [(only, weight, _)] = candidates {
        return (*weight > 0).then_some(*only);
    }
    let fastest = candidates.iter().filter_map(|(_, _, standing)| standing.latency).fold(f64::INFINITY, f64::min);
    let share = |weight: u32, standing: &Standing| {
        let pace = standing.latency.map_or(1.0, |own| fastest.max(RESOLUTION) / own.max(RESOLUTION));
        f64::from(weight) * pace.clamp(FLOOR, 1.0)
    };
    let total: f64 = candidates.iter().map(|(_, weight, standing)| share(*weight, standing)).sum();
    let mut left = dice.unit() * total;
    let mut last = None;
    for (this, weight, standing) in candidates.iter().filter(|(_, weight, _)| *weight > 0) {
        left -= share(*weight, standing);
        last = Some(*this);
        if left < 0.0 {
            break;
        }
    }
    // Rounding may leave a crumb at the end; it belongs to the last.
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::health::Access;

    /// How often each of (weight, latency) is chosen in 10,000 tries.
    fn shares<const N: usize>(routes: [(u32, Option<f64>); N]) -> [i32; N] {
        let dice = Dice::new(3);
        let mut candidates = Vec::new();
        for (index, (weight, latency)) in routes.into_iter().enumerate() {
            candidates.push((index, weight, Standing { access: Access::Free, latency }));
        }
        let mut counts = [0; N];
        for _ in 0..10_000 {
            counts[choose(&candidates, &dice).unwrap()] += 1;
        }
        counts
    }

    fn about(count: i32, expected: i32) -> bool {
        (count - expected).abs() < 250
    }

    #[test]
    fn weights_decide_among_the_equally_fast() {
        let [a, b, c] = shares([(1, Some(0.2)), (3, Some(0.2)), (0, Some(0.001))]);
        assert!(about(a, 2_500) && about(b, 7_500) && c == 0, "{a} {b} {c}");
    }

    #[test]
    fn twice_as_slow_gets_half_of_its_weight() {
        let [a, b] = shares([(1, Some(0.2)), (1, Some(0.4))]);
        assert!(about(a, 6_667) && about(b, 3_333), "{a} {b}");
    }

    #[test]
    fn the_slowest_keeps_an_eighth_and_the_unknown_is_tried() {
        let [a, b, c] = shares([(8, Some(0.1)), (8, Some(60.0)), (8, None)]);
        assert!(about(a, 4_706) && about(b, 588) && about(c, 4_706), "{a} {b} {c}");
    }

    #[test]
    fn nothing_to_choose_from_is_nothing() {
        let standing = Standing { access: Access::Free, latency: None };
        assert_eq!(choose::<u8>(&[], &Dice::new(1)), None);
        assert_eq!(choose(&[(1, 0, standing)], &Dice::new(1)), None);
        assert_eq!(choose(&[(1, 0, standing), (2, 0, standing)], &Dice::new(1)), None);
    }
}
