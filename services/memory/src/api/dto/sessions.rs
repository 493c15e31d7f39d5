//! Conversations on the wire.

use chrono::{DateTime, Utc};
use kit::http::{Limit, Page, Patch};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{a_label, a_patched_label, a_title, named, owner, some_metadata};
use crate::{
    app::update_session::SessionChange,
    domain::{
        access::{Allowed, Read, Refused, Write},
        session::{Belonging, NewSession, Session, Wanted},
    },
    error::Error,
};

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// The session's id.
    pub id: Uuid,
    /// Whose it is: the id of a member, or a name that an application gives its users; `null` is shared by the organization.
    #[schema(example = "customer-7")]
    pub user: Option<String>,
    /// The agent that takes part.
    #[schema(example = "support")]
    pub agent: Option<String>,
    /// The project it is about.
    pub project_id: Option<Uuid>,
    /// What the client calls it; unique for its user.
    #[schema(example = "ticket-4711")]
    pub external_id: Option<String>,
    /// Its name for people.
    #[schema(example = "Broken lamp")]
    pub title: Option<String>,
    /// Anything that the client wants to keep with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// What it was about, when it was summarized.
    pub summary: Option<String>,
    /// The session that it branched off from.
    pub forked_from: Option<Uuid>,
    /// How many turns it has, those before it branched off included.
    #[schema(example = 12)]
    pub message_count: i64,
    /// When somebody spoke last.
    pub last_message_at: Option<DateTime<Utc>>,
    /// Grows by one with each change and each turn; also the `ETag`.
    #[schema(example = 13)]
    pub version: i64,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.uuid(),
            user: session.belonging.subject,
            agent: session.belonging.agent,
            project_id: session.belonging.project,
            external_id: session.external_id,
            title: session.title,
            metadata: session.metadata,
            summary: session.summary.map(|summary| summary.text),
            forked_from: session.forked.map(|fork| fork.from.uuid()),
            message_count: session.next_position,
            last_message_at: session.last.map(|last| last.at),
            version: session.version,
            created_at: session.created_at,
            updated_at: session.updated_at,
        }
    }
}

/// A new conversation.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionCreate {
    /// Whose it is; yours when absent, the organization's when `null`. `me` is you.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "me", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_patched_label"))]
    pub user: Patch<String>,
    /// The agent that takes part.
    #[schema(example = "support", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub agent: Option<String>,
    /// The project it is about.
    pub project_id: Option<Uuid>,
    /// What the client calls it, such as the value of its session header: 1 to 255 characters.
    #[schema(example = "ticket-4711", min_length = 1, max_length = 255)]
    #[validate(custom(function = "an_external_id"))]
    pub external_id: Option<String>,
    /// Its name for people: 1 to 200 characters.
    #[schema(example = "Broken lamp", min_length = 1, max_length = 200)]
    #[validate(custom(function = "a_title"))]
    pub title: Option<String>,
    /// Up to 32 fields and 8 KiB.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Map<String, Value>,
}

impl SessionCreate {
    pub fn into_new(self, allowed: &Allowed<Write>) -> Result<NewSession, Refused> {
        let subject = owner(self.user, allowed)?;
        Ok(NewSession {
            belonging: Belonging { subject, agent: self.agent, project: self.project_id },
            external_id: self.external_id,
            title: self.title,
            metadata: self.metadata,
        })
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionPatch {
    /// Its name for people; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "Broken lamp", min_length = 1, max_length = 200)]
    #[validate(custom(function = "a_patched_title"))]
    pub title: Patch<String>,
    /// Takes the place of all metadata that there is.
    #[serde(default)]
    #[schema(value_type = Option<Object>, nullable = false)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Option<Map<String, Value>>,
}

impl SessionPatch {
    pub fn into_change(self) -> SessionChange {
        SessionChange { title: self.title, metadata: self.metadata }
    }
}

/// A new conversation that goes on from an earlier turn.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionFork {
    /// How many turns it keeps; all of them when absent.
    #[schema(example = 4, minimum = 0)]
    #[validate(range(min = 0))]
    pub at: Option<i64>,
    /// Its name for people; that of the other session when absent.
    #[schema(min_length = 1, max_length = 200)]
    #[validate(custom(function = "a_title"))]
    pub title: Option<String>,
}

/// Which sessions are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
    /// Only those of this user; `me` is you.
    #[validate(custom(function = "a_label"))]
    #[param(max_length = 128)]
    pub user: Option<String>,
    /// Only those of this agent.
    #[validate(custom(function = "a_label"))]
    #[param(max_length = 128)]
    pub agent: Option<String>,
    /// Only those about this project.
    pub project_id: Option<Uuid>,
    /// Only the one that the client calls so.
    #[validate(custom(function = "an_external_id"))]
    #[param(max_length = 255)]
    pub external_id: Option<String>,
}

impl SessionQuery {
    pub fn into_parts(self, allowed: &Allowed<Read>) -> Result<(Page, Wanted), Error> {
        let subject = named(self.user.as_deref(), allowed)?;
        let wanted = Wanted { subject, agent: self.agent, project: self.project_id, external_id: self.external_id };
        Ok((Page::new(self.limit, self.cursor), wanted))
    }
}

pub(super) fn an_external_id(id: &str) -> Result<(), ValidationError> {
    let fine = (1..=255).contains(&id.chars().count()) && !id.chars().any(char::is_control);
    super::check(fine, "length", "Give it 1 to 255 characters, none of them a control character.")
}

fn a_patched_title(patch: &Patch<String>) -> Result<(), ValidationError> {
    patch.as_value().map_or(Ok(()), |text| a_title(text))
}
