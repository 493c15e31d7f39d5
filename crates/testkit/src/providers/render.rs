//! From a planned [`Reply`] and a request to bytes.

use std::time::Duration;

use serde_json::Value;

use super::{
    Inner, Seen, anthropic, gemini, openai,
    reply::{Answer, Content, Error, Gate, Reply, Then},
};

/// Which protocol is spoken, and what is asked in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Route {
    pub(super) protocol: Protocol,
    pub(super) operation: Operation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    OpenAi,
    Anthropic,
    Gemini,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Chat { stream: bool },
    Embeddings,
    Models,
    Unknown,
}

impl Route {
    /// `raw` is looked through for `"stream":true`, which is cheaper than reading it.
    pub(super) fn of(seen: &Seen, raw: &[u8]) -> Self {
        let flagged = || {
            let compact = |wanted: &[u8]| raw.windows(wanted.len()).any(|window| window == wanted);
            compact(b"\"stream\":true") || compact(b"\"stream\": true")
        };
        let anthropic = seen.headers.contains_key("anthropic-version");
        let (protocol, operation) = match seen.path.as_str() {
            "/v1/chat/completions" => (Protocol::OpenAi, Operation::Chat { stream: flagged() }),
            "/v1/embeddings" => (Protocol::OpenAi, Operation::Embeddings),
            "/v1/messages" => (Protocol::Anthropic, Operation::Chat { stream: flagged() }),
            "/v1/models" if anthropic => (Protocol::Anthropic, Operation::Models),
            "/v1/models" => (Protocol::OpenAi, Operation::Models),
            "/v1beta/models" => (Protocol::Gemini, Operation::Models),
            path => match path.strip_prefix("/v1beta/models/").and_then(|rest| rest.split_once(':')) {
                Some((_, "generateContent")) => (Protocol::Gemini, Operation::Chat { stream: false }),
                Some((_, "streamGenerateContent")) => (Protocol::Gemini, Operation::Chat { stream: true }),
                Some((_, "batchEmbedContents")) => (Protocol::Gemini, Operation::Embeddings),
                _ if anthropic => (Protocol::Anthropic, Operation::Unknown),
                _ => (Protocol::OpenAi, Operation::Unknown),
            },
        };
        Self { protocol, operation }
    }

    fn violations(self, seen: &Seen) -> Vec<String> {
        let mut wrong = match self.protocol {
            Protocol::OpenAi => openai::violations(self.operation, seen),
            Protocol::Anthropic => anthropic::violations(self.operation, seen),
            Protocol::Gemini => gemini::violations(self.operation, seen),
        };
        let (method, has_body) = match self.operation {
            Operation::Models => ("GET", false),
            _ => ("POST", true),
        };
        if seen.method != method {
            wrong.push(format!("method {} where {method} is due", seen.method));
        }
        if has_body && seen.headers.get("content-type").is_none_or(|kind| !kind.starts_with("application/json")) {
            wrong.push(format!("content-type is {:?}", seen.headers.get("content-type")));
        }
        wrong
    }

    fn key(self, seen: &Seen) -> Option<&str> {
        let header = |name: &str| seen.headers.get(name).map(String::as_str);
        match self.protocol {
            Protocol::OpenAi => header("authorization")?.strip_prefix("Bearer "),
            // Its SDKs of this year send the bearer form.
            Protocol::Anthropic => header("x-api-key").or_else(|| header("authorization")?.strip_prefix("Bearer ")),
            Protocol::Gemini => header("x-goog-api-key"),
        }
    }

    fn error(self, status: u16, error: &Error) -> Value {
        match self.protocol {
            Protocol::OpenAi => openai::error(status, error),
            Protocol::Anthropic => anthropic::error(status, error),
            Protocol::Gemini => gemini::error(status, error),
        }
    }

    pub(super) fn error_event(self, error: &Error) -> String {
        match self.protocol {
            Protocol::OpenAi => format!("data: {}\n\n", openai::error(500, error)),
            Protocol::Anthropic => format!("event: error\ndata: {}\n\n", anthropic::error(500, error)),
            Protocol::Gemini => format!("data: {}\n\n", gemini::error(500, error)),
        }
    }

