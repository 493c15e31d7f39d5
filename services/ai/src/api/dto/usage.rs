//! Usage on the wire.

use chrono::{DateTime, NaiveDate, Utc};
use contracts::{ApiKeyId, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{
    forecast::{Expected, Forecast},
    report::{Dimension, Group, Sums},
    usage::{OperationKind, UsageRecord},
};

/// Usage, summed up.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    /// Calls that ended at this time or later.
    pub from: DateTime<Utc>,
    /// Calls that ended before this time.
    pub to: DateTime<Utc>,
    /// What the items are grouped by.
    pub group_by: Vec<Dimension>,
    /// Sums over all calls, not only those of this page.
    pub totals: SumsView,
    /// The groups of this page, in the order of their values.
    pub items: Vec<GroupView>,
    /// Send it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// Sums over calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct SumsView {
    /// Calls.
    #[schema(example = 1_280)]
    pub requests: i64,
    /// Of those, that failed after something had been produced.
    #[schema(example = 3)]
    pub failed_requests: i64,
    /// Of those, answered from the response cache.
    #[schema(example = 40)]
    pub cached_requests: i64,
    /// Input tokens, those from the provider's prompt cache included.
    #[schema(example = 1_500_000)]
    pub input_tokens: i64,
    /// Of those, from the provider's prompt cache.
    #[schema(example = 900_000)]
    pub cached_input_tokens: i64,
    /// Output tokens, reasoning included.
    #[schema(example = 210_000)]
    pub output_tokens: i64,
    /// Of those, reasoning.
    #[schema(example = 80_000)]
    pub reasoning_tokens: i64,
    /// What they cost, in nano-USD (10⁻⁹ US dollar).
    #[schema(example = 812_500_000)]
    pub cost_nano_usd: i64,
}

impl From<Sums> for SumsView {
    fn from(sums: Sums) -> Self {
        Self {
            requests: sums.requests,
            failed_requests: sums.failed,
            cached_requests: sums.cached,
            input_tokens: sums.input_tokens,
            cached_input_tokens: sums.cached_input_tokens,
            output_tokens: sums.output_tokens,
            reasoning_tokens: sums.reasoning_tokens,
            cost_nano_usd: sums.cost_nano_usd,
        }
    }
}

/// A group of calls: the members that are grouped by, and the sums.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::option_option, reason = "a member that is not grouped by is absent, one without a value is null")]
pub struct GroupView {
    /// The day in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-03-02")]
    pub day: Option<NaiveDate>,
    /// The alias that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "gpt-5-mini")]
    pub model: Option<String>,
    /// The provider's name; `null` for answers from the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "openai")]
    pub provider: Option<Option<String>>,
    /// The person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_id: Option<Uuid>,
    /// The API key; `null` for people's own calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub api_key_id: Option<Option<Uuid>>,
    /// The kind of call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operation: Option<OperationKind>,
    /// The sums over its calls.
    #[serde(flatten)]
    pub sums: SumsView,
}

impl GroupView {
    pub fn new(group: Group, by: &[Dimension]) -> Self {
        let grouped = |dimension| by.contains(&dimension);
        Self {
            day: group.day,
            model: group.model,
            provider: grouped(Dimension::Provider).then_some(group.provider),
            user_id: group.user.map(UserId::uuid),
            api_key_id: grouped(Dimension::ApiKey).then(|| group.api_key.map(ApiKeyId::uuid)),
            operation: group.operation,
            sums: group.sums.into(),
        }
    }

