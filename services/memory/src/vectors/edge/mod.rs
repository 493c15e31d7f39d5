//! The embedded engine: vectors in a directory of this process, which belongs to it alone.
//!
//! The engine is synchronous and works on the thread that calls it, so it is called on blocking threads only, of which
//! it gets a fixed number.

mod engine;
mod files;
mod generation;
mod spaces;

use std::{collections::HashMap, num::NonZeroUsize, path::PathBuf, sync::Arc};

use contracts::OrgId;
use futures_util::future::BoxFuture;
use tokio::{sync::Semaphore, task::spawn_blocking};

use self::{generation::Generation, spaces::Spaces};
use super::{Change, Hit, Query, Space, Stats, VectorError, VectorIndex, Watermark, unit::unit};
use crate::domain::entry::EntryId;

/// Spaces that may be changed at once.
const CHANGES: usize = 2;

/// Where the vectors are, and what they may cost.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// The directory. It is created when it is missing.
    pub root: PathBuf,
    /// Searches that may run at once.
    pub searches: NonZeroUsize,
    /// Threads that build graphs.
    pub build_threads: NonZeroUsize,
    /// Up to so many kilobytes of vectors are compared one by one, without a graph.
    pub scan_kb: usize,
}

/// See the [module](self). A clone of what is inside stays open until the last call has ended, even when nobody waits
/// for it.
pub struct EdgeIndex {
    spaces: Arc<Spaces>,
    searches: Arc<Semaphore>,
    changes: Arc<Semaphore>,
    /// To build graphs takes minutes and must not keep others waiting.
    optimizations: Arc<Semaphore>,
}

impl EdgeIndex {
    /// Touches nothing yet: the directory is locked when the first space is opened.
    pub fn new(settings: EdgeSettings) -> Self {
        Self {
            searches: Arc::new(Semaphore::new(settings.searches.get())),
            changes: Arc::new(Semaphore::new(CHANGES)),
            optimizations: Arc::new(Semaphore::new(1)),
            spaces: Arc::new(Spaces::new(settings)),
        }
    }

    /// Runs `work` on a blocking thread when it is its turn. It runs to its end even if nobody waits any more.
    fn run<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        work: impl FnOnce(&Spaces) -> Result<T, VectorError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, VectorError>> {
        let (spaces, turns) = (Arc::clone(&self.spaces), Arc::clone(turns));
        let span = tracing::Span::current();
        Box::pin(async move {
            let turn = turns.acquire_owned().await.map_err(|_| VectorError::Closed)?;
            let job = spawn_blocking(move || {
                let _turn = turn;
                span.in_scope(|| work(&spaces))
            });
            job.await.map_err(|error| VectorError::Unavailable(error.into()))?
        })
    }
}

impl VectorIndex for EdgeIndex {
    fn open(&self, space: Space) -> BoxFuture<'_, Result<Watermark, VectorError>> {
        self.run(&self.changes, move |spaces| spaces.open(space))
    }

    fn apply(&self, space: Space, changes: Vec<Change>) -> BoxFuture<'_, Result<(), VectorError>> {
        self.run(&self.changes, move |spaces| spaces.apply(space, &Change::fit(space, changes)?))
    }

    fn commit(&self, space: Space, watermark: Watermark) -> BoxFuture<'_, Result<(), VectorError>> {
        self.run(&self.changes, move |spaces| spaces.commit(space, watermark))
    }

    fn begin_rebuild(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>> {
        self.run(&self.changes, move |spaces| spaces.begin_rebuild(space))
    }

    fn fill(&self, space: Space, changes: Vec<Change>) -> BoxFuture<'_, Result<(), VectorError>> {
        self.run(&self.changes, move |spaces| spaces.fill(space, &Change::fit(space, changes)?))
    }

    fn give_up_rebuild(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>> {
        self.run(&self.changes, move |spaces| {
            spaces.give_up_rebuild(space);
            Ok(())
        })
    }

    fn publish(&self, space: Space, watermark: Watermark) -> BoxFuture<'_, Result<(), VectorError>> {
        self.run(&self.changes, move |spaces| spaces.publish(space, watermark))
    }

    fn search(&self, space: Space, query: Query) -> BoxFuture<'_, Result<Vec<Hit>, VectorError>> {
        self.run(&self.searches, move |spaces| {
            let Query { vector, filter, limit, exact } = query;
            let vector = unit(space, None, vector)?;
            spaces.read(space, |current| current.search(vector, &filter, limit, exact))
        })
    }

    fn cosines(
        &self,
        space: Space,
        org: OrgId,
        vector: Vec<f32>,
        ids: Vec<EntryId>,
    ) -> BoxFuture<'_, Result<HashMap<EntryId, f32>, VectorError>> {
        self.run(&self.searches, move |spaces| {
            let vector = unit(space, None, vector)?;
            spaces.read(space, |current| current.cosines(org, vector, &ids))
        })
    }

    fn optimize(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>> {
        self.run(&self.optimizations, move |spaces| spaces.optimize(space))
    }

    fn drop_space(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>> {
        self.run(&self.changes, move |spaces| spaces.drop_space(space))
    }

    fn stats(&self, space: Space) -> BoxFuture<'_, Result<Stats, VectorError>> {
        self.run(&self.searches, move |spaces| spaces.read(space, Generation::stats))
    }
}