    fn body(self, answer: &Answer, seen: &Seen) -> Body {
        let value = match (self.protocol, self.operation) {
            (Protocol::OpenAi, Operation::Chat { stream: true }) => return Body::Stream(openai::events(answer, seen)),
            (Protocol::OpenAi, Operation::Chat { .. }) => openai::whole(answer, seen),
            (Protocol::OpenAi, Operation::Embeddings) => openai::embeddings(answer, seen),
            (Protocol::OpenAi, _) => openai::models(),
            (Protocol::Anthropic, Operation::Chat { stream: true }) => {
                return Body::Stream(anthropic::events(answer, seen));
            }
            (Protocol::Anthropic, Operation::Chat { .. }) => anthropic::whole(answer, seen),
            (Protocol::Anthropic, _) => anthropic::models(),
            (Protocol::Gemini, Operation::Chat { stream: true }) => return Body::Stream(gemini::events(answer, seen)),
            (Protocol::Gemini, Operation::Chat { .. }) => gemini::whole(answer, seen),
            (Protocol::Gemini, Operation::Embeddings) => gemini::embeddings(seen),
            (Protocol::Gemini, _) => gemini::models(),
        };
        Body::Whole(value.to_string().into_bytes())
    }
}

/// An answer ready to be written.
pub(super) struct Rendered {
    pub(super) route: Route,
    pub(super) body: Body,
    pub(super) first_byte: Duration,
    pub(super) pace: Duration,
    pub(super) piece: Option<usize>,
    pub(super) head_gate: Option<Gate>,
    pub(super) gate: Option<(usize, Gate)>,
    pub(super) then: Option<(usize, Then)>,
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
}

pub(super) enum Body {
    /// Not even a head.
    Nothing,
    Whole(Vec<u8>),
    /// Events, each with its blank line.
    Stream(Vec<String>),
    /// A beginning, and then the same again and again.
    Endless(Vec<u8>, Vec<u8>),
}

impl Rendered {
    fn new(route: Route, status: u16, content_type: &'static str, body: Body) -> Self {
        Self {
            route,
            body,
            first_byte: Duration::ZERO,
            pace: Duration::ZERO,
            piece: None,
            head_gate: None,
            gate: None,
            then: None,
            status,
            content_type,
            headers: Vec::new(),
        }
    }

    /// Status line and headers, with the one that says how the body is framed.
    pub(super) fn head(&self, framing: &str) -> String {
        use std::fmt::Write as _;

        let mut head = format!("HTTP/1.1 {} .\r\ncontent-type: {}\r\n{framing}\r\n", self.status, self.content_type);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head
    }
}

/// Checks, records, and renders what is planned.
pub(super) fn strictly(inner: &Inner, seen: &Seen, raw: &[u8]) -> Rendered {
    let mut route = Route::of(seen, raw);
    if let Operation::Chat { stream } = &mut route.operation
        && route.protocol != Protocol::Gemini
    {
        *stream = seen.body["stream"] == true;
    }
    let mut wrong = route.violations(seen);
    let key = route.key(seen).map(str::to_owned);
    if key.is_none() {
        wrong.push("no key where it belongs".into());
    }
    let reply = inner.change(|state| {
        state.violations.extend(wrong.iter().map(|what| format!("{} {}: {what}", seen.method, seen.path)));
        state.seen.push(seen.clone());
        let planned = |state: &mut super::State| state.next.pop_front().or_else(|| state.always.clone());
        if key.as_deref() != Some(super::FakeProvider::KEY) {
            Reply::error(401, "", "Incorrect API key provided: sk-fake-********ghij.")
        } else if !wrong.is_empty() {
            Reply::error(400, "", &wrong.join("; "))
        } else if route.operation == Operation::Models {
            state.next.pop_front().unwrap_or_else(Reply::echo)
        } else {
            planned(state).unwrap_or_else(Reply::echo)
        }
    });
    render(route, &reply, seen)
}

