//! A space whose index is open, and how far it is.

use std::time::{Duration, Instant};

use crate::{
    config::VectorSettings,
    metrics,
    state::AppState,
    store::{
        feed::{self, Changed, Cursor},
        purges,
    },
    vectors::{Change, Space, VectorError, Watermark},
};

/// Entries that are read from the database at a time.
const PAGE: i64 = 1_000;
/// While graphs are built.
const LOOK: Duration = Duration::from_millis(500);

/// See the [module](self).
pub struct Followed {
    pub space: Space,
    /// Applied up to here, …
    pub applied: Watermark,
    /// … and durable up to here.
    pub committed: Watermark,
    committed_at: Instant,
    optimized_at: Instant,
    /// Changes since the graphs were last built.
    changes: usize,
}

/// Why an index is not up with the database.
#[derive(Debug, thiserror::Error)]
pub enum CatchUp {
    #[error(transparent)]
    Db(#[from] db::Error),
    #[error(transparent)]
    Index(#[from] VectorError),
}

impl Followed {
    pub async fn open(state: &AppState, space: Space) -> anyhow::Result<Self> {
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

    /// Applies what is new.
    pub async fn catch_up(&mut self, state: &AppState) -> Result<(), CatchUp> {
        let settled = state.db.system("vector index").tx(|conn| Ok::<_, db::Error>(feed::settled(conn)?)).await?;
        let mut next = Some(Cursor::at(self.applied));
        while let Some(cursor) = next {
            let (changes, after) = page(state, self.space, cursor).await?;
            self.changes += changes.len();
            if !changes.is_empty() {
                state.vectors.apply(self.space, changes).await?;
            }
            next = after;
        }
        self.applied = settled;
        Ok(())
    }

    /// Makes durable and builds graphs when it is time.
    pub async fn tend(&mut self, state: &AppState, settings: &VectorSettings) -> Result<(), CatchUp> {
        if self.committed_at.elapsed() >= settings.commit_interval {
            self.commit(state).await?;
        }
        if self.changes > 0 && self.optimized_at.elapsed() >= settings.optimize_interval {
            self.optimize(state).await?;
            metrics::index_size(state.vectors.stats(self.space).await?);
        }
        Ok(())
    }

    /// Builds graphs, which may take minutes, and applies meanwhile what is new.
    pub async fn optimize(&mut self, state: &AppState) -> Result<(), CatchUp> {
        self.changes = 0;
        let mut building = state.vectors.optimize(self.space);
        loop {
            tokio::select! {
                built = &mut building => {
                    self.optimized_at = Instant::now();
                    return Ok(built?);
                }
                () = tokio::time::sleep(LOOK) => self.catch_up(state).await?,
            }
        }
    }

    pub async fn commit(&mut self, state: &AppState) -> Result<(), VectorError> {
        if self.committed < self.applied {
            state.vectors.commit(self.space, self.applied).await?;
            self.committed = self.applied;
        }
        self.committed_at = Instant::now();
        Ok(())
    }
}

/// A page of the history, and where the next one begins if there is one.
pub async fn page(state: &AppState, space: Space, cursor: Cursor) -> Result<(Vec<Change>, Option<Cursor>), db::Error> {
    let page = state
        .db
        .system("vector index")
        .tx(move |conn| Ok::<_, db::Error>(feed::of_space(conn, space.id, cursor, PAGE)?))
        .await?;
    let full = i64::try_from(page.len()).is_ok_and(|found| found == PAGE);
    let next = page.last().map(|changed| changed.cursor).filter(|_| full);
    Ok((page.into_iter().map(change).collect(), next))
}

/// An entry without a vector of its present text is not in the index.
fn change(changed: Changed) -> Change {
    match (changed.entry, changed.vector) {
        (Some(entry), Some(vector)) => Change::Upsert { id: entry.id, attributes: entry.attributes, vector },
        _ => Change::Delete { org: changed.org, id: changed.id },
    }
}
