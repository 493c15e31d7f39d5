//! Quotas on the wire.

use chrono::{DateTime, Utc};
use kit::http::{Limit, Page, Patch};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError, ValidationErrors};

use super::{check, not_null, value};
use crate::{
    app::list_quotas::{Filter, Seen},
    domain::{
        access::Realm,
        quota::{Metric, QuotaEdit, QuotaSpec, Standing, Subject, SubjectKind},
        window::Period,
    },
};

/// The largest limit: the largest integer that every JSON reader keeps exactly (RFC 8259 section 6).
const LIMIT_MAX: i64 = 9_007_199_254_740_991;
const THRESHOLDS_MAX: usize = 10;

/// A limit of usage.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaView {
    /// The quota's id.
    pub id: Uuid,
    /// Who set it: the organization, or the operators of the installation.
    pub scope: Realm,
    /// Its name for people.
    #[schema(example = "Research, monthly budget")]
    pub name: Option<String>,
    /// Whose usage it counts.
    pub subject: SubjectKind,
    /// Which team, user or key (or, of the installation's quotas, organization); `null` counts each by itself.
    pub subject_id: Option<Uuid>,
    /// The alias whose calls it counts; `null` counts all.
    #[schema(example = "gpt-5-mini")]
    pub model: Option<String>,
    /// The calendar unit, in UTC, after which it begins anew.
    pub window: Period,
    /// What it counts.
    pub metric: Metric,
    /// How much of it may be used in a window.
    #[schema(example = 50_000_000_000_i64)]
    pub limit: i64,
    /// Percentages of the limit at which `quota_threshold_reached` is published.
    #[schema(example = json!([50, 80]))]
    pub thresholds: Vec<u8>,
    /// Whether it limits anything.
    pub enabled: bool,
    /// Where it stands in this window, for the one it counts; where it counts each by itself, for you (each of your
    /// teams, your key).
    pub current: Vec<StandingView>,
    /// Grows by one with each change; also the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Seen> for QuotaView {
    fn from((quota, standings): Seen) -> Self {
        let limit = quota.limit;
        Self {
            id: quota.id.uuid(),
            scope: Realm::of(quota.org),
            name: quota.name,
            subject: quota.subject.kind(),
            subject_id: quota.subject.id(),
            model: quota.model,
            window: quota.period,
            metric: quota.metric,
            limit,
            thresholds: quota.thresholds,
            enabled: quota.enabled,
            current: standings.into_iter().map(|standing| StandingView::new(standing, limit)).collect(),
            version: quota.version,
            created_at: quota.created_at,
            updated_at: quota.updated_at,
        }
    }
}

/// Where a quota stands in its current window.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingView {
    /// The organization, team, user or key that is counted.
    pub subject_id: Uuid,
    /// What was used, as of a fraction of a second ago.
    #[schema(example = 41_200_000_000_i64)]
    pub used: i64,
    /// What is set aside for calls in flight and those about to come.
    #[schema(example = 300_000_000)]
    pub reserved: i64,
    /// What is not used yet, never less than 0.
    #[schema(example = 8_800_000_000_i64)]
    pub remaining: i64,
    /// When the window began.
    pub window_started_at: DateTime<Utc>,
    /// When it ends.
    pub resets_at: DateTime<Utc>,
}

impl StandingView {
    pub fn new(standing: Standing, limit: i64) -> Self {
        Self {
            subject_id: standing.subject,
            used: standing.used,
            reserved: standing.reserved,
            remaining: limit.saturating_sub(standing.used).max(0),
            window_started_at: standing.window.started_at,
            resets_at: standing.window.ends_at,
        }
    }
}

/// A new quota. Whose usage it counts, and what, cannot be changed later.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaCreate {
    /// Its name for people: 1 to 100 characters.
    #[serde(default)]
    #[schema(example = "Research, monthly budget", min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Whose usage it counts.
    pub subject: SubjectKind,
    /// Which team, user or key; absent, each of them by itself. With `scope` `global`: which organization; absent, each.
    #[serde(default)]
    pub subject_id: Option<Uuid>,
    /// Count only calls of this alias: 1 to 128 characters.
    #[serde(default)]
    #[schema(example = "gpt-5-mini", min_length = 1, max_length = 128)]
    pub model: Option<String>,
    /// The calendar unit, in UTC, after which it begins anew.
    pub window: Period,
    /// What it counts.
    pub metric: Metric,
    /// How much of it may be used in a window; 0 allows nothing.
    #[schema(example = 50_000_000_000_i64, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    pub limit: i64,
    /// Percentages of the limit at which `quota_threshold_reached` is published: up to 10, each 1 to 100.
    #[serde(default = "at_80")]
    #[schema(default = json!([80]), max_items = 10, example = json!([50, 80]))]
    pub thresholds: Vec<u8>,
    /// Whether it limits anything.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
    /// Who sets it; `global` is for the operators of the installation.
    #[serde(default)]
    pub scope: Realm,
}

fn at_80() -> Vec<u8> {
    vec![80]
}

