//! One directory with the vectors of a space: the engine's files in `points`, and beside them what they contain.
//!
//! The engine never reads its log again, so what was not flushed is lost when the process dies; deletions come back.
//! Nothing else is written down as contained.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, anyhow, ensure};
use contracts::OrgId;
use qdrant_edge::{
    CountRequest, EdgeShard, Filter, NamedQuery, OperationError, OperationResult, PointId, QueryEnum, QueryRequest,
    ScoringQuery, ScrollRequest, SearchParams, UpdateOperation, VectorStructInternal, WithPayloadInterface, WithVector,
};
use uuid::Uuid;

use super::{
    EdgeSettings,
    engine::{self, call, guarded},
    files::{self, Record, RootLock},
};
use crate::{
    domain::{entry::EntryId, filter},
    vectors::{Change, Hit, Space, Stats, VectorError, Watermark, payload, walk},
};

const POINTS: &str = "points";
const RECORD: &str = "watermark";
/// There while the engine opens its files, which may end the process.
const OPENING: &str = "opening";

/// Points that are looked at together when they are checked.
const PAGE_POINTS: usize = 1024;

/// Where a generation is kept.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) space: Space,
    pub(super) number: u64,
    pub(super) dir: PathBuf,
    #[expect(dead_code, reason = "held until the last generation is closed, never read")]
    pub(super) root_lock: Arc<RootLock>,
}

pub(super) struct Generation {
    place: Place,
    /// There until the generation is dropped.
    shard: Option<EdgeShard>,
    /// Held while graphs are built.
    optimizing: Mutex<()>,
    /// Held while something is written, but not while graphs are built.
    writing: Mutex<Writing>,
    /// Its directory is of no use to anybody any more.
    doomed: AtomicBool,
}

struct Writing {
    /// As in the record.
    committed: Watermark,
    /// How many there were since the generation was begun.
    updates: u64,
    /// While graphs are built the engine keeps deletions in memory only, so a commit has to wait for its end.
    optimizing: bool,
    postponed: Option<Watermark>,
}

impl Generation {
    /// Begins an empty one. It has no record, so that it is not found again before the first [`commit`](Self::commit).
    pub(super) fn create(place: Place, settings: &EdgeSettings) -> Result<Self, VectorError> {
        let points = place.dir.join(POINTS);
        fs::create_dir_all(&points).context("no directory for vectors").map_err(VectorError::Unavailable)?;
        let config = engine::config(place.space, settings);
        let shard = call(|| EdgeShard::new(&points, config))?;
        Self::ready(place, shard, Watermark::default())
    }

    /// Opens what a process has left behind, if it can be trusted.
    pub(super) fn load(place: Place, settings: &EdgeSettings) -> Result<Self, VectorError> {
        let record = readable(&place).map_err(VectorError::Damaged)?;
        let opening = place.dir.join(OPENING);
        let marked = fs::write(&opening, "").context("nothing can be written");
        marked.map_err(VectorError::Unavailable)?;
        let config = engine::config(place.space, settings);
        let loaded = call(|| EdgeShard::load(&place.dir.join(POINTS), Some(config)))
            .and_then(|shard| Self::ready(place, shard, Watermark(record.watermark)))
            .and_then(|generation| {
                generation.check_log(record)?;
                generation.check_points(record)?;
                Ok(generation)
            });
        discard(&opening);
        loaded
    }

    fn ready(place: Place, shard: EdgeShard, committed: Watermark) -> Result<Self, VectorError> {
        let generation = Self {
            place,
            shard: Some(shard),
            optimizing: Mutex::new(()),
            writing: Mutex::new(Writing { committed, updates: 0, optimizing: false, postponed: None }),
            doomed: AtomicBool::new(false),
        };
        for operation in engine::index_operations() {
            generation.update(&mut generation.writing(), call(|| operation)?)?;
        }
        Ok(generation)
    }

    /// The engine's log must not have lost what it had: updates with smaller numbers than before would be ignored without
    /// a word. A point that is set and deleted tells how far it is.
    fn check_log(&self, record: Record) -> Result<(), VectorError> {
        let mut writing = self.writing();
        let id = Uuid::from_u128(record.updates.into());
        self.update(&mut writing, engine::upsert_nothing(id, record.dimension))?;
        let found = call(|| self.shard()?.query(request(vec![1.0; record.dimension], Some(engine::the_point(id)), 1)))?;
        let number = found.first().map_or(0, |point| point.version);
        if number < record.updates {
            return Err(VectorError::Damaged(anyhow!("the log ends after {number} of {} updates", record.updates)));
        }
        writing.updates = number + 1;
        self.update(&mut writing, engine::delete_point(id))
    }

