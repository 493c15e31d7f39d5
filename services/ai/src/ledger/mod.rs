//! The one admission point of every model route: reserve (estimate) → call → settle (actual), in integers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::CompletionId;

use crate::domain::{
    caller::Caller,
    chat::{Dialect, StopReason, TokenUsage},
    model::Model,
    money::NanoUsd,
};

/// Quotas and usage records. Cheap to clone.
#[derive(Clone)]
pub struct Ledger;

/// What a call will use at most, as far as can be told before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    pub tokens: u64,
    pub cost: NanoUsd,
}

/// What a call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Chat(Dialect),
    Embeddings,
}

/// Why a call is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// 429 `insufficient_quota`.
    #[error("a quota is used up")]
    Exceeded {
        /// `requests`, `tokens`, `cost_nano_usd`.
        metric: &'static str,
        limit: i64,
        used: i64,
        /// When the window ends.
        resets_at: DateTime<Utc>,
    },
    /// 503: there are quotas, and nobody can say whether they are used up.
    #[error("the quotas could not be read")]
    Unavailable(#[source] db::Error),
}

/// The state of the tightest limits after this reservation, for `x-ratelimit-*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    pub requests: Option<Limit>,
    pub tokens: Option<Limit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub limit: i64,
    pub remaining: i64,
    pub resets_in: Duration,
}

/// A place in every quota that concerns the call. Dropped without [`settle`](Self::settle) it is given back whole:
/// the call never reached a provider.
#[must_use]
pub struct Reservation;

/// What came of the call.
#[derive(Clone, Debug)]
pub struct Spent {
    pub usage: TokenUsage,
    pub cost: NanoUsd,
    /// Counted here, because the provider did not tell.
    pub estimated: bool,
    /// `None` for an answer from the cache.
    pub provider: Option<String>,
    pub upstream_model: Option<String>,
    pub streamed: bool,
    pub outcome: Outcome,
    pub stop: Option<StopReason>,
    pub time_to_first_token: Option<Duration>,
    pub duration: Duration,
    pub attempts: u32,
    /// Answered from the response cache or another caller's identical call.
    pub cached: bool,
    /// The memory session that the turn belongs to.
    pub session_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    /// The caller left before the end.
    ClientLeft,
    /// The provider failed after something had been produced.
    Failed,
}

impl Ledger {
    /// Takes the estimate out of every limit that concerns the call (organization, team, user, key, model; minute, day,
    /// month), or takes nothing.
    pub async fn reserve(
        &self,
        _id: CompletionId,
        _caller: &Caller,
        _model: &Model,
        _operation: Operation,
        _estimate: Estimate,
    ) -> Result<Reservation, Refusal> {
        Ok(Reservation)
    }
}

impl Reservation {
    pub fn headroom(&self) -> Headroom {
        Headroom::default()
    }

    /// Replaces the estimate by what was used and records it, exactly once. The record is durable when the future is
    /// done, as far as the configured durability says; dropping the future loses nothing, so a guard may call this from
    /// `Drop`.
    pub fn settle(self, _spent: Spent) -> impl Future<Output = ()> + Send + 'static {
        std::future::ready(())
    }
}
