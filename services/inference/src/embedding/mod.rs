//! The embedding model: a BERT in candle behind a queue. One thread puts the texts of all requests into batches, a small
//! pool computes them, and what was computed is remembered.

mod bert;
mod cache;
mod queue;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Instant, SystemTime},
};

use anyhow::ensure;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, future::BoxFuture};
use kit::{CancellationToken, HealthCheck, Task};
use tokio::sync::oneshot;

use self::{
    bert::{Bert, Tokens},
    cache::Cache,
    queue::{Queue, Request},
};
use crate::{
    config::EmbeddingSettings,
    error::Error,
    metrics::{self, TokenKind},
};

/// The configured embedding model; cheap to clone.
#[derive(Clone)]
pub struct EmbeddingModel(Arc<Shared>);

struct Shared {
    settings: EmbeddingSettings,
    created: Option<SystemTime>,
    /// Set once loading has ended: well, or with what went wrong.
    loaded: OnceLock<Result<Arc<Bert>, String>>,
    cache: Cache,
    queue: Queue,
    /// Texts that were accepted and have no vector yet.
    accepted: AtomicUsize,
}

/// One text's vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Of length 1.
    pub vector: Arc<[f32]>,
    /// Tokens that were read.
    pub tokens: u32,
    /// Tokens past the model's limit that were not.
    pub cut: u32,
}

impl EmbeddingModel {
    /// Checks that the files are there and begins to load them in the background. The task ends the thread behind it.
    pub fn open(settings: EmbeddingSettings) -> anyhow::Result<(Self, Task)> {
        for file in bert::FILES {
            let path = settings.path.join(file);
            ensure!(
                path.is_file(),
                "BRAINOPS_INFERENCE_EMBEDDING_MODEL: {} is not there (scripts/fetch-models.sh fetches models)",
                path.display()
            );
        }
        let created = settings.path.join(bert::FILES[0]).metadata().and_then(|file| file.modified()).ok();
        let shared = Arc::new(Shared {
            cache: Cache::new(settings.cache_bytes),
            settings,
            created,
            loaded: OnceLock::new(),
            queue: Queue::default(),
            accepted: AtomicUsize::new(0),
        });
        let (report, ended) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("inference-embedding".into()).spawn(move || {
            run(&of_thread);
            let _ = report.send(());
        })?;
        let of_task = Arc::clone(&shared);
        let task = Task::new("inference.embedding", move |token| watch(token, of_task, ended));
        Ok((Self(shared), task))
    }

    pub fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// Seconds since 1970 at which the file was made; 0 when the file system does not tell.
    pub fn created(&self) -> i64 {
        self.0.created.map_or(0, |at| DateTime::<Utc>::from(at).timestamp())
    }

    /// Numbers in a vector.
    pub fn dimensions(&self) -> Result<usize, Error> {
        self.loaded().map(|bert| bert.dimensions())
    }

    /// The vectors of `texts`, in their order. Of a text with more than
    /// [`MAX_TOKENS`](bert::MAX_TOKENS) tokens the beginning counts.
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Embedding>, Error> {
        let bert = Arc::clone(self.loaded()?);
        let places = Places::take(&self.0, texts.len()).inspect_err(|_| metrics::refused(self.name()))?;
        let shared = Arc::clone(&self.0);
        // Splitting a long text into tokens takes its time.
        let prepared = tokio::task::spawn_blocking(move || Prepared::new(&bert, &shared.cache, &texts));
        let mut prepared = prepared.await.map_err(|panic| Error::Failed(panic.to_string()))??;
        let (done, missing) = (prepared.hits(), std::mem::take(&mut prepared.missing));
        metrics::cached(self.name(), done, missing.len());
        if !missing.is_empty() {
            let (tokens, answer) = (missing.iter().map(|(_, tokens)| tokens.clone()).collect(), oneshot::channel());
            self.0.queue.push(Request::new(tokens, answer.0));
            let vectors = answer.1.await.map_err(|_| Error::Failed("the engine has stopped".into()))?;
            let vectors = vectors.map_err(Error::Failed)?;
            for ((key, tokens), vector) in missing.into_iter().zip(vectors) {
                let count = tokens.ids.len().try_into().unwrap_or(u32::MAX);
                metrics::tokens(self.name(), TokenKind::Embedding, count.into());
                let embedding = Embedding { vector, tokens: count, cut: tokens.cut };
                self.0.cache.put(key, embedding.clone());
                prepared.fill(key, &embedding);
            }
        }
        drop(places);
        prepared.finish()
    }

