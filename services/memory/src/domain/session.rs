//! A conversation.

use chrono::{DateTime, Utc};
use contracts::{
    MemorySessionId, OrgId, UserId,
    memory::v1::{MemoryForgotten, SessionStarted},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Where something belongs: all of it must match for a search that names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Belonging {
    /// The id of a member, or a name that an application gives its users; `None` is shared by the organization.
    pub subject: Option<String>,
    pub agent: Option<String>,
    pub project: Option<Uuid>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub id: MemorySessionId,
    pub org: OrgId,
    pub belonging: Belonging,
    /// What a client calls it; unique for the subject.
    pub external_id: Option<String>,
    pub title: Option<String>,
    pub metadata: Map<String, Value>,
    pub summary: Option<Summary>,
    pub forked: Option<Fork>,
    /// Where the next turn goes: the number of turns, those before the fork included.
    pub next_position: i64,
    pub last: Option<LastTurn>,
    pub created_by: UserId,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What the turns before `covers` were about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub text: String,
    pub covers: i64,
}

/// Where a session branched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    pub from: MemorySessionId,
    /// The first position that is the fork's own.
    pub at: i64,
}

/// What the next turn may be an answer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTurn {
    pub speaker: String,
    /// The sentences that were questions; may be empty.
    pub asked: String,
    pub at: DateTime<Utc>,
}

/// What a session is begun with.
#[derive(Debug, Clone, Default)]
pub struct NewSession {
    pub belonging: Belonging,
    pub external_id: Option<String>,
    pub title: Option<String>,
    pub metadata: Map<String, Value>,
}

impl Session {
    /// A new session and the fact that it began.
    pub fn start(
        id: MemorySessionId,
        org: OrgId,
        new: NewSession,
        by: UserId,
        now: DateTime<Utc>,
    ) -> (Self, SessionStarted) {
        let session = Self {
            id,
            org,
            belonging: new.belonging,
            external_id: new.external_id,
            title: new.title,
            metadata: new.metadata,
            summary: None,
            forked: None,
            next_position: 0,
            last: None,
            created_by: by,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let event = session.started();
        (session, event)
    }

    /// A session that goes on from the first `at` turns of this one, and the fact that it began.
    pub fn fork(
        &self,
        id: MemorySessionId,
        at: i64,
        title: Option<String>,
        by: UserId,
        now: DateTime<Utc>,
    ) -> (Self, SessionStarted) {
        let new = NewSession {
            belonging: self.belonging.clone(),
            external_id: None,
            title: title.or_else(|| self.title.clone()),
            metadata: self.metadata.clone(),
        };
        let (mut session, _) = Self::start(id, self.org, new, by, now);
        session.forked = Some(Fork { from: self.id, at });
        session.next_position = at;
        session.summary = self.summary.clone().filter(|summary| summary.covers <= at);
        let event = session.started();
        (session, event)
    }

    /// With a summary.
    #[must_use]
    pub fn summarized(mut self, summary: Summary, now: DateTime<Utc>) -> Self {
        self.summary = Some(summary);
        self.version += 1;
        self.updated_at = now;
        self
    }

    /// Without some of its turns; `last` is what was said last in those that are left. What was made of all of them goes too.
    pub fn forget_turns(mut self, count: usize, last: Option<LastTurn>, now: DateTime<Utc>) -> (Self, MemoryForgotten) {
        self.summary = None;
        self.last = last;
        self.version += 1;
        self.updated_at = now;
        let event = self.forgotten(count, now);
        (self, event)
    }

    /// The fact that it is gone, or some of its turns.
    pub fn forgotten(&self, turns: usize, now: DateTime<Utc>) -> MemoryForgotten {
        MemoryForgotten {
            memory_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            kind: "session".to_owned(),
            entries: i64::try_from(turns).unwrap_or(i64::MAX),
            forgotten_at: Some(now.into()),
        }
    }

    /// The fact that it began.
    pub fn started(&self) -> SessionStarted {
        SessionStarted {
            session_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            subject: self.belonging.subject.clone(),
            agent: self.belonging.agent.clone(),
            project_id: self.belonging.project.map(|id| id.to_string()),
            forked_from_session_id: self.forked.map(|fork| fork.from.to_string()),
            started_at: Some(self.created_at.into()),
        }
    }
}

/// Which sessions are listed. All conditions hold at once.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub subject: Option<String>,
    pub agent: Option<String>,
    pub project: Option<Uuid>,
    pub external_id: Option<String>,
}
