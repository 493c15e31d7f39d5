//! The embedded engine's types: settings, points and filters.
//!
//! The engine panics where files are not as it left them, and when it cannot write; [`call`] turns that into
//! [`VectorError::Damaged`].

use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
};

use anyhow::anyhow;
use contracts::OrgId;
use qdrant_edge::{
    AnyVariants, Condition, CreateIndex, Distance, EdgeConfig, EdgeOptimizersConfig, EdgeVectorParams, FieldCondition,
    FieldIndexOperations, Filter, HnswIndexConfig, IntegerIndexParams, JsonPath, KeywordIndexParams, Match,
    OperationError, OperationResult, Payload, PayloadFieldSchema, PayloadSchemaParams, PointId, PointInsertOperations,
    PointOperations, PointStructPersisted, Range, UpdateOperation, UuidIndexParams, ValueVariants,
    VectorStructPersisted, WalOptions, external::ordered_float::OrderedFloat,
};
use uuid::Uuid;

use super::EdgeSettings;
use crate::{
    domain::entry::EntryId,
    vectors::{
        Change, Space, VectorError,
        payload::{self, FIELDS, FieldKind},
    },
};

/// Points of one update; it holds up searches for as long as it takes.
const UPDATE_POINTS: usize = 128;

/// Size of a file of the engine's log. It is never read again, so small.
const LOG_FILE_BYTES: usize = 8 << 20;

/// Links of a point in the graph, and candidates that are looked at for them.
const LINKS: usize = 16;
const LINK_CANDIDATES: usize = 100;

/// Runs a call of the engine.
pub(super) fn call<T>(call: impl FnOnce() -> OperationResult<T>) -> Result<T, VectorError> {
    guarded(call)?.map_err(failed)
}

/// Runs a call of the engine that says of failures by a panic only.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, VectorError> {
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|panic| VectorError::Damaged(anyhow!("panic: {}", kit::tasks::panic_message(&*panic))))
}

/// Takes the message only: the error carries a backtrace.
fn failed(error: OperationError) -> VectorError {
    let cause = anyhow!(error.to_string());
    match error {
        OperationError::OutOfMemory { .. } | OperationError::Timeout { .. } | OperationError::Cancelled { .. } => {
            VectorError::Unavailable(cause)
        }
        // Found before anything is touched. Other failures of a merge lose deletions made meanwhile.
        OperationError::ServiceError { description, .. } if description.starts_with("Not enough space available") => {
            VectorError::Unavailable(cause)
        }
        _ => VectorError::Damaged(cause),
    }
}

pub(super) fn config(space: Space, settings: &EdgeSettings) -> EdgeConfig {
    EdgeConfig::builder()
        .on_disk_payload(true)
        .vector("", EdgeVectorParams::builder(space.dimension.get(), Distance::Cosine).on_disk(false).build())
        // One graph of everything: no walk of ours follows only points that share a value.
        .hnsw_config(HnswIndexConfig {
            m: LINKS,
            payload_m: Some(0),
            ef_construct: LINK_CANDIDATES,
            full_scan_threshold: settings.scan_kb,
            max_indexing_threads: settings.build_threads.get(),
            ..HnswIndexConfig::default()
        })
        .optimizers(EdgeOptimizersConfig {
            default_segment_number: Some(2),
            indexing_threshold: Some(settings.scan_kb),
            ..EdgeOptimizersConfig::default()
        })
        .wal_options(WalOptions {
            segment_capacity: LOG_FILE_BYTES,
            segment_queue_len: 0,
            retain_closed: NonZeroUsize::MIN,
        })
        .build()
}

/// Declares how the payload is looked up. The engine forgets it for new segments, so it is said at every start.
pub(super) fn index_operations() -> impl Iterator<Item = OperationResult<UpdateOperation>> {
    FIELDS.into_iter().map(|(field, kind)| {
        let params = match kind {
            FieldKind::Tenant => {
                PayloadSchemaParams::Uuid(UuidIndexParams { is_tenant: Some(true), ..UuidIndexParams::default() })
            }
            FieldKind::Uuid => PayloadSchemaParams::Uuid(UuidIndexParams::default()),
            FieldKind::Keyword => PayloadSchemaParams::Keyword(KeywordIndexParams::default()),
            FieldKind::Integer => PayloadSchemaParams::Integer(IntegerIndexParams {
                lookup: Some(false),
                range: Some(true),
                enable_hnsw: Some(false),
                ..IntegerIndexParams::default()
            }),
        };
        Ok(UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(CreateIndex {
            field_name: path(field)?,
            field_schema: Some(PayloadFieldSchema::FieldParams(params)),
        })))
    })
}

