//! An answer as it is made.

use std::pin::pin;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{
    About, ChatCall,
    admission::{self, Admitted, CacheResult},
    bill::Bill,
    complete_chat::{all, take_kept},
    live_answer::{LiveAnswer, Parts},
    refusals, replay,
};
use crate::{
    answers::{Key, Produced},
    clients::{Attempt, ChatStream, Failure, Kind, Providers},
    domain::chat::{ChatEvent, ChatRequest},
    ledger::{Headroom, Operation},
    metrics,
    protocol::{self, ApiError},
    routing::{Ask, Mode, Routed},
    state::AppState,
};

/// A streamed answer, before its first byte.
pub struct Streaming {
    pub about: About,
    pub body: Body,
}

/// Server-sent events in the caller's dialect.
pub enum Body {
    /// As they come.
    Live(Box<LiveAnswer>),
    /// All of them: the answer was there already.
    Whole(Bytes),
}

/// Begins a stream, from the cache or from a provider. Once this has returned, every failure is an event of the stream.
pub async fn stream_chat(state: &AppState, call: Box<ChatCall>) -> Result<Streaming, ApiError> {
    let operation = Operation::Chat(call.request.dialect);
    let stream = begin(state, call).await;
    match &stream {
        Ok(stream) => metrics::own_time(operation, stream.about.overhead),
        Err(error) => metrics::refused(operation, error.code),
    }
    stream
}

async fn begin(state: &AppState, mut call: Box<ChatCall>) -> Result<Streaming, ApiError> {
    let admitted = admission::admit(state, &mut call).await?;
    let asked_for_cache = call.request.brainops.cache.is_some();
    let key = Key::of(call.caller.org, &admitted.model, &mut call.request);
    if let Some(kept) = key.as_ref().and_then(|key| state.calls.answers.get(key)) {
        metrics::cache("hit");
        let headroom = take_kept(state, &call, &admitted, &kept).await?;
        return Ok(replayed(*call, &admitted, &kept, headroom));
    }
    let cache = if key.is_some() { CacheResult::Miss } else { CacheResult::Bypass };
    if asked_for_cache {
        metrics::cache(cache.as_str());
    }
    live(state, call, admitted, cache).await
}

async fn live(
    state: &AppState,
    call: Box<ChatCall>,
    admitted: Admitted,
    cache: CacheResult,
) -> Result<Streaming, ApiError> {
    let (request, begun) = (&call.request, call.begun);
    let operation = Operation::Chat(request.dialect);
    let estimate = admission::estimate(state, &admitted, request);
    let of = (admitted.id, &*admitted.model);
    let reservation = admission::reserve(state, &call.caller, of, operation, estimate).await?;
    let mut bill = Bill::new(reservation, operation, &admitted.model, admitted.size.likely, begun)
        .in_session(request.brainops.session_id.clone(), admitted.turn.clone())
        .streamed();
    let ask = Stream { providers: &state.providers, request, bill: &bill };
    let Routed { answer: (first, source), route, attempts, away, lease, span } =
        match state.calls.router.run(&admitted.model, Mode::Stream, &ask).await {
            Ok(routed) => routed,
            Err(exhausted) => {
                bill.refund();
                return Err(refusals::exhausted(exhausted, request.dialect));
            }
        };
    bill.answered_by(&route, attempts);
    let warnings = match &first {
        ChatEvent::Started { warnings: more, .. } => all(call.warnings.clone(), more),
        _ => call.warnings.clone(),
    };
    let (provider, upstream_model) = (route.provider.name.clone(), route.upstream_model.clone());
    let headroom = bill.headroom();
    let encoder = protocol::encoder(request, admitted.envelope(request));
    let parts = Parts { first, source, encoder, bill, lease, route, span, permit: admitted.permit };
    let mut body = Box::new(LiveAnswer::new(state, parts));
    let asked = Instant::now();
    body.open().await;
    let away = away + asked.elapsed();
    let overhead = begun.elapsed().saturating_sub(away);
    let recalled = admitted.recalled;
    let about =
        About { upstream_model, provider, cost: None, attempts, cache, warnings, recalled, headroom, away, overhead };
    Ok(Streaming { about, body: Body::Live(body) })
}

/// A kept answer, told as a stream.
fn replayed(call: ChatCall, admitted: &Admitted, kept: &Produced, headroom: Headroom) -> Streaming {
    let mut encoder = protocol::encoder(&call.request, admitted.envelope(&call.request));
    let mut body = Vec::new();
    for event in replay::events(&kept.completion) {
        body.extend_from_slice(&encoder.encode(&event));
    }
    let about = About {
        upstream_model: kept.upstream_model.clone(),
        provider: kept.provider.clone(),
        cost: Some(0),
        attempts: 0,
        cache: CacheResult::Hit,
        warnings: all(call.warnings, &kept.completion.warnings),
        recalled: admitted.recalled,
        headroom,
        away: std::time::Duration::ZERO,
        overhead: call.begun.elapsed(),
    };
    Streaming { about, body: Body::Whole(body.into()) }
}

/// One attempt at a stream, up to its first event.
struct Stream<'a> {
    providers: &'a Providers,
    request: &'a ChatRequest,
    bill: &'a Bill,
}

impl Ask for Stream<'_> {
    type Answer = (ChatEvent, ChatStream);
    const OPERATION: &'static str = "chat";

    async fn ask(&self, attempt: Attempt<'_>) -> Result<Self::Answer, Failure> {
        let asking = async {
            let mut stream = self.providers.stream(attempt, self.request).await?;
            let first = stream.next().await.unwrap_or_else(|| Err(Failure::new(Kind::Cut)))?;
            Ok((first, stream))
        };
        self.bill.asking(pin!(asking)).await
    }
}
