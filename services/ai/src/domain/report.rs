//! Usage summed up: over which calls, by what, and which sums.

use chrono::{DateTime, NaiveDate, Utc};
use contracts::{ApiKeyId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::usage::OperationKind;

/// What usage can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The day in UTC on which the call ended.
    Day,
    Model,
    Provider,
    User,
    ApiKey,
    Operation,
}

impl Dimension {
    pub const ALL: [Self; 6] = [Self::Day, Self::Model, Self::Provider, Self::User, Self::ApiKey, Self::Operation];

    /// In the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::Operation => "operation",
        }
    }
}

/// Which calls: those that ended from `from` up to, and without, `to`, and fit everything that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub user: Option<UserId>,
    pub api_key: Option<ApiKeyId>,
    pub operation: Option<OperationKind>,
}

/// Sums over calls. One that would not fit stays at the largest integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub requests: i64,
    /// Of those, that failed after something had been produced.
    pub failed: i64,
    /// Of those, answered from the response cache.
    pub cached: i64,
    pub input_tokens: i64,
    pub cached_input_tokens: i64,
    pub output_tokens: i64,
    pub reasoning_tokens: i64,
    pub cost_nano_usd: i64,
}

/// A group of calls: its value in each dimension of [`Dimension::ALL`]. `None` both where it is not grouped by the
/// dimension and where the calls have no such value (no key, no provider).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub day: Option<NaiveDate>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub user: Option<UserId>,
    pub api_key: Option<ApiKeyId>,
    pub operation: Option<OperationKind>,
    pub sums: Sums,
    /// Its place in the order of groups.
    pub position: Position,
}

/// The values of a group as texts, in the order of [`Dimension::ALL`]; empty where there is none.
pub type Position = [String; 6];
