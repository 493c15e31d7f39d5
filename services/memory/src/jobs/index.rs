//! Keeps the vector index of every model in use up with the database, and changes over to another model when its index is
//! complete.

use std::time::{Duration, Instant};

use kit::{CancellationToken, Task};

use super::signal;
use crate::{
    config::VectorSettings,
    domain::space::{EmbeddingModel, SpaceState},
    metrics,
    state::{AppState, Embedding},
    store::{
        feed::{self, Changed, Cursor},
        purges, spaces,
    },
    vectors::{Change, Space, VectorError, Watermark},
};

/// Entries that are read from the database at a time.
const PAGE: i64 = 1_000;
/// Other replicas change entries too.
const LOOK: Duration = Duration::from_millis(500);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(2);
/// For the first vector of a model, which tells how long its vectors are.
const DEADLINE: Duration = Duration::from_mins(1);

/// Follows `entries` as long as the service lives.
pub fn index(state: &AppState, embedding: Embedding, settings: VectorSettings) -> Task {
    let (state, shared) = (state.clone(), settings.qdrant.is_some());
    let follower = Follower { state: state.clone(), embedding, settings, prepared: false, spaces: Vec::new() };
    Task::new("memory.index", async move |stop: CancellationToken| {
        if !shared {
            return follower.run(&stop).await;
        }
        // One replica writes what all of them search.
        let writing = state.db.exclusively("vector index", follower.run(&stop));
        let (written, ()) = tokio::join!(stop.run_until_cancelled(writing), watch(&state, &stop));
        written.unwrap_or(Ok(Ok(())))?
    })
}

