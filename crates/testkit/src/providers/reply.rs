//! What the fake provider shall say next, and how badly.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::Semaphore;

/// An answer in no protocol yet, or something that is no answer at all.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) content: Content,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) first_byte: Duration,
    pub(super) pace: Duration,
    pub(super) piece: Option<usize>,
    pub(super) head_gate: Option<Gate>,
    pub(super) gate: Option<(usize, Gate)>,
    pub(super) then: Option<(usize, Then)>,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// "You said: …".
    Echo,
    Answer(Answer),
    /// An error in the words of whichever protocol is spoken.
    Error {
        status: u16,
        error: Error,
    },
    /// Anything, as it is.
    Raw {
        status: u16,
        content_type: &'static str,
        body: Vec<u8>,
    },
    /// So many bytes of white space, as JSON permits.
    Huge(usize),
    /// A stream that never ends; whole, a body that never ends.
    Endless,
    /// Comments of a stream that says nothing.
    Heartbeats,
    /// The connection is closed without a word.
    Hangup,
}

/// Words of an error document: OpenAI's `type` and `code`, Anthropic's `type`, Google's `status`.
#[derive(Clone, Debug, Default)]
pub(super) struct Error {
    pub(super) kind: String,
    pub(super) code: Option<String>,
    pub(super) param: Option<String>,
    pub(super) message: String,
    pub(super) details: Option<Value>,
}

/// What happens to a stream after so many of its events.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// Nothing, forever.
    Stall,
    /// The connection breaks.
    Cut,
    /// The body ends as if all were said.
    Close,
    /// An event that is no JSON.
    Malformed,
    /// The protocol's error event, and the end.
    Error(Error),
}

/// What a model says.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) thinking: Option<(String, Option<String>)>,
    pub(super) redacted: Option<String>,
    pub(super) text: Option<String>,
    pub(super) refusal: Option<String>,
    /// Name, arguments.
    pub(super) calls: Vec<(String, Value)>,
    pub(super) stop: Option<&'static str>,
    pub(super) stop_sequence: Option<String>,
    /// Tokens: read from the cache, written to it.
    pub(super) cached: Option<(u64, u64)>,
    /// Numbers of a vector.
    pub(super) dimensions: Option<usize>,
}

impl Reply {
    fn new(content: Content) -> Self {
        Self {
            content,
            headers: Vec::new(),
            first_byte: Duration::ZERO,
            pace: Duration::ZERO,
            piece: None,
            head_gate: None,
            gate: None,
            then: None,
        }
    }

    /// "You said: " and the last text of the user. What the server says by itself.
    pub fn echo() -> Self {
        Self::new(Content::Echo)
    }

