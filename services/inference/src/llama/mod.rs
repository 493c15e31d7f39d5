//! The chat model: llama.cpp behind a queue. One thread owns the context and works on several sequences at once; requests
//! reach it over a channel and read their answers from one.

mod backend;
mod engine;
mod model;
mod sampler;

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Instant, SystemTime},
};

use anyhow::ensure;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, future::BoxFuture};
use kit::{CancellationToken, HealthCheck, Task};
use tokio::sync::{mpsc as events, oneshot};

use self::{
    engine::{Job, Message},
    model::LoadedModel,
};
use crate::{
    config::ChatSettings,
    domain::{
        generation::{Event, FinishReason, Generation, OutputFormat, Usage},
        prompt::{Message as ChatMessage, Prompt},
    },
    error::Error,
    metrics,
};

/// The configured chat model; cheap to clone.
#[derive(Clone)]
pub struct ChatModel(Arc<Shared>);

struct Shared {
    settings: ChatSettings,
    /// When the file was made: what `GET /v1/models` calls its creation.
    created: Option<SystemTime>,
    /// Set once loading has ended: well, or with what went wrong.
    loaded: OnceLock<Result<Arc<LoadedModel>, String>>,
    /// To the engine's thread.
    engine: mpsc::Sender<Message>,
    /// Requests that were accepted and are not finished.
    accepted: AtomicUsize,
}

/// An answer that is being written. Dropping it frees its place.
#[derive(Debug)]
pub struct Answer {
    events: events::UnboundedReceiver<Result<Event, String>>,
}

impl Answer {
    /// The rest of it in one piece.
    pub async fn whole(mut self) -> Result<(String, FinishReason, Usage), Error> {
        let mut whole = String::new();
        loop {
            match self.next().await? {
                Event::Text(text) => whole.push_str(&text),
                Event::Finished { reason, usage } => return Ok((whole, reason, usage)),
            }
        }
    }

    /// The next piece. After [`Event::Finished`] or an error nothing follows.
    pub async fn next(&mut self) -> Result<Event, Error> {
        match self.events.recv().await {
            Some(event) => event.map_err(Error::Failed),
            None => Err(Error::Failed("the engine has stopped".into())),
        }
    }
}

impl ChatModel {
    /// Checks that the files are there and begins to load them in the background. The task ends the thread behind it.
    pub fn open(settings: ChatSettings) -> anyhow::Result<(Self, Task)> {
        readable(&settings.path, "BRAINOPS_INFERENCE_CHAT_MODEL")?;
        if let Some(template) = &settings.template {
            readable(template, "BRAINOPS_INFERENCE_CHAT_TEMPLATE")?;
        }
        let created = settings.path.metadata().and_then(|file| file.modified()).ok();
        let (engine, messages) = mpsc::channel();
        let (report, ended) = oneshot::channel();
        let shared =
            Arc::new(Shared { settings, created, loaded: OnceLock::new(), engine, accepted: AtomicUsize::new(0) });
        let of_thread = Arc::clone(&shared);
        let handle = std::thread::Builder::new()
            .name("inference-chat".into())
            // llama.cpp's grammars are recursive; virtual memory until it is used.
            .stack_size(32 << 20)
            .spawn(move || {
                run(&of_thread, &messages);
                let _ = report.send(());
            })?;
        let thread = Thread { messages: shared.engine.clone(), handle: Some(handle) };
        let task = Task::new("inference.chat", move |token| watch(token, thread, ended));
        Ok((Self(shared), task))
    }

    pub fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// Seconds since 1970 at which the file was made; 0 when the file system does not tell.
    pub fn created(&self) -> i64 {
        self.0.created.map_or(0, |at| DateTime::<Utc>::from(at).timestamp())
    }

    /// The prompt for the next message of a conversation, in the form that the model was trained on.
    pub fn chat_prompt(
        &self,
        messages: &[ChatMessage],
        format: &OutputFormat,
        now: DateTime<Utc>,
    ) -> Result<Prompt, Error> {
        self.loaded()?.chat_prompt(messages, format, now)
    }

