//! Rows of `usage_records`.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use contracts::{ApiKeyId, CompletionId, ModelId, OrgId, UserId};
use db::OfRows;
use db::diesel::{
    self,
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde::Serialize;
use uuid::Uuid;

use super::{schema::usage_records, unreadable};
use crate::domain::{
    money::NanoUsd,
    report::{Calls, Dimension, Group, Position, Sums},
    usage::{OperationKind, UsageRecord},
};

/// As a row of the table: fields are columns.
#[derive(Serialize)]
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
pub fn insert_new(conn: &mut PgConnection, records: &[&UsageRecord]) -> Result<HashSet<CompletionId>, db::Error> {
    let rows: Vec<_> = records.iter().map(|record| Row::from(*record)).collect();
    let statement = OfRows::new(
        "INSERT INTO usage_records SELECT * FROM jsonb_populate_recordset(NULL::usage_records, $1) \
         ON CONFLICT DO NOTHING RETURNING id",
        &rows,
    )?;
    let new: Vec<Uuid> = statement.get_results(conn)?;
    Ok(new.into_iter().map(CompletionId::from_uuid).collect())
}

/// Binds the conditions of [`CONDITIONS`], in their order.
macro_rules! conditioned {
    ($query:expr, $org:expr, $calls:expr) => {
        $query
            .bind::<SqlUuid, _>($org.uuid())
            .bind::<Timestamptz, _>($calls.from)
            .bind::<Timestamptz, _>($calls.to)
            .bind::<Nullable<Text>, _>($calls.model.clone())
            .bind::<Nullable<Text>, _>($calls.provider.clone())
            .bind::<Nullable<SqlUuid>, _>($calls.user.map(UserId::uuid))
            .bind::<Nullable<SqlUuid>, _>($calls.api_key.map(ApiKeyId::uuid))
            .bind::<Nullable<Text>, _>($calls.operation.map(OperationKind::as_str))
    };
}

const CONDITIONS: &str = "org_id = $1 AND recorded_at >= $2 AND recorded_at < $3 \
     AND ($4::text IS NULL OR model = $4) AND ($5::text IS NULL OR provider = $5) \
     AND ($6::uuid IS NULL OR user_id = $6) AND ($7::uuid IS NULL OR api_key_id = $7) \
     AND ($8::text IS NULL OR operation = $8)";

/// A sum of `bigint` is `numeric`.
fn sums() -> String {
    let sum =
        |what: &str, name: &str| format!("least(coalesce(sum({what}), 0), 9223372036854775807)::bigint AS {name}");
    let columns = ["input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "cost_nano_usd"];
    let columns = columns.map(|column| sum(column, column)).join(", ");
    format!(
        "count(*) AS requests, count(*) FILTER (WHERE outcome = 'failed') AS failed, \
         count(*) FILTER (WHERE cached) AS cached, {columns}"
    )
}

#[derive(QueryableByName)]
struct SumsRow {
    #[diesel(sql_type = BigInt)]
    requests: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    cached: i64,
    #[diesel(sql_type = BigInt)]
    input_tokens: i64,
    #[diesel(sql_type = BigInt)]
    cached_input_tokens: i64,
    #[diesel(sql_type = BigInt)]
    output_tokens: i64,
    #[diesel(sql_type = BigInt)]
    reasoning_tokens: i64,
    #[diesel(sql_type = BigInt)]
    cost_nano_usd: i64,
}

impl From<SumsRow> for Sums {
    fn from(row: SumsRow) -> Self {
        Self {
            requests: row.requests,
            failed: row.failed,
            cached: row.cached,
            input_tokens: row.input_tokens,
            cached_input_tokens: row.cached_input_tokens,
            output_tokens: row.output_tokens,
            reasoning_tokens: row.reasoning_tokens,
            cost_nano_usd: row.cost_nano_usd,
        }
    }
}

/// Sums over all of the calls.
pub fn total(conn: &mut PgConnection, org: OrgId, calls: &Calls) -> QueryResult<Sums> {
    let sql = format!("SELECT {} FROM usage_records WHERE {CONDITIONS}", sums());
    conditioned!(sql_query(sql), org, calls).get_result::<SumsRow>(conn).map(Sums::from)
}

#[derive(QueryableByName)]
struct GroupRow {
    #[diesel(sql_type = Text)]
    day: String,
    #[diesel(sql_type = Text)]
    model: String,
    #[diesel(sql_type = Text)]
    provider: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    api_key_id: String,
    #[diesel(sql_type = Text)]
    operation: String,
    #[diesel(embed)]
    sums: SumsRow,
}

impl From<GroupRow> for Group {
    fn from(row: GroupRow) -> Self {
        fn given<T: std::str::FromStr>(text: &str) -> Option<T> {
            text.parse().ok()
        }
        let word = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            day: given(&row.day),
            model: word(&row.model),
            provider: word(&row.provider),
            user: given(&row.user_id),
            api_key: given(&row.api_key_id),
            operation: OperationKind::ALL.into_iter().find(|kind| kind.as_str() == row.operation),
            sums: row.sums.into(),
            position: [row.day, row.model, row.provider, row.user_id, row.api_key_id, row.operation],
        }
    }
}

/// The calls in groups, in the order of their texts, after `after`, at most `limit` groups.
pub fn groups(
    conn: &mut PgConnection,
    org: OrgId,
    calls: &Calls,
    by: &[Dimension],
    after: Option<&Position>,
    limit: i64,
) -> QueryResult<Vec<Group>> {
    let column = |dimension: Dimension| {
        let (name, text) = match dimension {
            Dimension::Day => ("day", "to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"),
            Dimension::Model => ("model", "model"),
            Dimension::Provider => ("provider", "coalesce(provider, '')"),
            Dimension::User => ("user_id", "user_id::text"),
            Dimension::ApiKey => ("api_key_id", "coalesce(api_key_id::text, '')"),
            Dimension::Operation => ("operation", "operation"),
        };
        format!("{} AS {name}", if by.contains(&dimension) { text } else { "''::text" })
    };
    let columns = Dimension::ALL.map(column).join(", ");
    let sql = format!(
        "SELECT * FROM (SELECT {columns}, {} FROM usage_records WHERE {CONDITIONS} GROUP BY 1, 2, 3, 4, 5, 6) g \
         WHERE $9::text[] IS NULL OR ARRAY[day, model, provider, user_id, api_key_id, operation] > $9 \
         ORDER BY ARRAY[day, model, provider, user_id, api_key_id, operation] LIMIT $10",
        sums()
    );
    let rows: Vec<GroupRow> = conditioned!(sql_query(sql), org, calls)
        .bind::<Nullable<Array<Text>>, _>(after.map(|position| position.to_vec()))
        .bind::<BigInt, _>(limit)
        .load(conn)?;
    Ok(rows.into_iter().map(Group::from).collect())
}

/// What each day of UTC cost, in nano-USD; days without usage are not among them.
pub fn daily_costs(conn: &mut PgConnection, org: OrgId, calls: &Calls) -> QueryResult<BTreeMap<NaiveDate, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Date)]
        day: NaiveDate,
        #[diesel(sql_type = BigInt)]
        cost: i64,
    }
    let sql = format!(
        "SELECT (recorded_at AT TIME ZONE 'UTC')::date AS day, \
         least(sum(cost_nano_usd), 9223372036854775807)::bigint AS cost \
         FROM usage_records WHERE {CONDITIONS} GROUP BY 1"
    );
    let rows: Vec<Row> = conditioned!(sql_query(sql), org, calls).load(conn)?;
    Ok(rows.into_iter().map(|row| (row.day, row.cost)).collect())
}