    /// This text, streamed word by word.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Answer(Answer { text: Some(text.into()), ..Answer::default() }))
    }

    /// This value as text.
    pub fn json(value: &Value) -> Self {
        Self::text(value.to_string())
    }

    /// Calls of tools, all at once. Their ids are `call_0`, `call_1`, …
    pub fn tools<'a>(calls: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let calls = calls.into_iter().map(|(name, arguments)| (name.to_owned(), arguments)).collect();
        Self::new(Content::Answer(Answer { calls, ..Answer::default() }))
    }

    /// A thought and its signature, then this text.
    pub fn thinking(thought: &str, text: &str) -> Self {
        let thinking = Some((thought.to_owned(), Some("c2lnbmF0dXJl".to_owned())));
        Self::new(Content::Answer(Answer { thinking, text: Some(text.to_owned()), ..Answer::default() }))
    }

    /// The model will not.
    pub fn refusal(text: &str) -> Self {
        Self::new(Content::Answer(Answer { refusal: Some(text.to_owned()), ..Answer::default() }))
    }

    /// Vectors of so many numbers, however many a model of this name had (OpenAI).
    pub fn vectors(dimensions: usize) -> Self {
        Self::new(Content::Answer(Answer { dimensions: Some(dimensions), ..Answer::default() }))
    }

    /// An error with this status, in the protocol's own form and words.
    pub fn status(status: u16) -> Self {
        Self::error(status, "", "It did not work.")
    }

    /// An error with this `type` (OpenAI and Anthropic) or `status` (Gemini); empty for the one that goes with the status.
    pub fn error(status: u16, kind: &str, message: &str) -> Self {
        let error = Error { kind: kind.to_owned(), message: message.to_owned(), ..Error::default() };
        Self::new(Content::Error { status, error })
    }

    /// A 200 with this body and content type.
    pub fn raw(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(Content::Raw { status: 200, content_type, body: body.into() })
    }

    /// A 200 with a page for people, as a captive portal or a wrong URL gives it.
    pub fn html() -> Self {
        Self::raw("text/html; charset=utf-8", "<!doctype html><title>Welcome</title>")
    }

    /// A body of so many bytes, all of it blank JSON.
    pub fn huge(bytes: usize) -> Self {
        Self::new(Content::Huge(bytes))
    }

    /// Text that never ends.
    pub fn endless() -> Self {
        Self::new(Content::Endless)
    }

    /// No answer: the connection is closed.
    pub fn hangup() -> Self {
        Self::new(Content::Hangup)
    }

    /// A stream of comments, one every `pace`, and nothing else.
    pub fn heartbeats(pace: Duration) -> Self {
        Self::new(Content::Heartbeats).every(pace)
    }

    fn answer(mut self, change: impl FnOnce(&mut Answer)) -> Self {
        if let Content::Answer(answer) = &mut self.content {
            change(answer);
        }
        self
    }

    fn refused(mut self, change: impl FnOnce(&mut Error)) -> Self {
        if let Content::Error { error, .. } = &mut self.content {
            change(error);
        }
        self
    }

    /// Besides what there is, this text.
    #[must_use]
    pub fn and_text(self, text: &str) -> Self {
        self.answer(|answer| answer.text = Some(text.to_owned()))
    }

    /// Besides what there is, thinking that is encrypted (Anthropic).
    #[must_use]
    pub fn and_redacted_thinking(self, data: &str) -> Self {
        self.answer(|answer| answer.redacted = Some(data.to_owned()))
    }

    /// Another reason for the end, in the protocol's own word.
    #[must_use]
    pub fn stop(self, reason: &'static str) -> Self {
        self.answer(|answer| answer.stop = Some(reason))
    }

    /// The stop sequence that ended it (Anthropic tells).
    #[must_use]
    pub fn stop_sequence(self, sequence: &str) -> Self {
        self.answer(|answer| answer.stop_sequence = Some(sequence.to_owned()))
    }

    /// Input tokens that were read from and written to the prompt cache.
    #[must_use]
    pub fn cached(self, read: u64, written: u64) -> Self {
        self.answer(|answer| answer.cached = Some((read, written)))
    }

    /// OpenAI's `code` of the error.
    #[must_use]
    pub fn code(self, code: &str) -> Self {
        self.refused(|error| error.code = Some(code.to_owned()))
    }

    /// OpenAI's `param` of the error.
    #[must_use]
    pub fn param(self, param: &str) -> Self {
        self.refused(|error| error.param = Some(param.to_owned()))
    }

    /// Google's `details` of the error.
    #[must_use]
    pub fn details(self, details: Value) -> Self {
        self.refused(|error| error.details = Some(details))
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// `retry-after`.
    #[must_use]
    pub fn retry_after(self, value: &str) -> Self {
        self.header("retry-after", value)
    }

    /// Nothing at all before so long.
    #[must_use]
    pub fn after(mut self, first_byte: Duration) -> Self {
        self.first_byte = first_byte;
        self
    }

    /// So long between two events of a stream.
    #[must_use]
    pub fn every(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// The body in pieces of so many bytes, each a chunk of its own.
    #[must_use]
    pub fn in_pieces(mut self, bytes: usize) -> Self {
        self.piece = Some(bytes.max(1));
        self
    }

    /// Says nothing before the gate opens.
    #[must_use]
    pub fn held(mut self, gate: &Gate) -> Self {
        self.head_gate = Some(gate.clone());
        self
    }

    /// Waits at the gate after so many events of a stream.
    #[must_use]
    pub fn held_after(mut self, events: usize, gate: &Gate) -> Self {
        self.gate = Some((events, gate.clone()));
        self
    }

    /// After so many events of a stream, nothing more and no end.
    #[must_use]
    pub fn stall_after(mut self, events: usize) -> Self {
        self.then = Some((events, Then::Stall));
        self
    }

    /// After so many events (or bytes' pieces) the connection breaks.
    #[must_use]
    pub fn cut_after(mut self, events: usize) -> Self {
        self.then = Some((events, Then::Cut));
        self
    }

    /// After so many events the body ends in good order, but the protocol's end is missing.
    #[must_use]
    pub fn close_after(mut self, events: usize) -> Self {
        self.then = Some((events, Then::Close));
        self
    }

    /// After so many events one that is no JSON.
    #[must_use]
    pub fn malformed_after(mut self, events: usize) -> Self {
        self.then = Some((events, Then::Malformed));
        self
    }

    /// After so many events the protocol's error event, with its `type` or `status`.
    #[must_use]
    pub fn error_after(mut self, events: usize, kind: &str, message: &str) -> Self {
        let error = Error { kind: kind.to_owned(), message: message.to_owned(), ..Error::default() };
        self.then = Some((events, Then::Error(error)));
        self
    }
}

/// Holds replies until a test lets them go.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Closed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.close();
    }

    pub(super) async fn passed(&self) {
        // A closed semaphore is an open gate.
        let _ = self.0.acquire().await;
    }
}
