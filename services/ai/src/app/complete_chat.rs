//! A whole answer at once.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::Instant;

use super::{
    About, ChatCall,
    admission::{self, Admitted, CacheResult},
    bill::Bill,
    refusals,
    tally::load_in_background,
};
use crate::{
    answers::{Joined, Key, Produced},
    clients::{Attempt, Failure, Providers},
    domain::{
        chat::{ChatRequest, Completion, Part, StopReason, TokenUsage},
        tokens::{Running, Tokenizer},
        warnings::Warnings,
    },
    ledger::{Estimate, Headroom, Operation, Outcome},
    metrics,
    protocol::{self, ApiError},
    routing::{Ask, Mode, Routed},
    state::AppState,
};

/// An answer in the caller's dialect.
#[derive(Debug)]
pub struct Answer {
    pub about: About,
    pub body: Bytes,
}

/// Gets an answer from the cache, from another's identical call, or from a provider. Nothing is charged on any refusal.
pub async fn complete_chat(state: &AppState, call: Box<ChatCall>) -> Result<Answer, ApiError> {
    let operation = Operation::Chat(call.request.dialect);
    let answer = answer(state, call).await;
    match &answer {
        Ok(answer) => metrics::own_time(operation, answer.about.overhead),
        Err(error) => metrics::refused(operation, error.code),
    }
    answer
}

async fn answer(state: &AppState, mut call: Box<ChatCall>) -> Result<Answer, ApiError> {
    let admitted = admission::admit(state, &mut call).await?;
    let asked_for_cache = call.request.brainops.cache.is_some();
    let Some(key) = Key::of(call.caller.org, &admitted.model, &mut call.request) else {
        if asked_for_cache {
            metrics::cache("bypass");
        }
        let bill = bill(state, &call, &admitted).await?;
        let headroom = bill.headroom();
        let produced = produce(state, &admitted, &call.request, bill).await?;
        return present(&call, &admitted, &produced, CacheResult::Bypass, headroom);
    };
    if let Some(kept) = state.calls.answers.get(&key) {
        metrics::cache("hit");
        let headroom = take_kept(state, &call, &admitted, &kept).await?;
        return present(&call, &admitted, &kept, CacheResult::Hit, headroom);
    }
    share(state, call, admitted, key).await
}

/// Joins another's identical call, or makes one that others may join.
async fn share(state: &AppState, call: Box<ChatCall>, admitted: Admitted, key: Key) -> Result<Answer, ApiError> {
    let bill = bill(state, &call, &admitted).await?;
    let headroom = bill.headroom();
    let (call, admitted) = (Arc::new(call), Arc::new(admitted));
    let mut bill = Some(bill);
    let joined = state.calls.answers.join(key, || {
        let (state, call, admitted, bill) = (state.clone(), Arc::clone(&call), Arc::clone(&admitted), bill.take());
        async move {
            // Always there: the work is made once.
            let Some(bill) = bill else { return Err(refusals::busy()) };
            let produced = produce(&state, &admitted, &call.request, bill).await?;
            state.calls.answers.keep(key, &produced);
            Ok(produced)
        }
        .boxed()
    });
    let produced = match joined {
        // Another's call ended while this one's bill was made.
        Joined::Kept(kept) => {
            metrics::cache("hit");
            kept
        }
        Joined::Flight { flight, own: false } => {
            metrics::cache("shared");
            flight.await?
        }
        Joined::Flight { flight, own: true } => {
            metrics::cache("miss");
            let produced = flight.await?;
            return present(&call, &admitted, &produced, CacheResult::Miss, headroom);
        }
    };
    if let Some(mut bill) = bill {
        bill.said_all(&produced.completion);
        bill.close_cached(first_stop(&produced.completion)).await;
    }
    present(&call, &admitted, &produced, CacheResult::Hit, headroom)
}

/// Reserves what the call will probably use.
async fn bill(state: &AppState, call: &ChatCall, admitted: &Admitted) -> Result<Bill, ApiError> {
    let operation = Operation::Chat(call.request.dialect);
    let estimate = admission::estimate(state, admitted, &call.request);
    let of = (admitted.id, &*admitted.model);
    let reservation = admission::reserve(state, &call.caller, of, operation, estimate).await?;
    let bill = Bill::new(reservation, operation, &admitted.model, admitted.size.likely, call.begun);
    Ok(bill.in_session(call.request.brainops.session_id.clone(), admitted.turn.clone()))
}

/// Records that a kept answer was given again: one request, no tokens, no cost.
pub(super) async fn take_kept(
    state: &AppState,
    call: &ChatCall,
    admitted: &Admitted,
    kept: &Produced,
) -> Result<Headroom, ApiError> {
    let operation = Operation::Chat(call.request.dialect);
    let of = (admitted.id, &*admitted.model);
    let reservation = admission::reserve(state, &call.caller, of, operation, Estimate::default()).await?;
    let mut bill = Bill::new(reservation, operation, &admitted.model, 0, call.begun)
        .in_session(call.request.brainops.session_id.clone(), admitted.turn.clone());
    bill.said_all(&kept.completion);
    let headroom = bill.headroom();
    bill.close_cached(first_stop(&kept.completion)).await;
    Ok(headroom)
}

