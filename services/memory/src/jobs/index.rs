//! Keeps the vector index of every model in use up with the database, changes over to another model when its index is
//! complete, and makes that of the active one anew when somebody asks for it.

mod followed;
mod rebuild;

use std::{sync::atomic::Ordering, time::Duration};

use kit::{CancellationToken, Task};

use self::followed::{CatchUp, Followed};
use super::signal;
use crate::{
    config::VectorSettings,
    domain::space::{EmbeddingModel, SpaceState},
    state::{AppState, Embedding},
    store::{rebuilds, spaces},
    vectors::{Space, VectorError},
};

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

impl Follower {
    async fn run(mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        loop {
            let pause = match stop.run_until_cancelled(self.round()).await {
                None => break,
                Some(Ok(())) if self.prepared => LOOK,
                Some(Ok(())) => PAUSE,
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
        if let Some((model, _)) = live.iter().find(|(_, state)| *state == SpaceState::Active) {
            self.rebuild_if_asked(model.space).await?;
        }
        for followed in &mut self.spaces {
            followed.tend(&self.state, &self.settings).await?;
        }
        if self.embedding.outdated.swap(false, Ordering::Relaxed) {
            self.prepared = false;
        }
        if !self.prepared {
            self.prepare().await?;
        }
        Ok(())
    }

    /// Makes the wanted model known, which its first vector describes. Until then what was embedded before is searched, with
    /// the model that is active.
    async fn prepare(&mut self) -> anyhow::Result<()> {
        let name = self.embedding.model.clone();
        let dimension = match self.embedding.client.embed(&name, &["dimension".to_owned()], DEADLINE).await {
            Ok(vectors) => vectors.first().and_then(|vector| vector.len().try_into().ok()),
            Err(error) => {
                tracing::info!(error = &error as &dyn std::error::Error, "The embedding server is not there yet");
                None
            }
        };
        let Some(dimension) = dimension else { return Ok(()) };
        let now = self.state.clock.now();
        let system = self.state.db.system("vector index");
        system.tx_retrying(move |conn| Ok::<_, db::Error>(spaces::prepare(conn, &name, dimension, now)?)).await?;
        system.tx_retrying(|conn| Ok::<_, db::Error>(spaces::queue(conn)?)).await?;
        self.prepared = true;
        self.state.signals.texts.notify_one();
        // The next round opens its index.
        self.state.signals.entries.notify_one();
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

    /// Takes up what somebody asked for. When the database goes away meanwhile it is begun anew.
    async fn rebuild_if_asked(&mut self, space: Space) -> anyhow::Result<()> {
        let system = self.state.db.system("rebuild");
        let asked = system.tx(move |conn| Ok::<_, db::Error>(rebuilds::take(conn, space)?)).await?;
        let Some(asked) = asked else { return Ok(()) };
        let Some(at) = self.spaces.iter().position(|followed| followed.space == space) else { return Ok(()) };
        tracing::info!(rebuild = asked.id, space = space.id, "The vector index is being made anew");
        let rebuilt = self.spaces[at].rebuild(&self.state, &asked).await;
        let failure = match rebuilt {
            Ok(()) => None,
            Err(CatchUp::Db(error)) => return Err(error.into()),
            Err(CatchUp::Index(error)) => Some(anyhow::Error::from(error)),
        };
        let why = failure.as_ref().map(|error| format!("{error:#}"));
        system.tx(move |conn| Ok::<_, db::Error>(rebuilds::end(conn, asked.id, why.as_deref())?)).await?;
        let Some(error) = failure else {
            tracing::info!(rebuild = asked.id, space = space.id, "The new vector index answers");
            return Ok(());
        };
        // Opened with the next round, if it is still open.
        self.spaces.remove(at);
        self.state.vectors.give_up_rebuild(space).await?;
        Err(error.context("the vector index was not made anew"))
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
