//! Rows of `usage_records`.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, CompletionId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::schema::usage_records;
use crate::domain::usage::UsageRecord;

#[derive(Insertable)]
#[diesel(table_name = usage_records)]
struct Row<'a> {
    id: Uuid,
    recorded_at: DateTime<Utc>,
    org_id: Uuid,
    user_id: Uuid,
    api_key_id: Option<Uuid>,
    model: &'a str,
    model_id: Uuid,
    provider: Option<&'a str>,
    upstream_model: Option<&'a str>,
    operation: &'a str,
    dialect: Option<&'a str>,
    input_tokens: i64,
    cached_input_tokens: i64,
    cache_write_tokens: i64,
    output_tokens: i64,
    reasoning_tokens: i64,
    cost_nano_usd: i64,
    estimated: bool,
    cached: bool,
    streamed: bool,
    outcome: &'a str,
    stop_reason: Option<&'a str>,
    time_to_first_token_ms: Option<i32>,
    duration_ms: i32,
    attempts: i32,
    session_id: Option<&'a str>,
}

impl<'a> From<&'a UsageRecord> for Row<'a> {
    fn from(record: &'a UsageRecord) -> Self {
        Self {
            id: record.id.uuid(),
            recorded_at: record.recorded_at,
            org_id: record.org.uuid(),
            user_id: record.user.uuid(),
            api_key_id: record.api_key.map(ApiKeyId::uuid),
            model: &record.model,
            model_id: record.model_id.uuid(),
            provider: record.provider.as_deref(),
            upstream_model: record.upstream_model.as_deref(),
            operation: record.operation.as_str(),
            dialect: record.dialect.as_deref(),
            input_tokens: record.input_tokens,
            cached_input_tokens: record.cached_input_tokens,
            cache_write_tokens: record.cache_write_tokens,
            output_tokens: record.output_tokens,
            reasoning_tokens: record.reasoning_tokens,
            cost_nano_usd: record.cost.0,
            estimated: record.estimated,
            cached: record.cached,
            streamed: record.streamed,
            outcome: &record.outcome,
            stop_reason: record.stop_reason.as_deref(),
            time_to_first_token_ms: record.time_to_first_token_ms,
            duration_ms: record.duration_ms,
            attempts: record.attempts,
            session_id: record.session_id.as_deref(),
        }
    }
}

/// Adds the records that are not there yet, and gives their ids. For the system's own transactions.
pub fn insert_new(conn: &mut PgConnection, records: &[&UsageRecord]) -> QueryResult<HashSet<CompletionId>> {
    let rows: Vec<Row<'_>> = records.iter().map(|record| Row::from(*record)).collect();
    let new: Vec<Uuid> = diesel::insert_into(usage_records::table)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(usage_records::id)
        .get_results(conn)?;
    Ok(new.into_iter().map(CompletionId::from_uuid).collect())
}
