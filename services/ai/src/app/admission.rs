//! What every call of a model passes before anything is sent: is there such a model, can it do this, is there room.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use contracts::CompletionId;
use kit::{NewId as _, Secret};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{recall, refusals};
use crate::{
    domain::{
        caller::Caller,
        chat::{ChatRequest, TokenUsage},
        fit,
        model::Model,
        tokens::{self, Size},
        turn::Turn,
        warnings::Warnings,
    },
    ledger::{Estimate, Headroom, Operation, Reservation},
    protocol::{ApiError, Envelope},
    state::AppState,
};

/// A chat as every protocol gives it.
pub struct ChatCall {
    pub caller: Caller,
    /// The caller's, for asking other services in the caller's name.
    pub token: Secret<String>,
    pub request: ChatRequest,
    /// What the protocol could not carry.
    pub warnings: Warnings,
    /// When the request was here.
    pub begun: Instant,
}

/// What the headers of an answer tell about its making.
#[derive(Debug)]
pub struct About {
    /// The provider that made the answer, now or earlier, and its name of the model.
    pub provider: String,
    pub upstream_model: String,
    /// Nano-USD; `None` for a stream, whose cost is not known when its head leaves.
    pub cost: Option<i64>,
    pub attempts: u32,
    pub cache: CacheResult,
    pub warnings: Warnings,
    /// Memories that the model saw; `None` when they were not asked for or could not be had.
    pub recalled: Option<usize>,
    pub headroom: Headroom,
    /// Time that was the provider's.
    pub away: Duration,
    /// Our own.
    pub overhead: Duration,
}

/// What the response cache had to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// From the cache, or from another's identical call.
    Hit,
    /// Asked for, and made anew.
    Miss,
    /// Not asked for, or not fit for it.
    Bypass,
}

impl CacheResult {
    /// As in `x-brainops-cache`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// A call that may go on to be reserved.
pub(super) struct Admitted {
    pub id: CompletionId,
    pub at: DateTime<Utc>,
    pub model: Arc<Model>,
    pub size: Size,
    /// What was said, if it is to be remembered.
    pub turn: Option<Turn>,
    /// As in [`About`].
    pub recalled: Option<usize>,
    /// One of the calls that the service works on at once.
    pub permit: OwnedSemaphorePermit,
}

impl Admitted {
    /// What the answer says about itself.
    pub fn envelope(&self, request: &ChatRequest) -> Envelope {
        Envelope { id: self.id.uuid().simple().to_string(), created: self.at, model: request.model.clone() }
    }
}

/// Finds the model, checks that it can do what is asked, and recalls what memory knows.
pub(super) async fn admit(state: &AppState, call: &mut ChatCall) -> Result<Admitted, ApiError> {
    let permit = room(state)?;
    let model = find(state, &call.caller, &call.request.model).await?;
    let size = tokens::chat(&call.request);
    let ChatRequest { model: alias, dialect, .. } = &call.request;
    fit::check(&model, &call.request, size).map_err(|unfit| refusals::unfit(unfit, alias, *dialect))?;
    // Before anything is recalled: that is no part of what was said.
    let turn = turn(state, call);
    let recalled = recall::recall(state, call, &model, size).await;
    let size = recall::size_with(&call.request, recalled, size);
    Ok(Admitted { id: state.ids.new(), at: state.clock.now(), model, size, turn, recalled, permit })
}

/// What is to be remembered, where somebody remembers.
fn turn(state: &AppState, call: &mut ChatCall) -> Option<Turn> {
    let turn = Turn::begun(&call.request)?;
    if state.memory.is_none() {
        call.warnings.dropped("brainops.remember");
        return None;
    }
    Some(turn)
}

/// A place among the calls that the service works on at once.
pub(super) fn room(state: &AppState) -> Result<OwnedSemaphorePermit, ApiError> {
    Arc::clone(&state.calls.places).try_acquire_owned().map_err(|_full| refusals::busy())
}

/// The model that the caller names.
pub(super) async fn find(state: &AppState, caller: &Caller, alias: &str) -> Result<Arc<Model>, ApiError> {
    state.catalog.find(caller, alias).await.map_err(|denied| refusals::denied(denied, alias))
}

/// What a chat will use: its input, and as many tokens as it asks for, or as an answer of the model has at most, or
/// [`Config::usual_answer`](crate::config::Config) whichever is less.
pub(super) fn estimate(state: &AppState, admitted: &Admitted, request: &ChatRequest) -> Estimate {
    let model = &admitted.model;
    let usual = u64::from(state.calls.usual_answer);
    let answer = match (request.max_tokens, model.max_output_tokens) {
        (Some(asked), _) => asked.into(),
        (None, Some(most)) => usual.min(most.into()),
        (None, None) => usual,
    };
    let output = answer.saturating_mul(request.n.unwrap_or(1).into());
    let usage = TokenUsage { input: admitted.size.likely, output, ..TokenUsage::default() };
    Estimate { tokens: usage.total(), cost: model.prices.cost(&usage) }
}

/// Takes the estimate out of the caller's quotas.
pub(super) async fn reserve(
    state: &AppState,
    caller: &Caller,
    (id, model): (CompletionId, &Model),
    operation: Operation,
    estimate: Estimate,
) -> Result<Reservation, ApiError> {
    let reserved = state.ledger.reserve(id, caller, model, operation, estimate).await;
    reserved.map_err(|refusal| refusals::over_quota(refusal, &*state.clock))
}