fn yes() -> bool {
    true
}

impl Validate for QuotaCreate {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let mut errors = ValidationErrors::new();
        let mut note = |field: &'static str, outcome: Result<(), ValidationError>| {
            if let Err(error) = outcome {
                errors.add(field, error);
            }
        };
        note("name", self.name.as_ref().map_or(Ok(()), |name| a_name(name)));
        let names_an_organization = self.subject == SubjectKind::Organization;
        note(
            "subject_id",
            match self.scope {
                Realm::Organization => check(
                    self.subject_id.is_none() || !names_an_organization,
                    "not_applicable",
                    "Your organization is the only one that its quotas can count.",
                ),
                Realm::Global => check(
                    self.subject_id.is_none() || names_an_organization,
                    "not_applicable",
                    "A quota of the installation names an organization, or counts each team, user or key by itself.",
                ),
            },
        );
        note("model", self.model.as_ref().map_or(Ok(()), |model| an_alias(model)));
        note("limit", a_limit(self.limit));
        note("thresholds", thresholds(&self.thresholds));
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

impl QuotaCreate {
    /// Who sets it, and what it is.
    pub fn into_parts(self) -> (Realm, QuotaSpec) {
        let spec = QuotaSpec {
            name: self.name,
            subject: Subject::new(self.subject, self.subject_id),
            model: self.model,
            period: self.window,
            metric: self.metric,
            limit: self.limit,
            thresholds: self.thresholds,
            enabled: self.enabled,
        };
        (self.scope, spec)
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaPatch {
    /// Its name for people; `null` removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "Research, monthly budget", min_length = 1, max_length = 100)]
    #[validate(custom(function = "a_patched_name"))]
    pub name: Patch<String>,
    /// How much may be used in a window. What is used already counts.
    #[serde(default)]
    #[schema(value_type = Option<i64>, nullable = false, example = 50_000_000_000_i64, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    #[validate(custom(function = "a_patched_limit"))]
    pub limit: Patch<i64>,
    /// Percentages of the limit at which `quota_threshold_reached` is published, instead of those that are there.
    #[serde(default)]
    #[schema(value_type = Option<Vec<u8>>, nullable = false, max_items = 10, example = json!([50, 80]))]
    #[validate(custom(function = "patched_thresholds"))]
    pub thresholds: Patch<Vec<u8>>,
    /// Whether it limits anything.
    #[serde(default)]
    #[schema(value_type = Option<bool>, nullable = false)]
    #[validate(custom(function = "not_null"))]
    pub enabled: Patch<bool>,
}

impl QuotaPatch {
    pub fn into_edit(self) -> QuotaEdit {
        QuotaEdit {
            name: self.name.into_nested(),
            limit: value(self.limit),
            thresholds: value(self.thresholds),
            enabled: value(self.enabled),
        }
    }
}

/// Which quotas are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuotaQuery {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
    /// Only those that count this.
    #[param(inline)]
    pub subject: Option<SubjectKind>,
    /// Only those that limit something, or only those that do not.
    pub enabled: Option<bool>,
    /// Only those set by the organization, or only those of the installation.
    #[param(inline)]
    pub scope: Option<Realm>,
}

impl QuotaQuery {
    pub fn into_parts(self) -> (Page, Filter) {
        let filter = Filter { subject: self.subject, enabled: self.enabled, realm: self.scope };
        (Page::new(self.limit, self.cursor), filter)
    }
}

fn a_name(name: &str) -> Result<(), ValidationError> {
    let fine =
        (1..=100).contains(&name.chars().count()) && !name.trim().is_empty() && !name.chars().any(char::is_control);
    check(fine, "length", "Give it 1 to 100 characters, at least one of them visible.")
}

fn a_patched_name(patch: &Patch<String>) -> Result<(), ValidationError> {
    patch.as_value().map_or(Ok(()), |name| a_name(name))
}

fn an_alias(alias: &str) -> Result<(), ValidationError> {
    let fine = (1..=128).contains(&alias.len()) && alias.bytes().all(|b| b.is_ascii_graphic());
    check(fine, "alias", "Give the alias of a model.")
}

fn a_limit(limit: i64) -> Result<(), ValidationError> {
    check((0..=LIMIT_MAX).contains(&limit), "range", "Give a whole number from 0 to 9007199254740991.")
}

fn a_patched_limit(patch: &Patch<i64>) -> Result<(), ValidationError> {
    not_null(patch)?;
    patch.as_value().map_or(Ok(()), |limit| a_limit(*limit))
}

fn thresholds(percentages: &[u8]) -> Result<(), ValidationError> {
    let fine = percentages.len() <= THRESHOLDS_MAX && percentages.iter().all(|percent| (1..=100).contains(percent));
    check(fine, "range", "Give up to 10 whole numbers from 1 to 100.")
}

fn patched_thresholds(patch: &Patch<Vec<u8>>) -> Result<(), ValidationError> {
    not_null(patch)?;
    patch.as_value().map_or(Ok(()), |percentages| thresholds(percentages))
}
