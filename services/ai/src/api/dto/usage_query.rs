//! What is asked about usage.

use chrono::{DateTime, Days, Utc};
use contracts::{ApiKeyId, UserId};
use kit::http::{Limit, Page};
use serde::{Deserialize, Deserializer, de};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::domain::{
    report::{Calls, Dimension},
    usage::OperationKind,
    window::Period,
};

/// The longest time that one answer is about.
const LONGEST_DAYS: u64 = 400;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Json,
    /// RFC 4180 with a header line, everything at once.
    Csv,
}

/// Which calls are summed up, and how.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// Calls that ended at this time or later; the beginning of this month when absent.
    pub from: Option<DateTime<Utc>>,
    /// Calls that ended before this time; now when absent. At most 400 days after `from`.
    pub to: Option<DateTime<Utc>>,
    /// Calls of this alias.
    #[validate(length(min = 1, max = 255))]
    pub model: Option<String>,
    /// Calls that this provider answered, by its name.
    #[validate(length(min = 1, max = 255))]
    pub provider: Option<String>,
    /// This person's calls; with `ai:write`, otherwise only your own id.
    #[param(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
    /// Calls with this API key.
    #[param(value_type = Option<Uuid>)]
    pub api_key_id: Option<ApiKeyId>,
    /// Calls of this kind.
    #[param(inline)]
    pub operation: Option<OperationKind>,
    /// What to group by, separated by commas: `day`, `model`, `provider`, `user`, `api_key`, `operation`.
    #[serde(default)]
    #[param(value_type = Option<String>, example = "day,model", required = false)]
    pub group_by: GroupBy,
    /// `csv` for all groups as a file, as with `Accept: text/csv`.
    #[param(inline)]
    pub format: Option<Format>,
    /// How many groups at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 1024))]
    #[param(max_length = 1024)]
    pub cursor: Option<String>,
}

/// Each dimension at most once, in the order of [`Dimension::ALL`]; by day when nothing is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBy(pub Vec<Dimension>);

impl Default for GroupBy {
    fn default() -> Self {
        Self(vec![Dimension::Day])
    }
}

impl<'de> Deserialize<'de> for GroupBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let named = text.split(',').map(|name| Dimension::ALL.into_iter().find(|known| known.as_str() == name));
        let mut named = named.collect::<Option<Vec<_>>>().ok_or_else(|| de::Error::custom("unknown dimension"))?;
        let given = named.len();
        named.sort_unstable();
        named.dedup();
        if named.len() == given { Ok(Self(named)) } else { Err(de::Error::custom("a dimension is named twice")) }
    }
}

/// Which calls are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecordsQuery {
    /// Calls that ended at this time or later; the beginning of this month when absent.
    pub from: Option<DateTime<Utc>>,
    /// Calls that ended before this time; now when absent. At most 400 days after `from`.
    pub to: Option<DateTime<Utc>>,
    /// Calls of this alias.
    #[validate(length(min = 1, max = 255))]
    pub model: Option<String>,
    /// Calls that this provider answered, by its name.
    #[validate(length(min = 1, max = 255))]
    pub provider: Option<String>,
    /// This person's calls; with `ai:write`, otherwise only your own id.
    #[param(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
    /// Calls with this API key.
    #[param(value_type = Option<Uuid>)]
    pub api_key_id: Option<ApiKeyId>,
    /// Calls of this kind.
    #[param(inline)]
    pub operation: Option<OperationKind>,
    /// `csv` for all calls as a file, as with `Accept: text/csv`.
    #[param(inline)]
    pub format: Option<Format>,
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
}

/// Whose cost is foretold.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ForecastQuery {
    /// This person's; with `ai:write`, otherwise only your own id.
    #[param(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
}

/// A time that an answer cannot be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRange;

/// From the parameters: an empty time, or one that is too long, is refused.
fn range(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, DateTime<Utc>), BadRange> {
    let to = to.unwrap_or(now);
    let from = from.unwrap_or_else(|| Period::Month.window(to.min(now)).started_at);
    let latest = from.checked_add_days(Days::new(LONGEST_DAYS)).ok_or(BadRange)?;
    if from <= to && to <= latest { Ok((from, to)) } else { Err(BadRange) }
}

/// What both queries choose calls by. Their fields cannot be one struct: serde checks no unknown fields of flattened ones.
pub struct Filter<'a> {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    model: &'a Option<String>,
    provider: &'a Option<String>,
    user_id: Option<UserId>,
    api_key_id: Option<ApiKeyId>,
    operation: Option<OperationKind>,
}

impl Filter<'_> {
    /// The calls that are asked for at `now`.
    pub fn calls(&self, now: DateTime<Utc>) -> Result<Calls, BadRange> {
        let (from, to) = range(self.from, self.to, now)?;
        let (model, provider) = (self.model.clone(), self.provider.clone());
        Ok(Calls { from, to, model, provider, user: self.user_id, api_key: self.api_key_id, operation: self.operation })
    }

    /// What a cursor of the list is bound to: what was asked for.
    pub fn binding(&self) -> String {
        let Self { from, to, model, provider, user_id, api_key_id, operation } = self;
        format!("{:?}", (from, to, model, provider, user_id, api_key_id, operation))
    }
}

impl UsageQuery {
    pub fn filter(&self) -> Filter<'_> {
        let &Self { from, to, ref model, ref provider, user_id, api_key_id, operation, .. } = self;
        Filter { from, to, model, provider, user_id, api_key_id, operation }
    }

    pub fn page(&self) -> Page {
        Page::new(self.limit, self.cursor.clone())
    }
}

impl RecordsQuery {
    pub fn filter(&self) -> Filter<'_> {
        let &Self { from, to, ref model, ref provider, user_id, api_key_id, operation, .. } = self;
        Filter { from, to, model, provider, user_id, api_key_id, operation }
    }

    pub fn page(&self) -> Page {
        Page::new(self.limit, self.cursor.clone())
    }
}
