//! Vectors of entries, found by likeness: a port with two adapters, the embedded engine and a Qdrant server.
//!
//! Postgres is the truth and an index follows it: it is told changes in any order and any number of times, and says up to
//! which point of the history it has them for good. What was not committed when a process died is simply told again.

mod edge;
mod payload;
mod qdrant;
mod unit;
mod walk;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, num::NonZeroUsize};

use contracts::OrgId;
use futures_util::future::BoxFuture;

use crate::domain::{
    entry::{Attributes, EntryId},
    filter::Filter,
};

use self::unit::unit;
pub use self::{
    edge::{EdgeIndex, EdgeSettings},
    qdrant::{QdrantIndex, QdrantSettings},
};

/// The vectors of one embedding model. Vectors of different models are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    pub id: i32,
    /// Length of each vector.
    pub dimension: NonZeroUsize,
}

/// A point of the history of `entries`: all changes with a smaller transaction id are contained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Watermark(pub u64);

/// What became of an entry.
#[expect(clippy::large_enum_variant, reason = "almost all changes are upserts")]
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is there, with this vector; replaces what was known of it.
    Upsert { id: EntryId, attributes: Attributes, vector: Vec<f32> },
    /// It is gone. It may never have been there.
    Delete { org: OrgId, id: EntryId },
}

impl Change {
    /// The changes with vectors of length 1, or an error if one does not fit.
    fn fit(space: Space, changes: Vec<Self>) -> Result<Vec<Self>, VectorError> {
        let fit = |change| {
            Ok(match change {
                Self::Upsert { id, attributes, vector } => {
                    Self::Upsert { id, attributes, vector: unit(space, Some(id), vector)? }
                }
                gone @ Self::Delete { .. } => gone,
            })
        };
        changes.into_iter().map(fit).collect()
    }

    /// Neighbours that an engine takes together, in their order: upserts, or deletions of one organization.
    fn batches(changes: &[Self], size: usize) -> impl Iterator<Item = &[Self]> {
        let alike = |a: &Self, b: &Self| match (a, b) {
            (Self::Upsert { .. }, Self::Upsert { .. }) => true,
            (Self::Delete { org: a, .. }, Self::Delete { org: b, .. }) => a == b,
            _ => false,
        };
        changes.chunk_by(alike).flat_map(move |run| run.chunks(size))
    }
}

/// An entry and its cosine to what was asked for, at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub id: EntryId,
    pub cosine: f32,
}

impl Hit {
    /// Best first, equals in the order of their ids: engines leave it open, and their rounding may pass 1.
    fn ranked(hits: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let capped = hits.into_iter().map(|hit| Self { cosine: hit.cosine.clamp(-1.0, 1.0), ..hit });
        let mut hits: Vec<_> = capped.collect();
        hits.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.id.cmp(&b.id)));
        hits
    }
}

/// What is asked of an index.
#[derive(Clone, Debug)]
pub struct Query {
    /// As long as the space's dimension, and of finite numbers.
    pub vector: Vec<f32>,
    pub filter: Filter,
    pub limit: usize,
    /// Compare with every vector that passes the filter, even where a walk through the graph would be shorter. A walk may
    /// miss a few.
    pub exact: bool,
}

/// How much is in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// Points of all tenants; may count a point twice while it is being moved.
    pub points: u64,
    /// Points that a graph covers; the others are compared one by one.
    pub indexed: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// A vector that does not fit: nothing of the batch was applied.
    #[error("the vector of {id:?} does not have {expected} finite numbers")]
    Unfit { id: Option<EntryId>, expected: usize },
    /// The index was never opened with this dimension, or has been closed because it is damaged: [`VectorIndex::open`]
    /// makes it ready. Or there is no new generation to publish.
    #[error("the index is not open")]
    Closed,
    /// It may work later.
    #[error("the index cannot be reached")]
    Unavailable(#[source] anyhow::Error),
    /// The index was broken and has been closed: [`VectorIndex::open`] says from where to tell it again. A new generation
    /// that was being built is given up.
    #[error("the index is damaged")]
    Damaged(#[source] anyhow::Error),
}

/// An index of vectors for every [`Space`]. All methods may be called from several tasks at once; changes of one space
/// come from one task at a time.
pub trait VectorIndex: Send + Sync {
    /// Makes the space's index ready and says what it contains for good. One that is missing, damaged or of another
    /// dimension is set aside and begun anew: it answers [`Watermark::default`] and has to be told everything.
    fn open(&self, space: Space) -> BoxFuture<'_, Result<Watermark, VectorError>>;

    /// Applies changes. Searches see them when this returns; they are kept for good only with the next
    /// [`commit`](Self::commit). Either all vectors are of the right form or nothing is applied.
    fn apply(&self, space: Space, changes: Vec<Change>) -> BoxFuture<'_, Result<(), VectorError>>;

    /// Makes everything applied durable, then writes down the watermark. While [`optimize`](Self::optimize) runs, this may
    /// be put off until it is done; only what [`open`](Self::open) answers after a restart is certain. During a rebuild it
    /// concerns the generation that answers searches.
    fn commit(&self, space: Space, watermark: Watermark) -> BoxFuture<'_, Result<(), VectorError>>;

    /// Begins a new generation beside the one that answers searches: from here on changes go to both, and
    /// [`Watermark::default`] is where the new one starts. [`fill`](Self::fill) tells it what was before, and
    /// [`publish`](Self::publish) puts it in place. A generation that was begun and not published when the process ended
    /// is forgotten.
    fn begin_rebuild(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>>;

    /// Applies changes to the new generation alone, of which the one that answers has been told before.
    fn fill(&self, space: Space, changes: Vec<Change>) -> BoxFuture<'_, Result<(), VectorError>>;

    /// Deletes the new generation, if there is one.
    fn give_up_rebuild(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>>;

    /// Puts the new generation, which contains everything up to `watermark`, in the place of the old one, at once for all
    /// searches that begin after, and deletes the old one.
    fn publish(&self, space: Space, watermark: Watermark) -> BoxFuture<'_, Result<(), VectorError>>;

    /// The entries most alike, best first.
    fn search(&self, space: Space, query: Query) -> BoxFuture<'_, Result<Vec<Hit>, VectorError>>;

    /// The cosine of each of these entries to `vector`. Entries of other organizations and unknown ones are left out.
    fn cosines(
        &self,
        space: Space,
        org: OrgId,
        vector: Vec<f32>,
        ids: Vec<EntryId>,
    ) -> BoxFuture<'_, Result<HashMap<EntryId, f32>, VectorError>>;

    /// Builds graphs and drops what was deleted, where that is not done by itself; in a new generation too. May take
    /// minutes, in which everything else goes on.
    fn optimize(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>>;

    /// Deletes everything of a space.
    fn drop_space(&self, space: Space) -> BoxFuture<'_, Result<(), VectorError>>;

    /// How much there is.
    fn stats(&self, space: Space) -> BoxFuture<'_, Result<Stats, VectorError>>;
}
