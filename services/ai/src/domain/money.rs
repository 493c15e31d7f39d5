//! Prices and costs in whole nano-USD (10⁻⁹ US dollar), so that no sum ever rounds.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::chat::TokenUsage;

/// An amount of money. $1 per million tokens is 1,000 nano-USD a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl Add for NanoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for NanoUsd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Nano-USD a token. An absent special price means the general one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// An input token.
    pub input: NanoUsd,
    /// An input token read from the provider's prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<NanoUsd>,
    /// An input token written to the provider's prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<NanoUsd>,
    /// An output token, reasoning included.
    pub output: NanoUsd,
    /// An input token of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_input: Option<NanoUsd>,
    /// An output token of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_output: Option<NanoUsd>,
}

impl Prices {
    /// What `usage` costs outside of batches.
    pub fn cost(&self, usage: &TokenUsage) -> NanoUsd {
        let times =
            |tokens: u64, price: NanoUsd| NanoUsd(i64::try_from(tokens).unwrap_or(i64::MAX).saturating_mul(price.0));
        let cached = usage.cached_input.min(usage.input);
        let written = usage.cache_write.min(usage.input - cached);
        times(usage.input - cached - written, self.input)
            + times(cached, self.cached_input.unwrap_or(self.input))
            + times(written, self.cache_write.unwrap_or(self.input))
            + times(usage.output, self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_prices_apply_to_their_part_of_the_input() {
        let prices = Prices {
            input: NanoUsd(3_000),
            cached_input: Some(NanoUsd(300)),
            cache_write: Some(NanoUsd(3_750)),
            output: NanoUsd(15_000),
            ..Prices::default()
        };
        let usage = TokenUsage { input: 1_000, cached_input: 600, cache_write: 100, output: 10, reasoning: 4 };
        assert_eq!(prices.cost(&usage), NanoUsd(300 * 3_000 + 600 * 300 + 100 * 3_750 + 10 * 15_000));
    }

    #[test]
    fn a_lying_provider_cannot_make_a_cost_negative_or_wrap() {
        let prices = Prices { input: NanoUsd(1), output: NanoUsd(i64::MAX), ..Prices::default() };
        let usage = TokenUsage { input: 1, cached_input: u64::MAX, cache_write: 9, output: u64::MAX, reasoning: 0 };
        assert_eq!(prices.cost(&usage), NanoUsd(i64::MAX));
    }
}