/// Has a provider make the answer, and settles the bill.
async fn produce(
    state: &AppState,
    admitted: &Admitted,
    request: &ChatRequest,
    mut bill: Bill,
) -> Result<Arc<Produced>, ApiError> {
    let ask = Complete { providers: &state.providers, request, bill: &bill };
    let Routed { answer: mut completion, route, attempts, away, lease, span } =
        match state.calls.router.run(&admitted.model, Mode::Whole, &ask).await {
            Ok(routed) => routed,
            Err(exhausted) => {
                bill.refund();
                return Err(refusals::exhausted(exhausted, request.dialect));
            }
        };
    lease.succeeded(Instant::now());
    bill.answered_by(&route, attempts);
    let told = completion.usage;
    let usage = told.unwrap_or_else(|| {
        load_in_background(&state.calls.tokenizer);
        counted(&completion, bill.input(), &state.calls.tokenizer)
    });
    completion.usage = Some(usage);
    bill.used(usage, told.is_none());
    telemetry(&span, &completion, &usage);
    bill.said_all(&completion);
    let cost = bill.cost();
    bill.close(Outcome::Completed, first_stop(&completion)).await;
    Ok(Arc::new(Produced {
        completion,
        cost,
        provider: route.provider.name.clone(),
        upstream_model: route.upstream_model.clone(),
        attempts,
        away,
    }))
}

/// One attempt at a whole answer.
struct Complete<'a> {
    providers: &'a Providers,
    request: &'a ChatRequest,
    bill: &'a Bill,
}

impl Ask for Complete<'_> {
    type Answer = Completion;
    const OPERATION: &'static str = "chat";

    async fn ask(&self, attempt: Attempt<'_>) -> Result<Completion, Failure> {
        self.bill.asking(pin!(self.providers.complete(attempt, self.request))).await
    }
}

fn present(
    call: &ChatCall,
    admitted: &Admitted,
    produced: &Produced,
    cache: CacheResult,
    headroom: Headroom,
) -> Result<Answer, ApiError> {
    let body = protocol::render(&call.request, &produced.completion, &admitted.envelope(&call.request));
    let body = serde_json::to_vec(&body).map_err(|error| refusals::broken(&error))?;
    let mut warnings = call.warnings.clone();
    warnings.merge(produced.completion.warnings.clone());
    let new = cache != CacheResult::Hit;
    let away = if new { produced.away } else { std::time::Duration::ZERO };
    let about = About {
        upstream_model: produced.upstream_model.clone(),
        provider: produced.provider.clone(),
        cost: Some(if new { produced.cost.0 } else { 0 }),
        attempts: if new { produced.attempts } else { 0 },
        cache,
        warnings,
        recalled: admitted.recalled,
        headroom,
        away,
        overhead: call.begun.elapsed().saturating_sub(away),
    };
    Ok(Answer { about, body: body.into() })
}

/// Why the first of the answers ended.
pub(super) fn first_stop(completion: &Completion) -> Option<StopReason> {
    completion.choices.first().map(|choice| choice.stop.clone())
}

/// Tokens of an answer whose provider did not count them.
fn counted(completion: &Completion, input: u64, tokenizer: &Tokenizer) -> TokenUsage {
    let mut running = Running::default();
    for part in completion.choices.iter().flat_map(|choice| &choice.parts) {
        match part {
            Part::Text { text, .. } | Part::Thinking { text, .. } | Part::Refusal { text } => running.push(text),
            Part::ToolCall(call) => {
                running.push(&call.name);
                running.push(&call.arguments);
            }
            _ => {}
        }
    }
    TokenUsage { input, output: running.tokens(tokenizer), ..TokenUsage::default() }
}

/// What the `GenAI` conventions want to know about an answer.
fn telemetry(span: &tracing::Span, completion: &Completion, usage: &TokenUsage) {
    if let Some(model) = &completion.model {
        span.record("gen_ai.response.model", model);
    }
    if let Some(id) = &completion.id {
        span.record("gen_ai.response.id", id);
    }
    span.record("gen_ai.usage.input_tokens", usage.input);
    span.record("gen_ai.usage.output_tokens", usage.output);
    if let Some(choice) = completion.choices.first() {
        span.record("gen_ai.response.finish_reasons", choice.stop.as_str());
    }
}

/// What two translations could not carry, together.
pub(super) fn all(mut warnings: Warnings, more: &Warnings) -> Warnings {
    warnings.merge(more.clone());
    warnings
}
