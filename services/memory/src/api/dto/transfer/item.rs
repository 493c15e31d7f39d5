//! From a line to what it stands for, and back.

use chrono::{DateTime, SubsecRound as _, Utc};
use contracts::{CompletionId, MemoryId, MemorySessionId, MessageId};
use kit::http::Patch;

use super::line::{MemoryLine, MessageLine, SessionLine, TransferLine};
use crate::{
    api::dto::owner,
    app::import::Refusal,
    domain::{
        access::{Allowed, Refused, Write},
        memory::{Memory, Source},
        message::Message,
        session::{Belonging, Fork, Session, Summary},
        tokens,
        transfer::Item,
    },
};

impl TransferLine {
    pub(super) fn into_item(
        self,
        allowed: &Allowed<Write>,
        subject: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Item, Refusal> {
        let whose = |user: Patch<String>| match subject {
            Some(subject) => Ok(Some(subject.to_owned())),
            None => {
                owner(user, allowed).map_err(|_: Refused| Refusal::new("not_yours", "It belongs to somebody else."))
            }
        };
        Ok(match self {
            Self::Session(mut line) => {
                let subject = whose(std::mem::take(&mut line.user))?;
                Item::Session(line.into_session(allowed, subject, now))
            }
            Self::Message(line) => Item::Message(line.into_message(allowed, now)),
            Self::Memory(mut line) => {
                let subject = whose(std::mem::take(&mut line.user))?;
                Item::Memory(line.into_memory(allowed, subject, now))
            }
        })
    }
}

/// As precise as the database.
fn stored(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

/// When something was made, which is not in the future.
fn made(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
    stored(at.unwrap_or(now).min(now))
}

impl SessionLine {
    fn into_session(self, allowed: &Allowed<Write>, subject: Option<String>, now: DateTime<Utc>) -> Session {
        let covers = self.summarized_to.unwrap_or_default();
        let forked = self.forked_from.zip(self.forked_at);
        Session {
            id: MemorySessionId::from_uuid(self.id),
            org: allowed.org,
            belonging: Belonging { subject, agent: self.agent, project: self.project_id },
            external_id: self.external_id,
            title: self.title,
            metadata: self.metadata,
            summary: self.summary.map(|text| Summary { text, covers }),
            forked: forked.map(|(from, at)| Fork { from: MemorySessionId::from_uuid(from), at }),
            next_position: self.forked_at.unwrap_or_default(),
            last: None,
            created_by: allowed.user,
            version: 1,
            created_at: made(self.created_at, now),
            updated_at: now,
        }
    }
}

impl MessageLine {
    fn into_message(self, allowed: &Allowed<Write>, now: DateTime<Utc>) -> Message {
        Message {
            id: MessageId::from_uuid(self.id),
            org: allowed.org,
            session: MemorySessionId::from_uuid(self.session_id),
            position: self.position,
            role: self.role,
            author: self.author,
            tokens: i32::try_from(tokens::estimate(&self.content)).unwrap_or(i32::MAX),
            content: self.content,
            tool_calls: self.tool_calls,
            tool_call_id: self.tool_call_id,
            parent: self.parent_id.map(MessageId::from_uuid),
            completion: self.completion_id.map(CompletionId::from_uuid),
            metadata: self.metadata,
            occurred_at: stored(self.occurred_at.unwrap_or(now)),
            stored_at: now,
        }
    }
}

impl MemoryLine {
    fn into_memory(self, allowed: &Allowed<Write>, subject: Option<String>, now: DateTime<Utc>) -> Memory {
        let created_at = made(self.created_at, now);
        let valid_from = self.valid_from.or(self.valid_to.filter(|to| *to < created_at)).unwrap_or(created_at);
        Memory {
            id: MemoryId::from_uuid(self.id),
            org: allowed.org,
            belonging: Belonging { subject, agent: self.agent, project: self.project_id },
            session: self.session_id.map(MemorySessionId::from_uuid),
            text: self.text.trim().to_owned(),
            source: Source::Imported,
            source_messages: self.source_message_ids.into_iter().map(MessageId::from_uuid).collect(),
            confidence: self.confidence.unwrap_or(1.0),
            valid_from: stored(valid_from),
            valid_to: self.valid_to.map(stored),
            superseded_by: self.superseded_by.map(MemoryId::from_uuid),
            expires_at: self.expires_at.map(stored),
            pinned: self.pinned,
            tags: self.tags,
            metadata: self.metadata,
            created_by: allowed.user,
            version: 1,
            created_at,
            updated_at: now,
        }
    }
}

impl From<Item> for TransferLine {
    fn from(item: Item) -> Self {
        match item {
            Item::Session(session) => Self::Session(session.into()),
            Item::Message(message) => Self::Message(message.into()),
            Item::Memory(memory) => Self::Memory(memory.into()),
        }
    }
}

fn user(subject: Option<String>) -> Patch<String> {
    subject.map_or(Patch::Null, Patch::Value)
}

impl From<Session> for SessionLine {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.uuid(),
            user: user(session.belonging.subject),
            agent: session.belonging.agent,
            project_id: session.belonging.project,
            external_id: session.external_id,
            title: session.title,
            metadata: session.metadata,
            summarized_to: session.summary.as_ref().map(|summary| summary.covers),
            summary: session.summary.map(|summary| summary.text),
            forked_from: session.forked.map(|fork| fork.from.uuid()),
            forked_at: session.forked.map(|fork| fork.at),
            created_at: Some(session.created_at),
        }
    }
}

impl From<Message> for MessageLine {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.uuid(),
            session_id: message.session.uuid(),
            position: message.position,
            role: message.role,
            author: message.author,
            content: message.content,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            parent_id: message.parent.map(MessageId::uuid),
            completion_id: message.completion.map(CompletionId::uuid),
            metadata: message.metadata,
            occurred_at: Some(message.occurred_at),
        }
    }
}

impl From<Memory> for MemoryLine {
    fn from(memory: Memory) -> Self {
        Self {
            id: memory.id.uuid(),
            user: user(memory.belonging.subject),
            agent: memory.belonging.agent,
            session_id: memory.session.map(MemorySessionId::uuid),
            project_id: memory.belonging.project,
            text: memory.text,
            source: memory.source,
            source_message_ids: memory.source_messages.into_iter().map(MessageId::uuid).collect(),
            confidence: Some(memory.confidence),
            valid_from: Some(memory.valid_from),
            valid_to: memory.valid_to,
            superseded_by: memory.superseded_by.map(MemoryId::uuid),
            expires_at: memory.expires_at,
            pinned: memory.pinned,
            tags: memory.tags,
            metadata: memory.metadata,
            created_at: Some(memory.created_at),
        }
    }
}
