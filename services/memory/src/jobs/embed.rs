//! Gives texts their vectors. Several replicas share the work: each takes jobs that no other has.

use std::{collections::HashMap, time::Duration};

use kit::{CancellationToken, Task};

use super::signal;
use crate::{
    clients::server::CallError,
    domain::space::{EmbeddingModel, SpaceState},
    metrics,
    recall::sentences::{combined, embedded},
    state::{AppState, Embedding},
    store::{
        spaces,
        vectors::{self, Job},
    },
};

/// Texts that are embedded at a time.
const BATCH: i64 = 64;
/// Jobs of a replica that died are done by another one after this.
const LEASE: Duration = Duration::from_mins(2);
/// For one batch.
const DEADLINE: Duration = Duration::from_secs(100);
/// Somebody else may have stored texts, and pauses of failed jobs end.
const LOOK: Duration = Duration::from_secs(1);
/// A text that a server refused alone so often is found by its words only.
const ATTEMPTS: i32 = 5;
/// While the server does not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// Embeds whatever waits, as long as the service lives.
pub fn embed(state: &AppState, embedding: Embedding) -> Task {
    let state = state.clone();
    Task::new("memory.embed", async move |stop: CancellationToken| {
        loop {
            let pause = match stop.run_until_cancelled(round(&state, &embedding)).await {
                None => return Ok(()),
                Some(Ok(Round::Worked)) => continue,
                Some(Ok(Round::Idle)) => LOOK,
                Some(Ok(Round::Failed)) => PAUSE,
                Some(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Nothing can be embedded now");
                    PAUSE
                }
            };
            if !signal(&stop, &state.signals.texts, pause).await {
                return Ok(());
            }
        }
    })
}

/// What came of a round.
enum Round {
    /// Texts got their vectors, and more may wait.
    Worked,
    /// Nothing waits.
    Idle,
    /// What waits could not be embedded.
    Failed,
}

/// One batch of every model in use. A model that nobody serves any more does not hold up the one that takes over.
async fn round(state: &AppState, embedding: &Embedding) -> Result<Round, db::Error> {
    let live = state.db.system("embedding").tx(|conn| Ok::<_, db::Error>(spaces::live(conn)?)).await?;
    let mut came = Round::Idle;
    // The active one first: what is new should be found soon, also while another model takes over.
    let rank = |state: SpaceState| u8::from(state != SpaceState::Active);
    let mut live = live;
    live.sort_by_key(|(_, state)| rank(*state));
    for (model, _) in live {
        match batch(state, embedding, &model).await {
            Ok(true) => came = Round::Worked,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(
                    model = model.name,
                    error = &*error as &dyn std::error::Error,
                    "Texts cannot be embedded; it will be tried again"
                );
                if matches!(came, Round::Idle) {
                    came = Round::Failed;
                }
            }
        }
    }
    Ok(came)
}

/// Whether texts of this model waited.
async fn batch(state: &AppState, embedding: &Embedding, model: &EmbeddingModel) -> anyhow::Result<bool> {
    let space = model.space;
    let claim =
        move |conn: &mut db::diesel::PgConnection| Ok::<_, db::Error>(vectors::claim(conn, space, BATCH, LEASE)?);
    let jobs = state.db.system("embedding").tx(claim).await?;
    if jobs.is_empty() {
        return Ok(false);
    }
    let entries: Vec<_> = jobs.iter().map(|job| job.entry).collect();
    let outcome = match vectors_of(embedding, model, &jobs).await {
        // One text spoils the answer for all: each by itself.
        Err(CallError::Refused(..)) if jobs.len() > 1 => one_by_one(state, embedding, model, jobs).await?,
        Err(CallError::Refused(_, status)) => {
            refused(state, model, jobs, status).await?;
            Vec::new()
        }
        Err(error) => {
            let postpone = move |conn: &mut db::diesel::PgConnection| {
                Ok::<_, db::Error>(vectors::postpone(conn, space, &entries, PAUSE)?)
            };
            state.db.system("embedding").tx(postpone).await?;
            return Err(error.into());
        }
        Ok(vectors) => jobs.into_iter().zip(vectors).collect(),
    };
    finish(state, model, outcome).await?;
    Ok(true)
}

async fn one_by_one(
    state: &AppState,
    embedding: &Embedding,
    model: &EmbeddingModel,
    jobs: Vec<Job>,
) -> anyhow::Result<Vec<(Job, Vec<f32>)>> {
    let mut done = Vec::new();
    for job in jobs {
        match vectors_of(embedding, model, std::slice::from_ref(&job)).await {
            Ok(mut vectors) => done.extend(vectors.pop().map(|vector| (job, vector))),
            Err(CallError::Refused(_, status)) => refused(state, model, vec![job], status).await?,
            // Its lease ends, and it is tried again.
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "A text was not embedded"),
        }
    }
    Ok(done)
}

async fn refused(
    state: &AppState,
    model: &EmbeddingModel,
    jobs: Vec<Job>,
    status: reqwest::StatusCode,
) -> Result<(), db::Error> {
    let space = model.space;
    let (hopeless, again): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.attempts >= ATTEMPTS);
    for job in &hopeless {
        tracing::warn!(entry.id = %job.entry.0, %status, "A text was refused too often and is found by its words only");
    }
    metrics::refused_texts(hopeless.len());
    let ids = |jobs: Vec<Job>| jobs.into_iter().map(|job| job.entry).collect::<Vec<_>>();
    let (hopeless, again) = (ids(hopeless), ids(again));
    state
        .db
        .system("embedding")
        .tx(move |conn| {
            vectors::give_up(conn, space, &hopeless)?;
            Ok::<_, db::Error>(vectors::postpone(conn, space, &again, PAUSE)?)
        })
        .await
}

async fn finish(state: &AppState, model: &EmbeddingModel, done: Vec<(Job, Vec<f32>)>) -> anyhow::Result<()> {
    let (space, count) = (model.space, done.len());
    state.db.system("embedding").tx(move |conn| vectors::finish(conn, space, &done)).await?;
    metrics::embedded_texts(count);
    state.signals.entries.notify_one();
    Ok(())
}

/// One vector for each job. The same text is embedded once.
async fn vectors_of(embedding: &Embedding, model: &EmbeddingModel, jobs: &[Job]) -> Result<Vec<Vec<f32>>, CallError> {
    let parts: Vec<_> = jobs.iter().map(|job| embedded(&job.text, &job.reply_to)).collect();
    let mut texts: Vec<String> = Vec::new();
    let mut place: HashMap<&str, usize> = HashMap::new();
    for part in parts.iter().flatten() {
        place.entry(part.text.as_str()).or_insert_with(|| {
            texts.push(part.text.clone());
            texts.len() - 1
        });
    }
    let vectors = embedding.vectors(model, &texts, DEADLINE).await?;
    let of = |weighted: &crate::recall::sentences::Weighted| {
        let vector = place.get(weighted.text.as_str()).and_then(|place| vectors.get(*place));
        vector.map(|vector| (weighted.weight, vector.as_slice()))
    };
    Ok(parts.iter().map(|parts| combined(&parts.iter().filter_map(of).collect::<Vec<_>>())).collect())
}
