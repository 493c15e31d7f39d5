//! Providers of language models as a real local server: OpenAI's chat completions and embeddings, Anthropic's messages,
//! Google's generateContent. It checks strictly what it is sent, records it, answers deterministically, and misbehaves on
//! request.
//!
//! ```ignore
//! let fake = FakeProvider::start().await;
//! fake.next(Reply::tools([("weather", json!({"city": "Bern"}))]));
//! fake.next(Reply::text("one two three").cut_after(2));
//! // … call fake.openai_url() with FakeProvider::KEY …
//! fake.wait_until_idle().await;
//! assert_eq!(fake.requests()[0].body["model"], "gpt-5-mini");
//! fake.assert_clean();
//! ```
//!
//! Counted tokens are words. Without anything scripted the answer is "You said: " and the user's last text.

mod anthropic;
mod connection;
mod gemini;
mod openai;
mod render;
mod reply;
mod shape;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle, time::timeout};

use render::{Rendered, Route};
pub use render::{embedding, tokens};
pub use reply::{Gate, Reply};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server. Ends with its last owner.
pub struct FakeProvider {
    address: SocketAddr,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Null when there was none, or none that is JSON.
    pub body: Value,
}

struct Inner {
    /// Checks, records and renders every request; otherwise each kind of answer is rendered once.
    strict: bool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    next: VecDeque<Reply>,
    always: Option<Reply>,
    seen: Vec<Seen>,
    waited_for: usize,
    violations: Vec<String>,
    active: usize,
    streams: usize,
    cancelled: usize,
    bytes_sent: u64,
    ready_made: HashMap<Route, Arc<Rendered>>,
}

impl FakeProvider {
    /// The key that it accepts, for every protocol.
    pub const KEY: &'static str = "sk-fake-0123456789abcdefghij";

    /// Listens on a free port of this machine.
    ///
    /// # Panics
    /// Without a free port.
    pub async fn start() -> Self {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into(), true).await.expect("a free port")
    }

    /// For load: neither checks nor records, and renders each answer only once.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::listen(address, false).await
    }

    async fn listen(address: SocketAddr, strict: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let inner = Arc::new(Inner { strict, state: Mutex::default(), changed: Notify::new() });
        let task = kit::tasks::spawn("testkit.fake_provider", connection::accept(listener, Arc::clone(&inner)));
        Ok(Self { address, inner, task })
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Base URL of an OpenAI-compatible provider.
    pub fn openai_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// Base URL of an Anthropic provider.
    pub fn anthropic_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// Base URL of a Gemini provider.
    pub fn gemini_url(&self) -> String {
        format!("{}/v1beta", self.url())
    }

    /// Answers the next request that nothing else is planned for. Listing models is always answered as it should be,
    /// unless a reply is planned.
    pub fn next(&self, reply: Reply) {
        self.inner.state().next.push_back(reply);
    }

    /// Answers every request that nothing else is planned for.
    pub fn always(&self, reply: Reply) {
        let mut state = self.inner.state();
        state.always = Some(reply);
        state.ready_made.clear();
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.inner.state().seen.clone()
    }

    /// The last request.
    ///
    /// # Panics
    /// When there was none.
    pub fn last_request(&self) -> Seen {
        self.inner.state().seen.last().cloned().expect("a request")
    }

    /// What was wrong with the requests so far.
    pub fn violations(&self) -> Vec<String> {
        self.inner.state().violations.clone()
    }

    /// # Panics
    /// When a request was wrong.
    #[track_caller]
    pub fn assert_clean(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "the provider was sent what it does not take:\n{}", violations.join("\n"));
    }

    /// The next request that was not waited for yet, as soon as it is there.
    pub async fn wait_for_request(&self) -> Seen {
        self.wait("a request", |state| {
            let seen = state.seen.get(state.waited_for).cloned()?;
            state.waited_for += 1;
            Some(seen)
        })
        .await
    }

    /// Requests whose answer is not over.
    pub fn active(&self) -> usize {
        self.inner.state().active
    }

    /// Streams that have begun and are not over.
    pub fn active_streams(&self) -> usize {
        self.inner.state().streams
    }

    /// Answers that the other side did not wait for.
    pub fn cancelled(&self) -> usize {
        self.inner.state().cancelled
    }

    /// Bytes of answers that the network took.
    pub fn bytes_sent(&self) -> u64 {
        self.inner.state().bytes_sent
    }

    /// Until no answer is under way.
    pub async fn wait_until_idle(&self) {
        self.wait("the last answer to end", |state| (state.active == 0).then_some(())).await;
    }

    /// Until so many answers were left by the other side.
    pub async fn wait_for_cancelled(&self, answers: usize) {
        self.wait("the other side to leave", |state| (state.cancelled >= answers).then_some(())).await;
    }

    async fn wait<T>(&self, what: &str, look: impl FnMut(&mut State) -> Option<T>) -> T {
        let found = timeout(PATIENCE, self.inner.until(look)).await;
        found.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_waiters();
        result
    }

    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.state()) {
                return found;
            }
            changed.await;
        }
    }
}

/// What is wrong with the body of a request, for tests of an encoder alone. For Anthropic by the version of its API.
pub mod check {
    use serde_json::Value;

    /// `POST /v1/chat/completions`.
    pub fn openai(body: &Value) -> Vec<String> {
        super::openai::chat_violations(body)
    }

    /// `POST /v1/messages`.
    pub fn anthropic(body: &Value, version: &str) -> Vec<String> {
        super::anthropic::chat_violations(body, version)
    }

    /// `POST /v1beta/models/…:generateContent`.
    pub fn gemini(body: &Value) -> Vec<String> {
        super::gemini::chat_violations(body)
    }
}

#[cfg(test)]
mod tests;