    /// Puts a request into the queue; its answer begins when it is its turn.
    pub async fn generate(&self, generation: Generation) -> Result<Answer, Error> {
        let asked = Instant::now();
        let model = Arc::clone(self.loaded()?);
        let place = Place::take(&self.0).inspect_err(|_| metrics::refused(self.name()))?;
        // Reading a prompt and building a grammar takes milliseconds, for the largest that are allowed some hundred.
        let (send, receive) = events::unbounded_channel();
        let job = tokio::task::spawn_blocking(move || {
            let prepared = model.prepare(&generation)?;
            Ok::<_, Error>(Job { prepared, asked, events: send, _place: place })
        });
        let job = job.await.map_err(|panic| Error::Failed(panic.to_string()))??;
        self.0.engine.send(Message::Job(Box::new(job))).map_err(|_| Error::ModelUnavailable)?;
        Ok(Answer { events: receive })
    }

    fn loaded(&self) -> Result<&Arc<LoadedModel>, Error> {
        match self.0.loaded.get() {
            Some(Ok(model)) => Ok(model),
            Some(Err(_)) => Err(Error::ModelUnavailable),
            None => Err(Error::ModelLoading),
        }
    }
}

/// Whether a configured file can be opened, said while the service starts and not when it is first used.
fn readable(path: &Path, variable: &str) -> anyhow::Result<()> {
    ensure!(
        std::fs::File::open(path).is_ok_and(|file| file.metadata().is_ok_and(|file| file.is_file())),
        "{variable}: {} is no file that can be read (scripts/fetch-models.sh fetches models)",
        path.display()
    );
    Ok(())
}

/// A place among the accepted requests, given back when it is dropped.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Result<Self, Error> {
        let limit = shared.settings.queue + shared.settings.parallel as usize;
        let taken = shared
            .accepted
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| (taken < limit).then_some(taken + 1));
        taken.map(|_| Self(Arc::clone(shared))).map_err(|_| Error::Busy)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.accepted.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The engine's thread: loads, says so, works until it is told to stop.
fn run(shared: &Shared, messages: &mpsc::Receiver<Message>) {
    let begun = Instant::now();
    let model = match LoadedModel::open(&shared.settings) {
        Ok(model) => Arc::new(model),
        Err(error) => {
            tracing::error!(
                model.name = shared.settings.name,
                error.chain = format!("{error:#}"),
                "The chat model could not be loaded"
            );
            let _ = shared.loaded.set(Err(format!("{error:#}")));
            // Requests are refused from here on; the process stays, so that health and log can be read.
            while !matches!(messages.recv(), Ok(Message::Stop) | Err(_)) {}
            return;
        }
    };
    let ready = || {
        tracing::info!(
            model.name = shared.settings.name,
            model.context = model.context,
            duration_ms = begun.elapsed().as_millis(),
            "The chat model is loaded"
        );
        let _ = shared.loaded.set(Ok(Arc::clone(&model)));
    };
    if let Err(error) = engine::run(&model, &shared.settings, messages, ready) {
        tracing::error!(
            model.name = shared.settings.name,
            error.chain = format!("{error:#}"),
            "The chat model's engine ended"
        );
        let _ = shared.loaded.set(Err(format!("{error:#}")));
    }
}

/// The engine's thread. Dropping this ends it and waits for the batch in hand: a process that exits while llama.cpp
/// computes takes away from under the thread what it uses.
struct Thread {
    messages: mpsc::Sender<Message>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    fn stop(&self) {
        let _ = self.messages.send(Message::Stop);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

/// Runs until `token` is cancelled, then ends the thread. An end before that is a failure.
async fn watch(token: CancellationToken, thread: Thread, mut ended: oneshot::Receiver<()>) -> anyhow::Result<()> {
    tokio::select! {
        () = token.cancelled() => {
            thread.stop();
            let _ = ended.await;
            Ok(())
        }
        _ = &mut ended => anyhow::bail!("the thread of the chat model has ended"),
    }
}

impl HealthCheck for ChatModel {
    fn name(&self) -> &'static str {
        "chat model"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        let state = match self.0.loaded.get() {
            None => Err("it is being loaded".to_owned()),
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) => Err("it could not be loaded; see the log".to_owned()),
        };
        async move { state }.boxed()
    }
}
