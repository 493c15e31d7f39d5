//! A provider's event stream, turned into [`ChatEvent`]s one by one, in step with whoever reads them.

use std::{collections::VecDeque, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Attempt, ChatStream, Failure, Kind, Providers,
    refusal::Refusals,
    sse::{Item, Sse},
    transport::{Body, Outgoing, Reply, STREAM_BYTES, is_json, media_type},
};
use crate::domain::chat::ChatEvent;

/// How long the end of the body may take after the protocol's own end. A body read to its end leaves a connection that the
/// next call can use; it normally comes in the same packet.
const LAST_BYTES: Duration = Duration::from_millis(20);

/// A provider's protocol, as far as its streams are concerned.
pub(super) trait Decoder: Send + 'static {
    /// Appends what one event says.
    fn event(&mut self, name: &str, data: &str, out: &mut VecDeque<ChatEvent>) -> Result<(), Failure>;

    /// The bytes ended, or will not end in time. Appends what is owed when the answer is whole all the same; otherwise
    /// gives `false`.
    fn finish(&mut self, out: &mut VecDeque<ChatEvent>) -> bool;
}

/// Sends, and gives the stream as soon as its first event is there.
pub(super) async fn open(
    providers: &Providers,
    attempt: Attempt<'_>,
    outgoing: Outgoing<'_>,
    decoder: impl Decoder,
) -> Result<ChatStream, Failure> {
    let deadline = Instant::now() + attempt.deadlines.first_byte;
    let outgoing = outgoing.header("accept", "text/event-stream");
    let reply = providers.send(outgoing, STREAM_BYTES, deadline).await?;
    if media_type(&reply.headers).as_deref() != Some("text/event-stream") {
        return Err(no_stream(attempt, reply, deadline).await);
    }
    let mut running = Running {
        body: reply.body,
        sse: Sse::default(),
        decoder,
        ready: VecDeque::new(),
        failure: None,
        deadline: Some(deadline),
        idle: attempt.deadlines.idle,
        begun: false,
        over: false,
    };
    match running.next().await {
        Some(Ok(first)) => {
            running.ready.push_front(first);
            (running.begun, running.deadline) = (true, None);
        }
        Some(Err(failure)) => return Err(failure),
        None => return Err(Failure::new(Kind::Malformed).caused_by("an empty stream")),
    }
    let events = stream::unfold(running, |mut running| async move {
        let event = running.next().await?;
        Some((event, running))
    });
    Ok(events.boxed())
}

/// A 200 that is no stream: some servers put an error there, others a web page.
async fn no_stream(attempt: Attempt<'_>, mut reply: Reply, deadline: Instant) -> Failure {
    if is_json(&reply.headers)
        && let Ok(Ok(Some(document))) = timeout_at(deadline, reply.body.chunk()).await
        && let Some(failure) = Refusals::of(attempt.provider).in_document(None, &document)
    {
        return failure;
    }
    Failure::new(Kind::Malformed).caused_by("the answer is not an event stream")
}

struct Running<D> {
    body: Body,
    sse: Sse,
    decoder: D,
    /// What the last event said and nobody took yet.
    ready: VecDeque<ChatEvent>,
    /// Comes after what is ready.
    failure: Option<Failure>,
    /// Of the next item, from when it is first waited for: a reader who takes its time is not the provider's fault.
    deadline: Option<Instant>,
    idle: Duration,
    /// The first event has come. Heartbeats before it do not make its time longer.
    begun: bool,
    over: bool,
}

impl<D: Decoder> Running<D> {
    async fn next(&mut self) -> Option<Result<ChatEvent, Failure>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(failure) = self.failure.take() {
                return Some(Err(failure));
            }
            if self.over {
                return None;
            }
            if let Err(failure) = self.advance().await {
                self.over = true;
                self.failure = Some(failure);
            }
        }
    }

    /// Reads until one item is there, or the end.
    async fn advance(&mut self) -> Result<(), Failure> {
        if let Some(item) = self.sse.next()? {
            if self.begun {
                self.deadline = None;
            }
            return self.take(item).await;
        }
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.idle);
        match timeout_at(deadline, self.body.chunk()).await {
            Ok(Ok(Some(bytes))) => self.sse.push(&bytes),
            Ok(Ok(None)) => {
                self.over = true;
                if let Some(Item::Event { name, data }) = self.sse.finish()? {
                    // Half an event is a cut, not a malformed one.
                    self.decoder.event(&name, &data, &mut self.ready).map_err(|error| match error.kind {
                        Kind::Malformed => Failure { kind: Kind::Cut, ..error },
                        _ => error,
                    })?;
                }
                self.end_with(Failure::new(Kind::Cut))?;
            }
            Ok(Err(failure)) => self.end_with(failure)?,
            Err(_) => self.end_with(Failure::new(Kind::Timeout))?,
        }
        Ok(())
    }

    async fn take(&mut self, item: Item) -> Result<(), Failure> {
        let Item::Event { name, data } = item else { return Ok(()) };
        self.decoder.event(&name, &data, &mut self.ready)?;
        if self.ready.back() == Some(&ChatEvent::Ended) {
            self.over = true;
            let rest = async { while let Ok(Some(_)) = self.body.chunk().await {} };
            // Late is no failure: the connection is closed instead.
            let _ = timeout(LAST_BYTES, rest).await;
        }
        Ok(())
    }

    /// The bytes are over. A whole answer without the last word is an answer.
    fn end_with(&mut self, failure: Failure) -> Result<(), Failure> {
        self.over = true;
        let whole = self.ready.back() == Some(&ChatEvent::Ended) || self.decoder.finish(&mut self.ready);
        if whole { Ok(()) } else { Err(failure) }
    }
}