/// Changes as updates of the engine, in their order. In each the last word on an entry counts.
pub(super) fn updates(changes: &[Change]) -> Result<Vec<UpdateOperation>, VectorError> {
    Change::batches(changes, UPDATE_POINTS).map(|batch| call(|| update(batch))).collect()
}

fn update(batch: &[Change]) -> OperationResult<UpdateOperation> {
    let mut points = Vec::new();
    let mut gone = Vec::new();
    for change in batch {
        match change {
            // The engine keeps the last of several with one id.
            Change::Upsert { id, attributes, vector } => points.push(PointStructPersisted {
                id: PointId::Uuid(id.0),
                vector: VectorStructPersisted::Single(vector.clone()),
                payload: Some(Payload(payload::payload(attributes))),
            }),
            Change::Delete { org, id } => gone.push((*org, *id)),
        }
    }
    Ok(UpdateOperation::PointOperation(match gone.first() {
        Some(&(org, _)) => PointOperations::DeletePointsByFilter(these(org, gone.iter().map(|&(_, id)| id))?),
        None => PointOperations::UpsertPoints(PointInsertOperations::PointsList(points)),
    }))
}

/// A point of no organization and without a direction, that no search finds.
pub(super) fn upsert_nothing(id: Uuid, dimension: usize) -> UpdateOperation {
    let point = PointStructPersisted {
        id: PointId::Uuid(id),
        vector: VectorStructPersisted::Single(vec![0.0; dimension]),
        payload: None,
    };
    UpdateOperation::PointOperation(PointOperations::UpsertPoints(PointInsertOperations::PointsList(vec![point])))
}

pub(super) fn delete_point(id: Uuid) -> UpdateOperation {
    UpdateOperation::PointOperation(PointOperations::DeletePoints { ids: vec![PointId::Uuid(id)] })
}

pub(super) fn the_point(id: Uuid) -> Filter {
    let id = Condition::HasId([PointId::Uuid(id)].into_iter().collect());
    Filter { must: Some(vec![id]), ..Filter::default() }
}

/// Those of these entries that belong to the organization.
pub(super) fn these(org: OrgId, ids: impl IntoIterator<Item = EntryId>) -> OperationResult<Filter> {
    Ok(filter(vec![payload::of_org(org)])?.merge_owned(among(ids)))
}

/// These entries, whoever's they are: only to be merged with a filter that says whose.
pub(super) fn among(ids: impl IntoIterator<Item = EntryId>) -> Filter {
    let ids = Condition::HasId(ids.into_iter().map(|id| PointId::Uuid(id.0)).collect());
    Filter { must: Some(vec![ids]), ..Filter::default() }
}

/// A filter in the engine's terms.
pub(super) fn filter(conditions: Vec<payload::Condition>) -> OperationResult<Filter> {
    let must = conditions.into_iter().map(condition).collect::<OperationResult<_>>()?;
    Ok(Filter { must: Some(must), ..Filter::default() })
}

fn condition(condition: payload::Condition) -> OperationResult<Condition> {
    use payload::Condition as C;
    let range = |field, range| OperationResult::Ok(FieldCondition::new_range(path(field)?, range));
    Ok(Condition::Field(match condition {
        C::Either(conditions) => {
            let should = conditions.into_iter().map(self::condition).collect::<OperationResult<_>>()?;
            return Ok(Condition::Filter(Filter { should: Some(should), ..Filter::default() }));
        }
        C::Is(field, text) => FieldCondition::new_match(path(field)?, Match::new_value(ValueVariants::String(text))),
        C::AnyOf(field, texts) => {
            let texts = texts.into_iter().collect();
            FieldCondition::new_match(path(field)?, Match::new_any(AnyVariants::Strings(texts)))
        }
        C::AtLeast(field, number) => range(field, Range { gte: Some(float(number)), ..Range::default() })?,
        C::AtMost(field, number) => range(field, Range { lte: Some(float(number)), ..Range::default() })?,
        C::Below(field, number) => range(field, Range { lt: Some(float(number)), ..Range::default() })?,
        C::Above(field, number) => range(field, Range { gt: Some(float(number)), ..Range::default() })?,
    }))
}

#[expect(clippy::cast_precision_loss, reason = "numbers in a payload stay below 2^53")]
fn float(number: i64) -> OrderedFloat<f64> {
    OrderedFloat(number as f64)
}

fn path(field: &str) -> OperationResult<JsonPath> {
    field.parse().map_err(|()| OperationError::ValidationError { description: format!("{field} is no path") })
}
