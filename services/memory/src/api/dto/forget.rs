//! What is to be forgotten, on the wire.

use chrono::{DateTime, Utc};
use contracts::MemorySessionId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{a_label, named, search::scalars, some_tags};
use crate::{
    app::forget::Forgotten,
    domain::{
        access::{Allowed, Write},
        entry::Kind,
        forgetting::Forgetting,
    },
    error::Error,
};

/// What is to be forgotten: all conditions hold at once. At least one other than `organization` and `kinds` has to be
/// given.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetRequest {
    /// Whose, or where.
    #[serde(default)]
    #[validate(nested)]
    pub scope: ForgetScope,
    /// Conditions beside the scope.
    #[serde(default)]
    #[validate(nested)]
    pub filter: ForgetFilter,
    /// Whether it is only counted.
    #[serde(default)]
    pub dry_run: bool,
}

/// Whose, or where.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetScope {
    /// Everything that you reach; needs another condition beside it.
    #[serde(default)]
    #[expect(dead_code, reason = "it says what holds without it too, as in a search")]
    pub organization: bool,
    /// What belongs to this user; `me` is you.
    #[schema(example = "customer-7", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub user: Option<String>,
    /// What belongs to this agent.
    #[schema(min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub agent: Option<String>,
    /// This session. When nothing else is named, it is forgotten itself.
    pub session_id: Option<Uuid>,
    /// What belongs to this project.
    pub project_id: Option<Uuid>,
}

/// Conditions that hold at once.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetFilter {
    /// Only these; both when empty.
    #[serde(default)]
    #[schema(max_items = 2)]
    #[validate(length(max = 2, message = "There are two kinds."))]
    pub kinds: Vec<Forgettable>,
    /// Only memories that have all of these tags.
    #[serde(default)]
    #[schema(max_items = 32)]
    #[validate(custom(function = "some_tags"))]
    pub tags: Vec<String>,
    /// Only what has these fields in its metadata, with these texts, numbers or booleans.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "scalars"))]
    pub metadata: Map<String, Value>,
    /// Only what was said or became true at this moment or later.
    pub occurred_from: Option<DateTime<Utc>>,
    /// Only what was said or became true before this moment.
    pub occurred_to: Option<DateTime<Utc>>,
}

/// What can be forgotten by conditions.
// Written as well as read, because `validator` keeps what it refuses.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forgettable {
    /// Turns of conversations.
    Message,
    /// What is remembered.
    Memory,
}

impl From<Forgettable> for Kind {
    fn from(kind: Forgettable) -> Self {
        match kind {
            Forgettable::Message => Self::Message,
            Forgettable::Memory => Self::Memory,
        }
    }
}

impl ForgetRequest {
    /// What is to be forgotten, and whether it is only counted.
    pub fn into_parts(self, allowed: &Allowed<Write>) -> Result<(Forgetting, bool), Error> {
        let (scope, filter) = (self.scope, self.filter);
        let what = Forgetting {
            kinds: filter.kinds.into_iter().map(Kind::from).collect(),
            subject: named(scope.user.as_deref(), allowed)?,
            agent: scope.agent,
            session: scope.session_id.map(MemorySessionId::from_uuid),
            project: scope.project_id,
            tags: filter.tags,
            metadata: filter.metadata,
            occurred_from: filter.occurred_from,
            occurred_to: filter.occurred_to,
        };
        Ok((what, self.dry_run))
    }
}

/// How much was forgotten, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForgetView {
    /// Turns of conversations.
    #[schema(example = 40)]
    pub messages: usize,
    /// Memories, those that were taken from forgotten turns alone included.
    #[schema(example = 3)]
    pub memories: usize,
    /// Sessions that went themselves.
    #[schema(example = 0)]
    pub sessions: usize,
    /// Whether it was only counted.
    pub dry_run: bool,
    /// Whether that is all. If not, the rest goes when it is asked for again.
    pub complete: bool,
}

impl ForgetView {
    pub fn new(forgotten: Forgotten, dry_run: bool) -> Self {
        let Forgotten { counts, complete } = forgotten;
        Self { messages: counts.messages, memories: counts.memories, sessions: counts.sessions, dry_run, complete }
    }
}