    /// The names of the cells of [`cells`](Self::cells).
    pub fn header(by: &[Dimension]) -> Vec<&'static str> {
        let name = |dimension: &Dimension| match dimension {
            Dimension::User => "user_id",
            Dimension::ApiKey => "api_key_id",
            other => other.as_str(),
        };
        let sums = [
            "requests",
            "failed_requests",
            "cached_requests",
            "input_tokens",
            "cached_input_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cost_nano_usd",
        ];
        by.iter().map(name).chain(sums).collect()
    }

    /// A line of a file.
    pub fn cells(&self, by: &[Dimension]) -> Vec<String> {
        fn text<T: ToString>(value: Option<&T>) -> String {
            value.map(T::to_string).unwrap_or_default()
        }
        let cell = |dimension: &Dimension| match dimension {
            Dimension::Day => text(self.day.as_ref()),
            Dimension::Model => text(self.model.as_ref()),
            Dimension::Provider => text(self.provider.iter().flatten().next()),
            Dimension::User => text(self.user_id.as_ref()),
            Dimension::ApiKey => text(self.api_key_id.iter().flatten().next()),
            Dimension::Operation => self.operation.map(OperationKind::as_str).unwrap_or_default().to_owned(),
        };
        let SumsView { requests, failed_requests, cached_requests, input_tokens, .. } = &self.sums;
        let SumsView { cached_input_tokens, output_tokens, reasoning_tokens, cost_nano_usd, .. } = &self.sums;
        let sums = [requests, failed_requests, cached_requests, input_tokens, cached_input_tokens, output_tokens];
        let sums = sums.into_iter().chain([reasoning_tokens, cost_nano_usd]);
        by.iter().map(cell).chain(sums.map(i64::to_string)).collect()
    }
}

/// One call.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordView {
    /// The call's id, the `completion_id` of its events.
    pub id: Uuid,
    /// When it ended.
    pub recorded_at: DateTime<Utc>,
    /// The person who called, or who owns the key.
    pub user_id: Uuid,
    /// The API key behind the call; `null` when a person called.
    pub api_key_id: Option<Uuid>,
    /// The alias that was called.
    #[schema(example = "gpt-5-mini")]
    pub model: String,
    /// The provider that answered, by its name; `null` for an answer from the cache.
    #[schema(example = "openai")]
    pub provider: Option<String>,
    /// The provider's own name of the model.
    #[schema(example = "gpt-5-mini-2026-01-15")]
    pub upstream_model: Option<String>,
    /// The kind of call.
    pub operation: OperationKind,
    /// The protocol of a chat: `chat_completions`, `responses`, `messages`.
    #[schema(example = "chat_completions")]
    pub dialect: Option<String>,
    /// Input tokens, those from the provider's prompt cache included.
    #[schema(example = 1_200)]
    pub input_tokens: i64,
    /// Of those, read from the provider's prompt cache.
    #[schema(example = 1_024)]
    pub cached_input_tokens: i64,
    /// Of those, written to the provider's prompt cache.
    #[schema(example = 0)]
    pub cache_write_tokens: i64,
    /// Output tokens, reasoning included.
    #[schema(example = 300)]
    pub output_tokens: i64,
    /// Of those, reasoning.
    #[schema(example = 128)]
    pub reasoning_tokens: i64,
    /// What it cost, in nano-USD (10⁻⁹ US dollar).
    #[schema(example = 669_600)]
    pub cost_nano_usd: i64,
    /// The tokens were counted here because the provider did not tell.
    pub estimated: bool,
    /// Answered from the response cache.
    pub cached: bool,
    /// The answer was streamed.
    pub streamed: bool,
    /// `completed`, `client_left`, `failed`.
    #[schema(example = "completed")]
    pub outcome: String,
    /// Why the model stopped: `end`, `length`, `stop_sequence`, `tool_calls`, `content_filter`, `refusal`.
    #[schema(example = "end")]
    pub stop_reason: Option<String>,
    /// From the call to the first piece of the answer, in milliseconds.
    #[schema(example = 180)]
    pub time_to_first_token_ms: Option<i32>,
    /// From the call to the end of the answer, in milliseconds.
    #[schema(example = 2_400)]
    pub duration_ms: i32,
    /// Attempts at providers.
    #[schema(example = 1)]
    pub attempts: i32,
    /// The memory session that the turn belongs to.
    #[schema(example = "support-4711")]
    pub session_id: Option<String>,
}

