//! A Qdrant server: for each space an alias, and behind it a collection for each generation.
//!
//! Searches go to the alias, which is switched in one step; the watermark lies in the collection itself. The server
//! builds graphs by itself. One process at a time changes a space, any number may search.

mod client;
mod schema;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use contracts::OrgId;
use futures_util::future::BoxFuture;
use kit::Secret;
use qdrant_client::qdrant::{
    CreateAliasBuilder, Filter, GetPointsBuilder, PointId, point_id::PointIdOptions,
    vectors_config::Config as VectorsConfig,
};
use url::Url;

use self::{
    client::{Client, Failure, completed},
    schema::Update,
};
use super::{Change, Hit, Query, Space, Stats, VectorError, VectorIndex, Watermark, payload, unit, walk};
use crate::domain::entry::EntryId;

/// Points of one request.
const UPDATE_POINTS: usize = 256;

/// Which server, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct QdrantSettings {
    /// Of its gRPC port.
    pub url: Url,
    pub api_key: Option<Secret<String>>,
    /// Before the id of a space in the names of collections and aliases, as in `brainops_memory_`.
    pub prefix: String,
    /// For one call; a call that fails may be repeated a few times.
    pub deadline: Duration,
}

/// See the [module](self).
pub struct QdrantIndex {
    client: Client,
    prefix: String,
    open: Mutex<HashMap<i32, Open>>,
}

/// What this process knows of a space.
struct Open {
    space: Space,
    /// The collection that a rebuild fills.
    next: Option<String>,
}

impl QdrantIndex {
    /// Connects with the first call.
    pub fn new(settings: &QdrantSettings) -> anyhow::Result<Self> {
        Ok(Self { client: Client::new(settings)?, prefix: settings.prefix.clone(), open: Mutex::default() })
    }

    fn alias(&self, space: Space) -> String {
        format!("{}{}", self.prefix, space.id)
    }

    /// The collection behind the alias.
    async fn current(&self, space: Space) -> Result<Option<String>, VectorError> {
        let alias = self.alias(space);
        let aliases = self.client.call(async |qdrant| Ok(qdrant.list_aliases().await?)).await?.aliases;
        Ok(aliases.into_iter().find(|known| known.alias_name == alias).map(|known| known.collection_name))
    }

    /// The number of each collection of the space, and its name.
    async fn collections(&self, space: Space) -> Result<Vec<(u64, String)>, VectorError> {
        let prefix = format!("{}_", self.alias(space));
        let all = self.client.call(async |qdrant| Ok(qdrant.list_collections().await?)).await?.collections;
        let numbered = |name: String| Some((name.strip_prefix(&prefix)?.parse().ok()?, name));
        Ok(all.into_iter().filter_map(|collection| numbered(collection.name)).collect())
    }

    /// What a collection contains for good, unless it is not one of ours.
    async fn contained(&self, collection: &str, space: Space) -> Result<Option<Watermark>, Failure> {
        let info = self.client.call(async |qdrant| Ok(qdrant.collection_info(collection).await?)).await?;
        let config = info.result.and_then(|info| info.config?.params?.vectors_config?.config);
        let dimension = match config {
            Some(VectorsConfig::Params(params)) => params.size,
            _ => return Ok(None),
        };
        if dimension != space.dimension.get() as u64 {
            return Ok(None);
        }
        let get = || GetPointsBuilder::new(collection, vec![schema::watermark_id()]).with_payload(true);
        let points = self.client.call(async |qdrant| Ok(qdrant.get_points(get()).await?)).await?.result;
        Ok(points.first().and_then(|point| schema::watermark_of(&point.payload)))
    }

