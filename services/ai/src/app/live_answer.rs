//! One streamed answer under way: events from a provider turned into bytes of the caller's dialect as they come. What comes
//! at once leaves at once; nothing waits for what is still to come.
//!
//! It never ends in silence: after a failure, or when the service has to leave, the dialect's own error event is last. The
//! caller leaving is this being dropped: the provider's stream goes with it, and what was produced so far is settled.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, future::BoxFuture};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep},
};
use tracing::Span;

use super::{
    bill::Bill,
    heard::Heard,
    refusals,
    tally::{Tally, load_in_background},
};
use crate::{
    clients::{ChatStream, Failure, Kind},
    domain::{
        chat::{ChatEvent, StopReason},
        tokens::Tokenizer,
    },
    ledger::Outcome,
    metrics::OpenStream,
    protocol::Encoder,
    routing::{self, Chosen, Lease},
    state::AppState,
};

/// A comment, which every reader of server-sent events ignores (WHATWG HTML, "Server-sent events").
const HEARTBEAT: &[u8] = b": \n\n";
/// Bytes that leave together, about.
const TOGETHER: usize = 16 * 1024;

/// A streamed answer under way.
pub struct LiveAnswer {
    /// The event that told that the provider answers.
    first: Option<ChatEvent>,
    /// The first bytes, when they were waited for.
    opening: Option<Bytes>,
    /// What has come since the last bytes left.
    gathered: BytesMut,
    /// The provider's connection had its turn since something was gathered.
    yielded: bool,
    /// Gone when the stream has ended, for whatever reason.
    under_way: Option<UnderWay>,
    /// The last bytes, held back until the bill is settled.
    closing: Option<(BoxFuture<'static, ()>, Bytes)>,
    encoder: Box<dyn Encoder>,
    tokenizer: Tokenizer,
    tally: Tally,
    /// When the turn is to be remembered.
    heard: Option<Heard>,
    heartbeat: Heartbeat,
    /// Over when the service can wait no longer.
    farewell: BoxFuture<'static, ()>,
    _open: OpenStream,
    _permit: OwnedSemaphorePermit,
}

/// What a stream is made of.
pub struct Parts {
    pub first: ChatEvent,
    pub source: ChatStream,
    pub encoder: Box<dyn Encoder>,
    pub bill: Bill,
    pub lease: Lease,
    pub route: Chosen,
    pub span: Span,
    pub permit: OwnedSemaphorePermit,
}

/// What ends with the provider's stream.
struct UnderWay {
    source: ChatStream,
    bill: Bill,
    lease: Lease,
    route: Chosen,
    span: Span,
}

impl LiveAnswer {
    pub fn new(state: &AppState, parts: Parts) -> Self {
        let Parts { first, source, encoder, bill, lease, route, span, permit } = parts;
        let (shutdown, grace) = (state.calls.shutdown.clone(), state.calls.grace);
        let heard = bill.is_remembered().then(Heard::default);
        Self {
            first: Some(first),
            opening: None,
            gathered: BytesMut::new(),
            yielded: false,
            under_way: Some(UnderWay { source, bill, lease, route, span }),
            closing: None,
            encoder,
            tokenizer: state.calls.tokenizer.clone(),
            tally: Tally::default(),
            heard,
            heartbeat: Heartbeat::new(state.calls.heartbeat),
            farewell: Box::pin(async move {
                shutdown.cancelled_owned().await;
                tokio::time::sleep(grace).await;
            }),
            _open: OpenStream::new(),
            _permit: permit,
        }
    }

    /// Waits for the first bytes, so that they leave together with the head of the answer: some events have none.
    pub async fn open(&mut self) {
        self.opening = self.next().await;
    }

    /// The bytes for an event; the last ones wait until the bill is settled.
    fn take(&mut self, event: &ChatEvent) -> Option<Bytes> {
        let Some(under_way) = &mut self.under_way else { return None };
        if self.tally.add(event) {
            under_way.bill.first_token();
        }
        if let Some(heard) = &mut self.heard {
            heard.add(event);
        }
        if let ChatEvent::Started { id, model, .. } = event {
            record(&under_way.span, "gen_ai.response.id", id.as_deref());
            record(&under_way.span, "gen_ai.response.model", model.as_deref());
        }
        if *event != ChatEvent::Ended {
            let bytes = self.encoder.encode(event);
            return (!bytes.is_empty()).then_some(bytes);
        }
        let mut last = Vec::new();
        if !self.tally.is_told() {
            load_in_background(&self.tokenizer);
            let (usage, _) = self.tally.usage(true, under_way.bill.input(), &self.tokenizer);
            last.extend_from_slice(&self.encoder.encode(&ChatEvent::Usage(usage)));
        }
        last.extend_from_slice(&self.encoder.encode(&ChatEvent::Ended));
        self.close(Outcome::Completed, last.into());
        None
    }

    /// The stream broke off.
    fn fail(&mut self, failure: &Failure) {
        let last = self.encoder.fail(&refusals::interrupted(failure));
        if let Some(UnderWay { route, span, .. }) = &self.under_way {
            routing::told(span, route, failure);
        }
        self.settle(Outcome::Failed, Some(failure), last);
    }

