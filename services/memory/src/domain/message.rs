//! One turn of a conversation. Turns are added and forgotten, never changed.

use chrono::{DateTime, Utc};
use contracts::{CompletionId, MemorySessionId, MessageId, OrgId, memory::v1::MessageStored};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    entry::{Attributes, Entry, EntryId, Kind, labels},
    recalled,
    session::{LastTurn, Session},
};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::System, Self::User, Self::Assistant, Self::Tool];

    /// The word in columns and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// Whether its turns can be found: what people and models say to each other, not instructions and the output of tools.
    pub const fn is_talk(self) -> bool {
        matches!(self, Self::User | Self::Assistant)
    }
}

/// A turn to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMessage {
    pub role: Role,
    /// The name of who speaks, when the role does not say it all.
    pub author: Option<String>,
    pub content: String,
    /// As the chat protocol has them: a list of calls.
    pub tool_calls: Option<Value>,
    /// The call that a tool's turn answers.
    pub tool_call_id: Option<String>,
    pub parent: Option<MessageId>,
    pub completion: Option<CompletionId>,
    pub metadata: Map<String, Value>,
    /// When it was said, if that was not just now.
    pub occurred_at: Option<DateTime<Utc>>,
}

/// A stored turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub id: MessageId,
    pub org: OrgId,
    pub session: MemorySessionId,
    /// From 0.
    pub position: i64,
    pub role: Role,
    pub author: Option<String>,
    pub content: String,
    pub tool_calls: Option<Value>,
    pub tool_call_id: Option<String>,
    pub parent: Option<MessageId>,
    pub completion: Option<CompletionId>,
    /// About how many tokens the content has.
    pub tokens: i32,
    pub metadata: Map<String, Value>,
    pub occurred_at: DateTime<Utc>,
    pub stored_at: DateTime<Utc>,
}

/// A turn that was added, and what follows from it.
pub struct Added {
    pub message: Message,
    /// How it is found; `None` for what is not talk or says nothing.
    pub entry: Option<Entry>,
    pub event: MessageStored,
}

impl Session {
    /// Adds a turn at the end. `asked` gives the sentences of a text that are questions, `tokens` its length.
    pub fn append(
        &mut self,
        id: MessageId,
        new: NewMessage,
        now: DateTime<Utc>,
        asked: fn(&str) -> String,
        tokens: fn(&str) -> usize,
    ) -> Added {
        let message = Message {
            id,
            org: self.org,
            session: self.id,
            position: self.next_position,
            role: new.role,
            author: new.author,
            tokens: i32::try_from(tokens(&new.content)).unwrap_or(i32::MAX),
            content: new.content,
            tool_calls: new.tool_calls,
            tool_call_id: new.tool_call_id,
            parent: new.parent,
            completion: new.completion,
            metadata: new.metadata,
            occurred_at: new.occurred_at.unwrap_or(now),
            stored_at: now,
        };
        let entry = message.entry(self);
        self.next_position += 1;
        self.version += 1;
        self.updated_at = now;
        // Instructions, calls of tools and their output do not come between a question and its answer.
        if entry.is_some() {
            self.last = Some(message.as_last(asked));
        }
        let event = message.stored();
        Added { message, entry, event }
    }
}

impl Message {
    /// Who said it, for telling a question from its answer.
    pub fn speaker(&self) -> String {
        self.author.clone().unwrap_or_else(|| self.role.as_str().to_owned())
    }

    /// What it says of itself; see [`recalled`].
    pub fn said(&self) -> Option<String> {
        recalled::said(self.role, &self.metadata, &self.content)
    }

    /// What a turn after it may answer.
    pub fn as_last(&self, asked: fn(&str) -> String) -> LastTurn {
        LastTurn { speaker: self.speaker(), asked: asked(&self.content), at: self.stored_at }
    }

    /// The fact that it is stored.
    pub fn stored(&self) -> MessageStored {
        MessageStored {
            message_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            session_id: self.session.to_string(),
            position: self.position,
            role: self.role.as_str().to_owned(),
            stored_at: Some(self.stored_at.into()),
        }
    }

    /// How it is found after what was said last in the session; `None` for what is not talk or says nothing.
    pub fn entry(&self, session: &Session) -> Option<Entry> {
        if !self.role.is_talk() || self.content.trim().is_empty() {
            return None;
        }
        let question = session.last.as_ref().filter(|last| last.speaker != self.speaker());
        Some(Entry {
            id: EntryId(self.id.uuid()),
            attributes: Attributes {
                org: self.org,
                kind: Kind::Message,
                subject: session.belonging.subject.clone(),
                agent: session.belonging.agent.clone(),
                session: Some(self.session.uuid()),
                project: session.belonging.project,
                collection: None,
                document: None,
                labels: labels(&[], &self.metadata),
                occurred_at: self.occurred_at,
                // A turn was said once and for all: it is found whatever moment is asked about.
                valid_from: DateTime::UNIX_EPOCH,
                valid_to: None,
                expires_at: None,
            },
            author: self.author.clone(),
            position: self.position,
            pinned: false,
            text: self.content.clone(),
            reply_to: question.map(|last| last.asked.clone()).unwrap_or_default(),
        })
    }
}
