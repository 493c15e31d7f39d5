//! Prices on the wire.

use kit::http::Patch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{not_null, value};
use crate::domain::money::{NanoUsd, Prices};

/// Nano-USD a token, whole numbers from 0 to 1000000000: $1 per million tokens is 1000. An absent special price means the
/// general one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Prices)]
pub struct PricesBody {
    /// An input token.
    #[schema(example = 250, minimum = 0)]
    pub input: i64,
    /// An input token read from the provider's prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 25, minimum = 0)]
    pub cached_input: Option<i64>,
    /// An input token written to the provider's prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    pub cache_write: Option<i64>,
    /// An output token, reasoning included.
    #[schema(example = 2000, minimum = 0)]
    pub output: i64,
    /// An input token of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 125, minimum = 0)]
    pub batch_input: Option<i64>,
    /// An output token of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1000, minimum = 0)]
    pub batch_output: Option<i64>,
}

impl From<PricesBody> for Prices {
    fn from(body: PricesBody) -> Self {
        Self {
            input: NanoUsd(body.input),
            cached_input: body.cached_input.map(NanoUsd),
            cache_write: body.cache_write.map(NanoUsd),
            output: NanoUsd(body.output),
            batch_input: body.batch_input.map(NanoUsd),
            batch_output: body.batch_output.map(NanoUsd),
        }
    }
}

impl From<Prices> for PricesBody {
    fn from(prices: Prices) -> Self {
        let plain = |NanoUsd(price)| price;
        Self {
            input: prices.input.0,
            cached_input: prices.cached_input.map(plain),
            cache_write: prices.cache_write.map(plain),
            output: prices.output.0,
            batch_input: prices.batch_input.map(plain),
            batch_output: prices.batch_output.map(plain),
        }
    }
}

/// A JSON merge patch of prices: what is absent stays, `null` removes a special price.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PricesPatch {
    /// An input token.
    #[serde(default)]
    #[schema(value_type = Option<i64>, nullable = false, example = 250, minimum = 0)]
    #[validate(custom(function = "not_null"))]
    pub input: Patch<i64>,
    /// An input token read from the provider's prompt cache.
    #[serde(default)]
    #[schema(value_type = Option<i64>, example = 25, minimum = 0)]
    pub cached_input: Patch<i64>,
    /// An input token written to the provider's prompt cache.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub cache_write: Patch<i64>,
    /// An output token, reasoning included.
    #[serde(default)]
    #[schema(value_type = Option<i64>, nullable = false, example = 2000, minimum = 0)]
    #[validate(custom(function = "not_null"))]
    pub output: Patch<i64>,
    /// An input token of a batch.
    #[serde(default)]
    #[schema(value_type = Option<i64>, example = 125, minimum = 0)]
    pub batch_input: Patch<i64>,
    /// An output token of a batch.
    #[serde(default)]
    #[schema(value_type = Option<i64>, example = 1000, minimum = 0)]
    pub batch_output: Patch<i64>,
}

impl PricesPatch {
    pub fn apply(self, stored: Prices) -> Prices {
        let special = |patch: Patch<i64>, stored| patch.map(NanoUsd).apply_to(stored);
        Prices {
            input: value(self.input).map_or(stored.input, NanoUsd),
            cached_input: special(self.cached_input, stored.cached_input),
            cache_write: special(self.cache_write, stored.cache_write),
            output: value(self.output).map_or(stored.output, NanoUsd),
            batch_input: special(self.batch_input, stored.batch_input),
            batch_output: special(self.batch_output, stored.batch_output),
        }
    }
}