    /// Nothing may be there twice, as after the end of a process that built graphs, and nothing be missing: the engine
    /// says nothing of points that it did not find again, or of their vectors.
    fn check_points(&self, record: Record) -> Result<(), VectorError> {
        let (mut whole, mut next) = (0, None);
        loop {
            let page = ScrollRequest {
                offset: next,
                limit: Some(PAGE_POINTS),
                with_payload: Some(WithPayloadInterface::Bool(false)),
                with_vector: WithVector::Bool(true),
                ..ScrollRequest::default()
            };
            let (page, after) = call(|| self.shard()?.scroll(page))?;
            // No model gives the zero vector; a lost file does.
            let has_vector = |point: &&qdrant_edge::Record| match &point.vector {
                Some(VectorStructInternal::Single(vector)) => vector.iter().any(|&number| number != 0.0),
                _ => false,
            };
            whole += page.iter().filter(has_vector).count();
            next = after;
            if next.is_none() {
                break;
            }
        }
        let stored = call(|| Ok(self.shard()?.info().points_count))?;
        if stored != whole || (whole as u64) < record.points {
            return Err(VectorError::Damaged(anyhow!(
                "{stored} points are stored, {whole} of them different and whole, and there should be {}",
                record.points
            )));
        }
        Ok(())
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// What it contains for good.
    pub(super) fn committed(&self) -> Watermark {
        self.writing().committed
    }

    pub(super) fn apply(&self, changes: &[Change]) -> Result<(), VectorError> {
        let updates = engine::updates(changes)?;
        let mut writing = self.writing();
        updates.into_iter().try_for_each(|update| self.update(&mut writing, update))
    }

    fn update(&self, writing: &mut Writing, update: UpdateOperation) -> Result<(), VectorError> {
        writing.updates += 1;
        call(|| self.shard()?.update(update))
    }

    /// While graphs are built it is put off until they are.
    pub(super) fn commit(&self, watermark: Watermark) -> Result<(), VectorError> {
        let mut writing = self.writing();
        if writing.optimizing {
            writing.postponed = Some(watermark);
            return Ok(());
        }
        self.flush(&mut writing, watermark)
    }

    /// As [`commit`](Self::commit), but waits until it is done.
    pub(super) fn commit_now(&self, watermark: Watermark) -> Result<(), VectorError> {
        let _quiet = lock(&self.optimizing);
        self.commit(watermark)
    }

    /// Builds graphs where they are missing, and drops what was deleted.
    pub(super) fn optimize(&self) -> Result<(), VectorError> {
        let _quiet = lock(&self.optimizing);
        self.writing().optimizing = true;
        let optimized = call(|| self.shard()?.optimize());
        let mut writing = self.writing();
        writing.optimizing = false;
        let postponed = writing.postponed.take();
        if matches!(optimized, Err(VectorError::Damaged(_))) {
            return optimized.map(drop);
        }
        if postponed.is_some() || matches!(optimized, Ok(true)) {
            let watermark = postponed.unwrap_or(writing.committed);
            self.flush(&mut writing, watermark)?;
        }
        optimized.map(drop)
    }

    fn flush(&self, writing: &mut Writing, watermark: Watermark) -> Result<(), VectorError> {
        let points = call(|| {
            let shard = self.shard()?;
            shard.flush();
            Ok(shard.info().points_count as u64)
        })?;
        let dimension = self.place.space.dimension.get();
        let record = Record { dimension, watermark: watermark.0, points, updates: writing.updates };
        let written = record.write(&self.place.dir.join(RECORD)).context("the watermark cannot be written");
        written.map_err(VectorError::Unavailable)?;
        writing.committed = watermark;
        Ok(())
    }

    pub(super) fn search(
        &self,
        vector: Vec<f32>,
        filter: &filter::Filter,
        limit: usize,
        exact: bool,
    ) -> Result<Vec<Hit>, VectorError> {
        let filter = call(|| engine::filter(payload::conditions(filter)))?;
        let width = if exact { None } else { walk::width(self.count(None)?, self.count(Some(&filter))?, limit) };
        if let Some(width) = width {
            let near = self.query(vector.clone(), None, width)?;
            let near = engine::among(near.into_iter().map(|hit| hit.id));
            let hits = self.query(vector.clone(), Some(filter.clone().merge_owned(near)), limit)?;
            if hits.len() == limit {
                return Ok(hits);
            }
        }
        self.query(vector, Some(filter), limit)
    }

    /// About how many points there are that pass a filter.
    fn count(&self, filter: Option<&Filter>) -> Result<usize, VectorError> {
        call(|| self.shard()?.count(CountRequest { filter: filter.cloned(), exact: false }))
    }

    pub(super) fn cosines(
        &self,
        org: OrgId,
        vector: Vec<f32>,
        ids: &[EntryId],
    ) -> Result<HashMap<EntryId, f32>, VectorError> {
        let filter = call(|| engine::these(org, ids.iter().copied()))?;
        let hits = self.query(vector, Some(filter), ids.len())?;
        Ok(hits.into_iter().map(|hit| (hit.id, hit.cosine)).collect())
    }

    /// See [`request`].
    fn query(&self, vector: Vec<f32>, filter: Option<Filter>, limit: usize) -> Result<Vec<Hit>, VectorError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let found = call(|| self.shard()?.query(request(vector, filter, limit)))?;
        Ok(Hit::ranked(found.into_iter().filter_map(|point| match point.id {
            PointId::Uuid(id) => Some(Hit { id: EntryId(id), cosine: point.score }),
            PointId::NumId(_) => None,
        })))
    }