    fn loaded(&self) -> Result<&Arc<Bert>, Error> {
        match self.0.loaded.get() {
            Some(Ok(bert)) => Ok(bert),
            Some(Err(_)) => Err(Error::ModelUnavailable),
            None => Err(Error::ModelLoading),
        }
    }
}

/// Texts of one request: those with a vector, and what has to be computed, each text once.
struct Prepared {
    keys: Vec<cache::Key>,
    found: Vec<Option<Embedding>>,
    missing: Vec<(cache::Key, Tokens)>,
}

impl Prepared {
    fn new(bert: &Bert, cache: &Cache, texts: &[String]) -> Result<Self, Error> {
        let keys: Vec<_> = texts.iter().map(|text| cache::key(text)).collect();
        let found: Vec<_> = keys.iter().map(|key| cache.get(key)).collect();
        let mut missing: Vec<(cache::Key, Tokens)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for ((key, text), found) in keys.iter().zip(texts).zip(&found) {
            if found.is_none() && seen.insert(*key) {
                missing.push((*key, bert.tokens(text).map_err(Error::Failed)?));
            }
        }
        Ok(Self { keys, found, missing })
    }

    fn hits(&self) -> usize {
        self.found.iter().flatten().count()
    }

    fn fill(&mut self, key: cache::Key, embedding: &Embedding) {
        for (_, found) in self.keys.iter().zip(&mut self.found).filter(|(other, _)| **other == key) {
            *found = Some(embedding.clone());
        }
    }

    fn finish(self) -> Result<Vec<Embedding>, Error> {
        let all: Option<Vec<_>> = self.found.into_iter().collect();
        all.ok_or_else(|| Error::Failed("a text got no vector".into()))
    }
}

/// Places among the texts that may wait, given back when they are dropped.
struct Places(Arc<Shared>, usize);

impl Places {
    fn take(shared: &Arc<Shared>, count: usize) -> Result<Self, Error> {
        let limit = shared.settings.queue;
        let taken = shared.accepted.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            // A request alone is always let in: it would never be the right moment for a large one otherwise.
            (taken == 0 || taken + count <= limit).then_some(taken + count)
        });
        let taken = taken.map_err(|_| Error::Busy)?;
        metrics::waiting(&shared.settings.name, taken + count);
        Ok(Self(Arc::clone(shared), count))
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        let before = self.0.accepted.fetch_sub(self.1, Ordering::AcqRel);
        metrics::waiting(&self.0.settings.name, before - self.1);
    }
}

/// The engine's thread: loads, says so, computes until it is told to stop.
fn run(shared: &Shared) {
    let begun = Instant::now();
    let opened = Bert::open(&shared.settings.path, shared.settings.threads);
    let bert = match opened {
        Ok(bert) => Arc::new(bert),
        Err(error) => {
            let chain = format!("{error:#}");
            tracing::error!(
                model.name = shared.settings.name,
                error.chain = chain,
                "The embedding model could not be loaded"
            );
            let _ = shared.loaded.set(Err(chain));
            // The process stays, so that health and log can be read.
            while shared.queue.next(0).is_some() {}
            return;
        }
    };
    tracing::info!(
        model.name = shared.settings.name,
        model.dimensions = bert.dimensions(),
        duration_ms = begun.elapsed().as_millis(),
        "The embedding model is loaded"
    );
    let _ = shared.loaded.set(Ok(Arc::clone(&bert)));
    while let Some(batch) = shared.queue.next(bert::BATCH) {
        shared.queue.answer(batch, |tokens| bert.embed(tokens));
    }
}

/// Runs until `token` is cancelled, then ends the thread. An end before that is a failure.
async fn watch(token: CancellationToken, shared: Arc<Shared>, mut ended: oneshot::Receiver<()>) -> anyhow::Result<()> {
    tokio::select! {
        () = token.cancelled() => {
            shared.queue.close();
            let _ = ended.await;
            Ok(())
        }
        _ = &mut ended => anyhow::bail!("the thread of the embedding model has ended"),
    }
}

impl HealthCheck for EmbeddingModel {
    fn name(&self) -> &'static str {
        "embedding model"
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
