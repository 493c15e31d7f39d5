//! A call between its admission and its end.

use std::time::Duration;

use contracts::{CompletionId, ModelId};

use super::{Headroom, Ledger, Operation, entry::Entry, metrics, windows::Hold};
use crate::domain::{
    caller::Caller,
    chat::{StopReason, TokenUsage},
    model::Model,
    money::NanoUsd,
    quota::Metric,
    turn::Turn,
    usage::{OperationKind, UsageRecord, stop_reason, text},
};

/// Nobody waits longer for a record to become durable; it becomes so by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A place in every quota that concerns the call. Dropped without [`settle`](Self::settle) it is given back whole:
/// the call never reached a provider.
#[must_use]
pub struct Reservation {
    ledger: Ledger,
    id: CompletionId,
    caller: Caller,
    model: (ModelId, String),
    operation: Operation,
    holds: Vec<Hold>,
    headroom: Headroom,
}

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
    /// What was said, when it is to be kept there.
    pub turn: Option<Turn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    /// The caller left before the end.
    ClientLeft,
    /// The provider failed after something had been produced.
    Failed,
}

impl Outcome {
    /// In records, events and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientLeft => "client_left",
            Self::Failed => "failed",
        }
    }
}

impl Reservation {
    pub(super) fn new(
        ledger: Ledger,
        id: CompletionId,
        caller: Caller,
        model: &Model,
        operation: Operation,
        holds: Vec<Hold>,
        headroom: Headroom,
    ) -> Self {
        Self { ledger, id, caller, model: (model.id, text(&model.alias)), operation, holds, headroom }
    }

    pub fn headroom(&self) -> Headroom {
        self.headroom
    }

    /// Replaces the estimate by what was used and records it, exactly once. The record is durable when the future is
    /// done, as far as the configured durability says; dropping the future loses nothing, so a guard may call this from
    /// `Drop`.
    pub fn settle(self, spent: Spent) -> impl Future<Output = ()> + Send + 'static {
        let Self { ledger, id, caller, model, operation, holds, headroom: _ } = self;
        let record = record(id, caller, model, operation, &spent, ledger.inner.clock.now());
        metrics::settled(&record);
        let charges = holds.into_iter().map(|hold| {
            let used = match hold.bucket().quota.metric {
                Metric::Requests => 1,
                Metric::Tokens => record.input_tokens.saturating_add(record.output_tokens),
                Metric::CostNanoUsd => record.cost.0,
            };
            hold.settle(used).into()
        });
        let charges = charges.collect();
        let told = ledger.inner.writer.take(Entry { record, charges, turn: spent.turn });
        async move {
            if let Some(told) = told {
                // An error: it went another way than the queue's, and is as safe as it can be.
                let _ = tokio::time::timeout(PATIENCE, told).await;
            }
        }
    }
}

fn record(
    id: CompletionId,
    caller: Caller,
    (model_id, model): (ModelId, String),
    operation: Operation,
    spent: &Spent,
    now: chrono::DateTime<chrono::Utc>,
) -> UsageRecord {
    let tokens = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let ms = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let (operation, dialect) = match operation {
        Operation::Chat(dialect) => (OperationKind::Chat, Some(dialect.as_str().to_owned())),
        Operation::Embeddings => (OperationKind::Embeddings, None),
    };
    UsageRecord {
        id,
        recorded_at: now,
        org: caller.org,
        user: caller.user,
        api_key: caller.api_key,
        model,
        model_id,
        provider: spent.provider.as_deref().map(text),
        upstream_model: spent.upstream_model.as_deref().map(text),
        operation,
        dialect,
        input_tokens: tokens(spent.usage.input),
        cached_input_tokens: tokens(spent.usage.cached_input),
        cache_write_tokens: tokens(spent.usage.cache_write),
        output_tokens: tokens(spent.usage.output),
        reasoning_tokens: tokens(spent.usage.reasoning),
        // A price below zero is no price; nobody earns by calling.
        cost: NanoUsd(spent.cost.0.max(0)),
        estimated: spent.estimated,
        cached: spent.cached,
        streamed: spent.streamed,
        outcome: spent.outcome.as_str().to_owned(),
        stop_reason: spent.stop.as_ref().map(stop_reason),
        time_to_first_token_ms: spent.time_to_first_token.map(ms),
        duration_ms: ms(spent.duration),
        attempts: i32::try_from(spent.attempts).unwrap_or(i32::MAX),
        session_id: spent.session_id.as_deref().map(text),
        traceparent: kit::telemetry::traceparent(),
    }
}