/// Finds out which model is active, for a replica that only searches.
async fn watch(state: &AppState, stop: &CancellationToken) {
    loop {
        if let Err(error) = look(state).await {
            tracing::warn!(
                error = &*error as &dyn std::error::Error,
                "The vector index cannot be opened; it will be tried again"
            );
        }
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

async fn look(state: &AppState) -> anyhow::Result<()> {
    let live = state.db.system("vector index").tx(|conn| Ok::<_, db::Error>(spaces::live(conn)?)).await?;
    let active = live.into_iter().find(|(_, state)| *state == SpaceState::Active).map(|(model, _)| model);
    let known = state.signals.active();
    if let Some(model) = active.filter(|model| known.as_ref() != Some(model)) {
        state.vectors.open(model.space).await?;
        state.signals.set_active(Some(model));
    }
    Ok(())
}

struct Follower {
    state: AppState,
    embedding: Embedding,
    settings: VectorSettings,
    /// The wanted model is known to the database.
    prepared: bool,
    spaces: Vec<Followed>,
}

/// A space whose index is open.
struct Followed {
    space: Space,
    /// Applied up to here, …
    applied: Watermark,
    /// … and durable up to here.
    committed: Watermark,
    committed_at: Instant,
    optimized_at: Instant,
    /// Changes since the graphs were last built.
    changes: usize,
}

impl Follower {
    async fn run(mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        loop {
            let pause = match stop.run_until_cancelled(self.round()).await {
                None => break,
                Some(Ok(())) => LOOK,
                Some(Err(error)) => {
                    tracing::warn!(
                        error = &*error as &dyn std::error::Error,
                        "The vector index cannot be kept up; it will be tried again"
                    );
                    PAUSE
                }
            };
            if !signal(stop, &self.state.signals.entries, pause).await {
                break;
            }
        }
        // What is not durable now is applied again after the next start.
        for followed in &mut self.spaces {
            if let Err(error) = followed.commit(&self.state).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "The vector index was not made durable");
            }
        }
        Ok(())
    }

    async fn round(&mut self) -> anyhow::Result<()> {
        if !self.prepared {
            self.prepare().await?;
        }
        let live = self.state.db.system("vector index").tx(|conn| Ok::<_, db::Error>(spaces::live(conn)?)).await?;
        self.spaces.retain(|followed| live.iter().any(|(model, _)| model.space == followed.space));
        for (model, state) in &live {
            self.follow(model.space).await?;
            if *state == SpaceState::Active {
                self.state.signals.set_active(Some(model.clone()));
            }
        }
        for (model, _) in live.iter().filter(|(_, state)| *state == SpaceState::Building) {
            self.change_over(model).await?;
        }
        for followed in &mut self.spaces {
            followed.tend(&self.state, &self.settings).await?;
        }
        Ok(())
    }

    /// Makes the wanted model known, which its first vector describes.
    async fn prepare(&mut self) -> anyhow::Result<()> {
        let name = self.embedding.model.clone();
        let first = self.embedding.client.embed(&name, &["dimension".to_owned()], DEADLINE).await;
        let dimension = match first {
            Ok(vectors) => vectors.first().and_then(|vector| vector.len().try_into().ok()),
            // What was embedded before can be searched all the same, if only with the model that is active.
            Err(error) if self.spaces.is_empty() => {
                tracing::info!(error = &error as &dyn std::error::Error, "The embedding server is not there yet");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let Some(dimension) = dimension else { return Ok(()) };
        let now = self.state.clock.now();
        self.state
            .db
            .system("vector index")
            .tx_retrying(move |conn| Ok::<_, db::Error>(spaces::prepare(conn, &name, dimension, now)?))
            .await?;
        self.prepared = true;
        self.state.signals.texts.notify_one();
        Ok(())
    }

    /// Opens the index of a space when it is not open, and applies what is new.
    async fn follow(&mut self, space: Space) -> anyhow::Result<()> {
        if !self.spaces.iter().any(|followed| followed.space == space) {
            let followed = Followed::open(&self.state, space).await?;
            self.spaces.push(followed);
        }
        let Some(at) = self.spaces.iter().position(|followed| followed.space == space) else { return Ok(()) };
        match self.spaces[at].catch_up(&self.state).await {
            // It is opened anew with the next round, from where it is durable or from the beginning.
            Err(CatchUp::Index(error @ (VectorError::Closed | VectorError::Damaged(_)))) => {
                self.spaces.remove(at);
                Err(error.into())
            }
            Err(CatchUp::Index(error)) => Err(error.into()),
            Err(CatchUp::Db(error)) => Err(error.into()),
            Ok(()) => Ok(()),
        }
    }

    /// Puts a model in the place of the active one when all texts have its vectors and its index has all of them.
    async fn change_over(&mut self, model: &EmbeddingModel) -> anyhow::Result<()> {
        let (space, now) = (model.space, self.state.clock.now());
        let complete = move |conn: &mut db::diesel::PgConnection| Ok::<_, db::Error>(spaces::is_complete(conn, space)?);
        if !self.state.db.system("vector index").tx(complete).await? {
            return Ok(());
        }
        // Vectors that were stored before it was complete are there with this.
        self.follow(space).await?;
        let activate =
            move |conn: &mut db::diesel::PgConnection| Ok::<_, db::Error>(spaces::activate(conn, space, now)?);
        self.state.db.system("vector index").tx(activate).await?;
        self.state.signals.set_active(Some(model.clone()));
        tracing::info!(embedding.model = model.name, "Searches use another embedding model from now on");
        Ok(())
    }
}

enum CatchUp {
    Db(db::Error),
    Index(VectorError),
}

impl Followed {
    async fn open(state: &AppState, space: Space) -> anyhow::Result<Self> {
        let mut watermark = state.vectors.open(space).await?;
        let known =
            |conn: &mut db::diesel::PgConnection| Ok::<_, db::Error>(purges::up_to(conn)?..=feed::settled(conn)?);
        let known = state.db.system("vector index").tx(known).await?;
        // It may have missed what is gone for good; or the database is a backup that is older than it.
        if watermark != Watermark::default() && !known.contains(&watermark) {
            tracing::warn!(space = space.id, "The vector index does not fit the database; it is made anew");
            state.vectors.drop_space(space).await?;
            watermark = state.vectors.open(space).await?;
        }
        tracing::info!(space = space.id, watermark = watermark.0, "The vector index is open");
        let now = Instant::now();
        Ok(Self { space, applied: watermark, committed: watermark, committed_at: now, optimized_at: now, changes: 0 })
    }

    async fn catch_up(&mut self, state: &AppState) -> Result<(), CatchUp> {
        let (space, mut cursor) = (self.space, Cursor::at(self.applied));
        let settled = state.db.system("vector index").tx(|conn| Ok::<_, db::Error>(feed::settled(conn)?)).await;
        let settled = settled.map_err(CatchUp::Db)?;
        loop {
            let page = state
                .db
                .system("vector index")
                .tx(move |conn| Ok::<_, db::Error>(feed::of_space(conn, space.id, cursor, PAGE)?))
                .await
                .map_err(CatchUp::Db)?;
            let last = page.last().map(|changed| changed.cursor);
            let full = i64::try_from(page.len()).is_ok_and(|found| found == PAGE);
            let changes: Vec<Change> = page.into_iter().map(change).collect();
            self.changes += changes.len();
            if !changes.is_empty() {
                state.vectors.apply(space, changes).await.map_err(CatchUp::Index)?;
            }
            match last {
                Some(last) if full => cursor = last,
                _ => break,
            }
        }
        self.applied = settled;
        Ok(())
    }

    /// Makes durable and builds graphs when it is time.
    async fn tend(&mut self, state: &AppState, settings: &VectorSettings) -> Result<(), VectorError> {
        if self.committed_at.elapsed() >= settings.commit_interval {
            self.commit(state).await?;
        }
        if self.changes > 0 && self.optimized_at.elapsed() >= settings.optimize_interval {
            state.vectors.optimize(self.space).await?;
            (self.optimized_at, self.changes) = (Instant::now(), 0);
            metrics::index_size(state.vectors.stats(self.space).await?);
        }
        Ok(())
    }

    async fn commit(&mut self, state: &AppState) -> Result<(), VectorError> {
        if self.committed < self.applied {
            state.vectors.commit(self.space, self.applied).await?;
            self.committed = self.applied;
        }
        self.committed_at = Instant::now();
        Ok(())
    }
}

/// An entry without a vector of its present text is not in the index.
fn change(changed: Changed) -> Change {
    match (changed.entry, changed.vector) {
        (Some(entry), Some(vector)) => Change::Upsert { id: entry.id, attributes: entry.attributes, vector },
        _ => Change::Delete { org: changed.org, id: changed.id },
    }
}