/// Where a page of [`list`] goes on: the last record's time and id.
pub type After = (DateTime<Utc>, CompletionId);

/// Single calls, the latest first, at most `limit`.
pub fn list(
    conn: &mut PgConnection,
    org: OrgId,
    calls: &Calls,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<UsageRecord>> {
    use usage_records as t;
    let mut query = t::table
        .filter(t::org_id.eq(org.uuid()))
        .filter(t::recorded_at.ge(calls.from))
        .filter(t::recorded_at.lt(calls.to))
        .order((t::recorded_at.desc(), t::id.desc()))
        .limit(limit)
        .select(Stored::as_select())
        .into_boxed();
    if let Some(model) = &calls.model {
        query = query.filter(t::model.eq(model));
    }
    if let Some(provider) = &calls.provider {
        query = query.filter(t::provider.eq(provider));
    }
    if let Some(user) = calls.user {
        query = query.filter(t::user_id.eq(user.uuid()));
    }
    if let Some(key) = calls.api_key {
        query = query.filter(t::api_key_id.eq(key.uuid()));
    }
    if let Some(operation) = calls.operation {
        query = query.filter(t::operation.eq(operation.as_str()));
    }
    if let Some((at, id)) = after {
        query = query.filter(t::recorded_at.lt(at).or(t::recorded_at.eq(at).and(t::id.lt(id.uuid()))));
    }
    let rows: Vec<Stored> = query.load(conn)?;
    rows.into_iter().map(UsageRecord::try_from).collect()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = usage_records)]
struct Stored {
    id: Uuid,
    recorded_at: DateTime<Utc>,
    org_id: Uuid,
    user_id: Uuid,
    api_key_id: Option<Uuid>,
    model: String,
    model_id: Uuid,
    provider: Option<String>,
    upstream_model: Option<String>,
    operation: String,
    dialect: Option<String>,
    input_tokens: i64,
    cached_input_tokens: i64,
    cache_write_tokens: i64,
    output_tokens: i64,
    reasoning_tokens: i64,
    cost_nano_usd: i64,
    estimated: bool,
    cached: bool,
    streamed: bool,
    outcome: String,
    stop_reason: Option<String>,
    time_to_first_token_ms: Option<i32>,
    duration_ms: i32,
    attempts: i32,
    session_id: Option<String>,
}

impl TryFrom<Stored> for UsageRecord {
    type Error = diesel::result::Error;

    fn try_from(row: Stored) -> QueryResult<Self> {
        let operation = OperationKind::ALL.into_iter().find(|kind| kind.as_str() == row.operation);
        Ok(Self {
            id: CompletionId::from_uuid(row.id),
            recorded_at: row.recorded_at,
            org: OrgId::from_uuid(row.org_id),
            user: UserId::from_uuid(row.user_id),
            api_key: row.api_key_id.map(ApiKeyId::from_uuid),
            model: row.model,
            model_id: ModelId::from_uuid(row.model_id),
            provider: row.provider,
            upstream_model: row.upstream_model,
            operation: operation.ok_or_else(|| unreadable("operation of a usage record"))?,
            dialect: row.dialect,
            input_tokens: row.input_tokens,
            cached_input_tokens: row.cached_input_tokens,
            cache_write_tokens: row.cache_write_tokens,
            output_tokens: row.output_tokens,
            reasoning_tokens: row.reasoning_tokens,
            cost: NanoUsd(row.cost_nano_usd),
            estimated: row.estimated,
            cached: row.cached,
            streamed: row.streamed,
            outcome: row.outcome,
            stop_reason: row.stop_reason,
            time_to_first_token_ms: row.time_to_first_token_ms,
            duration_ms: row.duration_ms,
            attempts: row.attempts,
            session_id: row.session_id,
            traceparent: None,
        })
    }
}