    pub(super) fn stats(&self) -> Result<Stats, VectorError> {
        let info = call(|| Ok(self.shard()?.info()))?;
        Ok(Stats { points: info.points_count as u64, indexed: info.indexed_vectors_count as u64 })
    }

    /// It is not opened again, and its directory goes when the last search has left.
    pub(super) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
        discard(&self.place.dir.join(RECORD));
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        lock(&self.writing)
    }

    fn shard(&self) -> OperationResult<&EdgeShard> {
        self.shard.as_ref().ok_or_else(|| OperationError::Cancelled { description: "closed".to_owned() })
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        let doomed = self.doomed.load(Ordering::Acquire);
        if !doomed && self.shard.is_some() {
            // The engine writes everything when it is closed; the record has to know how many points that makes.
            let mut writing = lock(&self.writing);
            let committed = writing.committed;
            let has_record = self.place.dir.join(RECORD).exists();
            if has_record && let Err(error) = self.flush(&mut writing, committed) {
                let error = format!("{:#}", anyhow::Error::new(error));
                tracing::warn!(error, "Vectors could not be written when their index was closed");
            }
        }
        let shard = self.shard.take();
        // Two panics at once would end the process.
        let _ = guarded(|| drop(shard));
        if doomed {
            discard(&self.place.dir);
        }
    }
}

/// The points most alike: of those that pass a filter by comparing with each, of all without one by the graph.
fn request(vector: Vec<f32>, filter: Option<Filter>, limit: usize) -> QueryRequest {
    let params = SearchParams { hnsw_ef: Some(limit), exact: filter.is_some(), ..SearchParams::default() };
    QueryRequest {
        prefetches: Vec::new(),
        query: Some(ScoringQuery::Vector(QueryEnum::Nearest(NamedQuery::default_dense(vector)))),
        filter,
        score_threshold: None,
        limit,
        offset: 0,
        params: Some(params),
        with_vector: WithVector::Bool(false),
        with_payload: WithPayloadInterface::Bool(false),
    }
}

/// Whether the directory can be opened at all; and tidies what the engine leaves behind.
fn readable(place: &Place) -> anyhow::Result<Record> {
    let record = Record::read(&place.dir.join(RECORD)).context("there is no readable watermark")?;
    ensure!(record.dimension == place.space.dimension.get(), "the vectors have {} dimensions", record.dimension);
    ensure!(!place.dir.join(OPENING).exists(), "to open it ended the process");
    let points = place.dir.join(POINTS);
    files::remove(&points.join("temp_segments"))?;
    forget_log(&points.join("wal"))?;
    Ok(record)
}

/// Removes all finished files of the log but the last, from which the engine goes on to count.
fn forget_log(wal: &Path) -> anyhow::Result<()> {
    let mut finished = Vec::new();
    for entry in fs::read_dir(wal).context("the log is missing")? {
        let entry = entry?;
        let start = entry.file_name().to_str().and_then(|name| name.strip_prefix("closed-")?.parse::<u64>().ok());
        finished.extend(start.map(|start| (start, entry.path())));
    }
    finished.sort_unstable();
    finished.pop();
    finished.iter().try_for_each(|(_, path)| files::remove(path).context("the log cannot be shortened"))
}

fn discard(path: &Path) {
    if let Err(error) = files::remove(path) {
        tracing::warn!(%error, path = %path.display(), "What is left of a vector index could not be removed");
    }
}

/// What a lock guards here stays right when a thread panics.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
