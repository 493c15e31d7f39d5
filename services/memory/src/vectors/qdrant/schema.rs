//! Collections, points and filters as a Qdrant server takes them.

use std::collections::HashMap;

use contracts::OrgId;
use qdrant_client::qdrant::{
    Condition, CountPoints, CountPointsBuilder, CreateCollection, CreateCollectionBuilder, CreateFieldIndexCollection,
    CreateFieldIndexCollectionBuilder, DeletePoints, DeletePointsBuilder, Distance, FieldType, Filter,
    HnswConfigDiffBuilder, IntegerIndexParamsBuilder, PointId, PointStruct, QuantizationSearchParamsBuilder, Query,
    QueryPoints, QueryPointsBuilder, Range, ScalarQuantizationBuilder, SearchParamsBuilder, UpsertPoints,
    UpsertPointsBuilder, UuidIndexParamsBuilder, Value, VectorInput, VectorParamsBuilder, value::Kind,
};
use serde_json::Map;
use uuid::Uuid;

use crate::{
    domain::entry::EntryId,
    vectors::{
        Change, Space, Watermark,
        payload::{self, FIELDS, FieldKind, ORG},
    },
};

/// Links of a point in the graph.
const LINKS: u64 = 16;
/// Of the candidates by rounded vectors, so many times what is asked for are compared by their own.
const OVERSAMPLING: f64 = 2.0;

/// The point that holds the watermark in its payload, so that a snapshot of the collection carries the one that fits. It
/// belongs to no organization.
const WATERMARK_POINT: Uuid = Uuid::nil();
const WATERMARK: &str = "watermark";

pub(super) fn collection(name: &str, space: Space) -> CreateCollection {
    CreateCollectionBuilder::new(name)
        .vectors_config(VectorParamsBuilder::new(space.dimension.get() as u64, Distance::Cosine).on_disk(true))
        // One graph of everything: no walk of ours follows only points that share a value.
        .hnsw_config(HnswConfigDiffBuilder::default().m(LINKS).payload_m(0))
        .quantization_config(ScalarQuantizationBuilder::default().quantile(0.99).always_ram(true))
        .on_disk_payload(true)
        .build()
}

/// How the payload is looked up.
pub(super) fn indexes(name: &str) -> impl Iterator<Item = CreateFieldIndexCollection> {
    FIELDS.into_iter().map(move |(field, kind)| {
        let index = |kind| CreateFieldIndexCollectionBuilder::new(name, field, kind).wait(true);
        match kind {
            FieldKind::Tenant => {
                index(FieldType::Uuid).field_index_params(UuidIndexParamsBuilder::default().is_tenant(true))
            }
            FieldKind::Uuid => index(FieldType::Uuid),
            FieldKind::Keyword => index(FieldType::Keyword),
            FieldKind::Integer => index(FieldType::Integer)
                .field_index_params(IntegerIndexParamsBuilder::new(false, true).enable_hnsw(false)),
        }
        .build()
    })
}

pub(super) fn watermark_point(collection: &str, space: Space, watermark: Watermark) -> UpsertPoints {
    let payload = HashMap::from([(ORG, text("")), (WATERMARK, text(&watermark.0.to_string()))]);
    let point = PointStruct::new(WATERMARK_POINT, vec![1.0; space.dimension.get()], payload);
    UpsertPointsBuilder::new(collection, vec![point]).wait(true).build()
}

pub(super) fn watermark_id() -> PointId {
    WATERMARK_POINT.into()
}

pub(super) fn watermark_of(payload: &HashMap<String, Value>) -> Option<Watermark> {
    payload.get(WATERMARK)?.as_str()?.parse().ok().map(Watermark)
}

/// One request for changes that are either all upserts or all deletions of one organization.
pub(super) enum Update {
    Upsert(UpsertPoints),
    Delete(DeletePoints),
}

pub(super) fn update(collection: &str, batch: &[Change]) -> Update {
    let mut points = Vec::new();
    let mut gone = Vec::new();
    for change in batch {
        match change {
            Change::Upsert { id, attributes, vector } => {
                points.push(PointStruct::new(id.0, vector.clone(), values(payload::payload(attributes))));
            }
            Change::Delete { org, id } => gone.push((*org, *id)),
        }
    }
    match gone.first() {
        Some(&(org, _)) => Update::Delete(
            DeletePointsBuilder::new(collection).points(these(org, gone.iter().map(|&(_, id)| id))).wait(true).build(),
        ),
        None => Update::Upsert(UpsertPointsBuilder::new(collection, points).wait(true).build()),
    }
}

/// The points most alike: of those that pass a filter by comparing with each, of all without one by the graph.
pub(super) fn query(collection: &str, vector: Vec<f32>, filter: Option<Filter>, limit: usize) -> QueryPoints {
    let query = QueryPointsBuilder::new(collection)
        .query(Query::new_nearest(VectorInput::new_dense(vector)))
        .limit(limit as u64)
        .with_payload(false)
        .with_vectors(false);
    let rounded = QuantizationSearchParamsBuilder::default();
    match filter {
        Some(filter) => {
            query.filter(filter).params(SearchParamsBuilder::default().exact(true).quantization(rounded.ignore(true)))
        }
        None => query.params(
            SearchParamsBuilder::default()
                .hnsw_ef(limit as u64)
                .exact(false)
                .quantization(rounded.rescore(true).oversampling(OVERSAMPLING)),
        ),
    }
    .build()
}

/// About how many points there are that pass a filter.
pub(super) fn count(collection: &str, filter: Option<Filter>) -> CountPoints {
    let count = CountPointsBuilder::new(collection).exact(false);
    filter.into_iter().fold(count, CountPointsBuilder::filter).build()
}

/// Those of these entries that belong to the organization.
pub(super) fn these(org: OrgId, ids: impl IntoIterator<Item = EntryId>) -> Filter {
    Filter::must([condition(payload::of_org(org)), among(ids)])
}

/// These entries, whoever's they are: only to be added to a filter that says whose.
pub(super) fn among(ids: impl IntoIterator<Item = EntryId>) -> Condition {
    Condition::has_id(ids.into_iter().map(|id| id.0))
}

/// A filter in the server's terms.
pub(super) fn filter(conditions: Vec<payload::Condition>) -> Filter {
    Filter::must(conditions.into_iter().map(condition))
}

fn condition(condition: payload::Condition) -> Condition {
    use payload::Condition as C;
    match condition {
        C::Either(conditions) => Filter::should(conditions.into_iter().map(self::condition)).into(),
        C::Is(field, text) => Condition::matches(field, text),
        C::AnyOf(field, texts) => Condition::matches(field, texts),
        C::AtLeast(field, number) => Condition::range(field, Range { gte: Some(float(number)), ..Range::default() }),
        C::AtMost(field, number) => Condition::range(field, Range { lte: Some(float(number)), ..Range::default() }),
        C::Below(field, number) => Condition::range(field, Range { lt: Some(float(number)), ..Range::default() }),
        C::Above(field, number) => Condition::range(field, Range { gt: Some(float(number)), ..Range::default() }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers in a payload stay below 2^53")]
fn float(number: i64) -> f64 {
    number as f64
}

fn values(payload: Map<String, serde_json::Value>) -> HashMap<String, Value> {
    payload.into_iter().map(|(field, value)| (field, value.into())).collect()
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}