impl From<UsageRecord> for RecordView {
    fn from(record: UsageRecord) -> Self {
        Self {
            id: record.id.uuid(),
            recorded_at: record.recorded_at,
            user_id: record.user.uuid(),
            api_key_id: record.api_key.map(ApiKeyId::uuid),
            model: record.model,
            provider: record.provider,
            upstream_model: record.upstream_model,
            operation: record.operation,
            dialect: record.dialect,
            input_tokens: record.input_tokens,
            cached_input_tokens: record.cached_input_tokens,
            cache_write_tokens: record.cache_write_tokens,
            output_tokens: record.output_tokens,
            reasoning_tokens: record.reasoning_tokens,
            cost_nano_usd: record.cost.0,
            estimated: record.estimated,
            cached: record.cached,
            streamed: record.streamed,
            outcome: record.outcome,
            stop_reason: record.stop_reason,
            time_to_first_token_ms: record.time_to_first_token_ms,
            duration_ms: record.duration_ms,
            attempts: record.attempts,
            session_id: record.session_id,
        }
    }
}

impl RecordView {
    /// The names of the cells of [`cells`](Self::cells).
    pub const HEADER: [&'static str; 17] = [
        "id",
        "recorded_at",
        "user_id",
        "api_key_id",
        "model",
        "provider",
        "upstream_model",
        "operation",
        "input_tokens",
        "cached_input_tokens",
        "output_tokens",
        "reasoning_tokens",
        "cost_nano_usd",
        "estimated",
        "cached",
        "outcome",
        "duration_ms",
    ];

    /// A line of a file.
    pub fn cells(self) -> [String; 17] {
        [
            self.id.to_string(),
            self.recorded_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            self.user_id.to_string(),
            self.api_key_id.map(|id| id.to_string()).unwrap_or_default(),
            self.model,
            self.provider.unwrap_or_default(),
            self.upstream_model.unwrap_or_default(),
            self.operation.as_str().to_owned(),
            self.input_tokens.to_string(),
            self.cached_input_tokens.to_string(),
            self.output_tokens.to_string(),
            self.reasoning_tokens.to_string(),
            self.cost_nano_usd.to_string(),
            self.estimated.to_string(),
            self.cached.to_string(),
            self.outcome,
            self.duration_ms.to_string(),
        ]
    }
}

/// What a month has cost and will cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForecastView {
    /// The first day of the month, in UTC.
    #[schema(example = "2026-03-01")]
    pub month: NaiveDate,
    /// What it has cost so far, in nano-USD.
    #[schema(example = 4_100_000_000_i64)]
    pub spent_nano_usd: i64,
    /// Whole days of the last eight weeks that the forecast is based on, those without usage included.
    #[schema(example = 40)]
    pub days_of_data: u64,
    /// What it will have cost at its end; `null` with fewer than three whole days of data.
    pub forecast: Option<ExpectedView>,
}

/// What a month is expected to cost, in nano-USD.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the unit is part of a name in the API")]
pub struct ExpectedView {
    /// What it has cost, and for each day to come the average of its weekday in the last eight weeks.
    #[schema(example = 11_300_000_000_i64)]
    pub cost_nano_usd: i64,
    /// One month in ten ends below this, if days differ from their average as they did so far.
    #[schema(example = 10_200_000_000_i64)]
    pub low_nano_usd: i64,
    /// One month in ten ends above this.
    #[schema(example = 12_400_000_000_i64)]
    pub high_nano_usd: i64,
}

impl From<Forecast> for ForecastView {
    fn from(forecast: Forecast) -> Self {
        let view = |Expected { total, low, high }| ExpectedView {
            cost_nano_usd: total,
            low_nano_usd: low,
            high_nano_usd: high,
        };
        Self {
            month: forecast.month,
            spent_nano_usd: forecast.spent,
            days_of_data: forecast.days_of_data,
            forecast: forecast.expected.map(view),
        }
    }
}