    fn close(&mut self, outcome: Outcome, last: Bytes) {
        self.settle(outcome, None, last);
    }

    /// Ends the provider's stream and has the bill settled before `last` leaves.
    fn settle(&mut self, outcome: Outcome, failure: Option<&Failure>, last: Bytes) {
        let Some(under_way) = self.under_way.take() else { return };
        let UnderWay { bill, lease, .. } = self.put_on_bill(under_way, outcome);
        match (outcome, failure) {
            (Outcome::Completed, _) => lease.succeeded(Instant::now()),
            (_, Some(failure)) => lease.failed(failure, Instant::now()),
            _ => {}
        }
        self.closing = Some((Box::pin(bill.close(outcome, self.tally.stop())), last));
    }

    /// Puts what was used and said on the bill, and what was used into the span.
    fn put_on_bill(&mut self, mut under_way: UnderWay, outcome: Outcome) -> UnderWay {
        let whole = outcome == Outcome::Completed;
        let (usage, estimated) = self.tally.usage(whole, under_way.bill.input(), &self.tokenizer);
        under_way.bill.used(usage, estimated);
        if let Some(heard) = self.heard.take() {
            under_way.bill.said(&heard.into_parts(), !whole);
        }
        let span = &under_way.span;
        span.record("gen_ai.usage.input_tokens", usage.input);
        span.record("gen_ai.usage.output_tokens", usage.output);
        record(span, "gen_ai.response.finish_reasons", self.tally.stop().as_ref().map(StopReason::as_str));
        under_way
    }

    /// The bytes of the next event that has any.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some((settled, last)) = &mut self.closing {
                ready!(settled.as_mut().poll(cx));
                let last = std::mem::take(last);
                self.closing = None;
                return Poll::Ready(Some(last));
            }
            let Some(under_way) = &mut self.under_way else { return Poll::Ready(None) };
            let event = match self.first.take() {
                Some(first) => Some(Ok(first)),
                None => match under_way.source.poll_next_unpin(cx) {
                    Poll::Ready(event) => event,
                    Poll::Pending => {
                        if self.farewell.as_mut().poll(cx).is_ready() {
                            let last = self.encoder.fail(&refusals::shutting_down());
                            self.close(Outcome::Failed, last);
                            continue;
                        }
                        ready!(self.heartbeat.poll(cx));
                        return Poll::Ready(Some(Bytes::from_static(HEARTBEAT)));
                    }
                },
            };
            match event {
                Some(Ok(event)) => {
                    self.heartbeat.heard();
                    if let Some(bytes) = self.take(&event) {
                        return Poll::Ready(Some(bytes));
                    }
                }
                Some(Err(failure)) => self.fail(&failure),
                None => self.fail(&Failure::new(Kind::Cut)),
            }
        }
    }

    fn gathered(&mut self) -> Poll<Option<Bytes>> {
        let bytes = self.gathered.split().freeze();
        Poll::Ready((!bytes.is_empty()).then_some(bytes))
    }
}

/// Bytes leave when nothing more is to be had at this moment. To tell, the provider's connection gets its turn first: it
/// hands over one piece at a time, though many may have come, and a write to the caller's socket for each of them takes
/// longer than all else that is done with it.
impl Stream for LiveAnswer {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        if let Some(opening) = this.opening.take() {
            return Poll::Ready(Some(opening));
        }
        while this.gathered.len() < TOGETHER {
            match this.poll_bytes(cx) {
                Poll::Ready(Some(bytes)) => {
                    this.gathered.extend_from_slice(&bytes);
                    this.yielded = false;
                }
                Poll::Ready(None) => break,
                Poll::Pending if this.gathered.is_empty() => return Poll::Pending,
                Poll::Pending if this.yielded => break,
                Poll::Pending => {
                    this.yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
        this.gathered()
    }
}

impl Drop for LiveAnswer {
    fn drop(&mut self) {
        // Still under way: the caller left. The bill settles itself when it is dropped.
        if let Some(under_way) = self.under_way.take() {
            if !self.tally.is_told() {
                load_in_background(&self.tokenizer);
            }
            drop(self.put_on_bill(under_way, Outcome::ClientLeft));
        }
    }
}

fn record(span: &Span, field: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        span.record(field, value);
    }
}

/// Says when it is time to show a sign of life.
struct Heartbeat {
    every: Duration,
    last: Instant,
    /// Made at the first pause: most streams have none.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Heartbeat {
    fn new(every: Duration) -> Self {
        Self { every, last: Instant::now(), timer: None }
    }

    /// Something was sent.
    fn heard(&mut self) {
        self.last = Instant::now();
    }

    /// Ready when nothing was sent for too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.last + self.every;
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if timer.deadline() < due && Instant::now() >= timer.deadline() {
                // Only moved when it fires: most events come before it does.
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= due {
                self.last = Instant::now();
                let next = self.last + self.every;
                timer.as_mut().reset(next);
                return Poll::Ready(());
            }
        }
    }
}