    async fn create(&self, space: Space) -> Result<String, VectorError> {
        let last = self.collections(space).await?.into_iter().map(|(number, _)| number).max();
        let name = format!("{}_{}", self.alias(space), last.map_or(1, |last| last + 1));
        let created =
            self.client.call(async |qdrant| Ok(qdrant.create_collection(schema::collection(&name, space)).await?));
        match created.await {
            // An attempt whose answer was lost.
            Ok(_) | Err(Failure::Exists(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
        for index in schema::indexes(&name) {
            let create =
                async |qdrant: &qdrant_client::Qdrant| completed(&qdrant.create_field_index(index.clone()).await?);
            self.client.call(create).await?;
        }
        Ok(name)
    }

    async fn write_watermark(&self, collection: &str, space: Space, watermark: Watermark) -> Result<(), VectorError> {
        let point = schema::watermark_point(collection, space, watermark);
        Ok(self.client.call(async |qdrant| completed(&qdrant.upsert_points(point.clone()).await?)).await?)
    }

    /// One step for all searches, even if the alias leads elsewhere already.
    async fn switch(&self, space: Space, collection: &str) -> Result<(), VectorError> {
        let alias = self.alias(space);
        let switch = async |qdrant: &qdrant_client::Qdrant| {
            Ok(qdrant.create_alias(CreateAliasBuilder::new(collection, alias.as_str())).await?)
        };
        self.client.call(switch).await?;
        Ok(())
    }

    async fn delete_all_but(&self, space: Space, kept: Option<&str>) -> Result<(), VectorError> {
        for (_, name) in self.collections(space).await? {
            if Some(name.as_str()) != kept {
                match self.client.call(async |qdrant| Ok(qdrant.delete_collection(name.as_str()).await?)).await {
                    Ok(_) | Err(Failure::Missing(_)) => {}
                    Err(failure) => return Err(failure.into()),
                }
            }
        }
        Ok(())
    }

    async fn find(&self, space: Space, query: Query) -> Result<Vec<Hit>, VectorError> {
        let Query { vector, filter, limit, exact } = query;
        let vector = unit(space, None, vector)?;
        self.opened(space)?;
        let filter = schema::filter(payload::conditions(&filter));
        let width = if exact {
            None
        } else {
            walk::width(self.count(space, None).await?, self.count(space, Some(filter.clone())).await?, limit)
        };
        if let Some(width) = width {
            let near = self.ask(space, vector.clone(), None, width).await?;
            let mut passing = filter.clone();
            passing.must.push(schema::among(near.into_iter().map(|hit| hit.id)));
            let hits = self.ask(space, vector.clone(), Some(passing), limit).await?;
            if hits.len() == limit {
                return Ok(hits);
            }
        }
        self.ask(space, vector, Some(filter), limit).await
    }

    /// About how many points there are that pass a filter.
    async fn count(&self, space: Space, filter: Option<Filter>) -> Result<usize, VectorError> {
        let count = schema::count(&self.alias(space), filter);
        let counted = self.client.call(async |qdrant| Ok(qdrant.count(count.clone()).await?)).await;
        let count = self.noting(space, counted)?.result.unwrap_or_default().count;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// See [`schema::query`].
    async fn ask(
        &self,
        space: Space,
        vector: Vec<f32>,
        filter: Option<Filter>,
        limit: usize,
    ) -> Result<Vec<Hit>, VectorError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let query = schema::query(&self.alias(space), vector, filter, limit);
        let found = self.client.call(async |qdrant| Ok(qdrant.query(query.clone()).await?)).await;
        let points = self.noting(space, found)?.result;
        Ok(Hit::ranked(
            points.into_iter().filter_map(|point| Some(Hit { id: entry_id(point.id?)?, cosine: point.score })),
        ))
    }

    /// The collections that are told changes.
    fn told(&self, space: Space) -> Result<Vec<String>, VectorError> {
        let next = self.opened(space)?;
        Ok([self.alias(space)].into_iter().chain(next).collect())
    }

    /// The collection that a rebuild fills, if the space is open.
    fn opened(&self, space: Space) -> Result<Option<String>, VectorError> {
        let open = self.lock();
        let open = open.get(&space.id).filter(|open| open.space == space).ok_or(VectorError::Closed)?;
        Ok(open.next.clone())
    }

    /// Closes the space when its collection turns out to be gone.
    fn noting<T>(&self, space: Space, outcome: Result<T, Failure>) -> Result<T, VectorError> {
        if let Err(Failure::Missing(cause)) = &outcome {
            tracing::warn!(space.id, error = %cause, "A collection of vectors is gone and is built again");
            self.lock().remove(&space.id);
        }
        Ok(outcome?)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open_space(&self, space: Space) -> Result<Watermark, VectorError> {
        if self.opened(space).is_err() {
            self.lock().remove(&space.id);
        }
        let found = match self.current(space).await? {
            None => None,
            Some(collection) => match self.contained(&collection, space).await {
                Ok(watermark) => watermark,
                Err(Failure::Missing(_)) => None,
                Err(failure) => return Err(failure.into()),
            },
        };
        if found.is_none() {
            let collection = self.create(space).await?;
            self.write_watermark(&collection, space, Watermark::default()).await?;
            self.switch(space, &collection).await?;
            self.delete_all_but(space, Some(&collection)).await?;
        }
        self.lock().entry(space.id).or_insert(Open { space, next: None });
        Ok(found.unwrap_or_default())
    }

    async fn tell(&self, space: Space, collections: Vec<String>, changes: &[Change]) -> Result<(), VectorError> {
        for collection in collections {
            for batch in Change::batches(changes, UPDATE_POINTS) {
                let done = match schema::update(&collection, batch) {
                    Update::Upsert(points) => {
                        self.client.call(async |qdrant| completed(&qdrant.upsert_points(points.clone()).await?)).await
                    }
                    Update::Delete(points) => {
                        self.client.call(async |qdrant| completed(&qdrant.delete_points(points.clone()).await?)).await
                    }
                };
                self.noting(space, done)?;
            }
        }
        Ok(())
    }

    /// Takes the collection that a rebuild fills out of what is told.
    fn forget_next(&self, space: Space) {
        if let Some(open) = self.lock().get_mut(&space.id) {
            open.next = None;
        }
    }
}

impl VectorIndex for QdrantIndex {
    fn open(&self, space: Space) -> BoxFuture<'_, Result<Watermark, VectorError>> {
        Box::pin(self.open_space(space))
    }

    fn apply(&self, space: Space, changes: Vec<Change>) -> BoxFuture<'_, Result<(), VectorError>> {
        Box::pin(async move {
            let changes = Change::fit(space, changes)?;
            self.tell(space, self.told(space)?, &changes).await
        })
    }

    fn commit(&self, space: Space, watermark: Watermark) -> BoxFuture<'_, Result<(), VectorError>> {
        Box::pin(async move {
            self.opened(space)?;
            self.write_watermark(&self.alias(space), space, watermark).await
        })
    }

    fn begin_rebuild(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>> {
        Box::pin(async move {
            self.opened(space)?;
            let current = self.current(space).await?.ok_or_else(gone)?;
            self.delete_all_but(space, Some(&current)).await?;
            let next = self.create(space).await?;
            if let Some(open) = self.lock().get_mut(&space.id) {
                open.next = Some(next);
            }
            Ok(())
        })
    }

    fn fill(&self, space: Space, changes: Vec<Change>) -> BoxFuture<'_, Result<(), VectorError>> {
        Box::pin(async move {
            let changes = Change::fit(space, changes)?;
            let next = self.opened(space)?.ok_or(VectorError::Closed)?;
            self.tell(space, vec![next], &changes).await
        })
    }

    fn give_up_rebuild(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>> {
        Box::pin(async move {
            self.forget_next(space);
            match self.current(space).await? {
                Some(current) => self.delete_all_but(space, Some(&current)).await,
                None => Ok(()),
            }
        })
    }

    fn publish(&self, space: Space, watermark: Watermark) -> BoxFuture<'_, Result<(), VectorError>> {
        Box::pin(async move {
            let next = self.opened(space)?.ok_or(VectorError::Closed)?;
            self.write_watermark(&next, space, watermark).await?;
            self.switch(space, &next).await?;
            self.forget_next(space);
            self.delete_all_but(space, Some(&next)).await
        })
    }

    fn search(&self, space: Space, query: Query) -> BoxFuture<'_, Result<Vec<Hit>, VectorError>> {
        Box::pin(self.find(space, query))
    }