pub(super) fn render(route: Route, reply: &Reply, seen: &Seen) -> Rendered {
    let streams = route.operation == Operation::Chat { stream: true };
    let good = |body: Body| {
        let content_type = if matches!(body, Body::Stream(_)) { "text/event-stream" } else { "application/json" };
        Rendered::new(route, 200, content_type, body)
    };
    let mut rendered = match &reply.content {
        Content::Echo => good(route.body(&echo(seen), seen)),
        Content::Answer(answer) => good(route.body(answer, seen)),
        Content::Error { status, error } => {
            let body = route.error(*status, error).to_string().into_bytes();
            Rendered::new(route, *status, "application/json", Body::Whole(body))
        }
        Content::Raw { status, content_type, body } => {
            Rendered::new(route, *status, content_type, Body::Whole(body.clone()))
        }
        Content::Huge(bytes) => Rendered::new(route, 200, "application/json", Body::Whole(vec![b' '; *bytes])),
        Content::Heartbeats => {
            let body = Body::Endless(Vec::new(), b": alive\n\n".to_vec());
            Rendered::new(route, 200, "text/event-stream", body)
        }
        Content::Hangup => Rendered::new(route, 0, "", Body::Nothing),
        Content::Endless if streams => {
            let answer = Answer { text: Some("again and ".repeat(8)), ..Answer::default() };
            let Body::Stream(events) = route.body(&answer, seen) else { unreachable!("it streams") };
            // Up to a piece of text, and that again and again.
            let text = events.iter().position(|event| event.contains("again ")).unwrap_or_default();
            let (first, again) = (events[..text].concat(), events[text].repeat(8));
            let body = Body::Endless(first.into_bytes(), again.into_bytes());
            Rendered::new(route, 200, "text/event-stream", body)
        }
        Content::Endless => {
            Rendered::new(route, 200, "application/json", Body::Endless(Vec::new(), vec![b' '; 8 << 10]))
        }
    };
    rendered.headers.clone_from(&reply.headers);
    rendered.first_byte = reply.first_byte;
    rendered.pace = reply.pace;
    rendered.piece = reply.piece;
    rendered.head_gate.clone_from(&reply.head_gate);
    rendered.gate.clone_from(&reply.gate);
    rendered.then.clone_from(&reply.then);
    rendered
}

fn echo(seen: &Seen) -> Answer {
    let text = format!("You said: {}", last_text(&seen.body).unwrap_or_default());
    Answer { text: Some(text), ..Answer::default() }
}

/// The user's last text, in any of the three protocols.
fn last_text(body: &Value) -> Option<&str> {
    let messages = body.get("messages").or_else(|| body.get("contents"))?.as_array()?;
    let last = messages.iter().rev().find(|message| message["role"] == "user")?;
    let content = last.get("content").or_else(|| last.get("parts"))?;
    content.as_str().or_else(|| content.as_array()?.iter().rev().find_map(|part| part["text"].as_str()))
}

/// How the fake counts: words.
pub fn tokens(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// Tokens of everything that is said in a request.
pub(super) fn input_tokens(value: &Value) -> u64 {
    match value {
        Value::String(text) => tokens(text),
        Value::Array(items) => items.iter().map(input_tokens).sum(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| {
                ["messages", "contents", "content", "parts", "text", "system", "systemInstruction", "input"]
                    .contains(&name.as_str())
            })
            .map(|(_, value)| input_tokens(value))
            .sum(),
        _ => 0,
    }
}

impl Answer {
    /// Tokens of thinking, and of everything.
    pub(super) fn output_tokens(&self) -> (u64, u64) {
        let thinking = self.thinking.as_ref().map_or(0, |(text, _)| tokens(text));
        let said = [&self.text, &self.refusal].into_iter().flatten().map(|text| tokens(text)).sum::<u64>();
        (thinking, thinking + said + self.calls.len() as u64)
    }
}

/// The vector of a text: the same for the same text, of numbers that survive every notation.
pub fn embedding(text: &str, dimensions: usize) -> Vec<f32> {
    let mut state = text.bytes().fold(17_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u8::try_from(state >> 24).unwrap_or_default()) / 256.0
    };
    (0..dimensions).map(|_| next()).collect()
}

/// A server-sent event.
pub(super) fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// A text in the pieces in which it is streamed: words, each with the space after it.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}