    fn cosines(
        &self,
        space: Space,
        org: OrgId,
        vector: Vec<f32>,
        ids: Vec<EntryId>,
    ) -> BoxFuture<'_, Result<HashMap<EntryId, f32>, VectorError>> {
        Box::pin(async move {
            let vector = unit(space, None, vector)?;
            self.opened(space)?;
            let limit = ids.len();
            let hits = self.ask(space, vector, Some(schema::these(org, ids)), limit).await?;
            Ok(hits.into_iter().map(|hit| (hit.id, hit.cosine)).collect())
        })
    }

    fn optimize(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>> {
        Box::pin(async move { self.opened(space).map(drop) })
    }

    fn drop_space(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>> {
        Box::pin(async move {
            self.lock().remove(&space.id);
            // Aliases go with their collections.
            self.delete_all_but(space, None).await
        })
    }

    fn stats(&self, space: Space) -> BoxFuture<'_, Result<Stats, VectorError>> {
        Box::pin(async move {
            self.opened(space)?;
            let alias = self.alias(space);
            let info = self.client.call(async |qdrant| Ok(qdrant.collection_info(alias.as_str()).await?)).await;
            let info = self.noting(space, info)?.result.unwrap_or_default();
            // Without the point that holds the watermark.
            let points = info.points_count.unwrap_or_default().saturating_sub(1);
            Ok(Stats { points, indexed: info.indexed_vectors_count.unwrap_or_default().min(points) })
        })
    }
}

fn entry_id(id: PointId) -> Option<EntryId> {
    match id.point_id_options? {
        PointIdOptions::Uuid(id) => id.parse().ok().map(EntryId),
        PointIdOptions::Num(_) => None,
    }
}

fn gone() -> VectorError {
    VectorError::Damaged(anyhow!("the alias is gone"))
}
