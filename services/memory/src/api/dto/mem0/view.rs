//! What mem0's clients are answered.

use chrono::{DateTime, NaiveDate, Utc};
use contracts::MemoryId;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Names, last_day};
use crate::{
    app::{add_memory::Remembered, page_memories::Page},
    domain::{
        extraction::{Extraction, Status},
        memory::{Change, Memory, Turn},
    },
};

/// That the address and the key are good.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Ping {
    /// `ok`
    #[schema(value_type = String, example = "ok")]
    pub status: &'static str,
    /// The organization of the key.
    pub org_id: Uuid,
    /// The same: nothing is narrower than that.
    pub project_id: Uuid,
}

/// Something that is remembered, in mem0's words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Memory {
    /// The memory's id.
    pub id: Uuid,
    /// What is remembered.
    #[schema(example = "Lives in Lisbon.")]
    pub memory: String,
    /// Whose it is; `null` is shared by the organization.
    pub user_id: Option<String>,
    /// The agent it belongs to.
    pub agent_id: Option<String>,
    /// The app it belongs to.
    pub app_id: Option<String>,
    /// The run it belongs to.
    pub run_id: Option<String>,
    /// The same for the same text.
    pub hash: String,
    /// Anything that the client wants to keep with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// Its tags.
    pub categories: Vec<String>,
    /// Since when it holds.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The last day on which it is remembered.
    pub expiration_date: Option<NaiveDate>,
    /// How well it answers, in what a search found; good answers have about 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

impl Mem0Memory {
    pub fn found((memory, score): (Memory, f64)) -> Self {
        Self { score: Some(score), ..Self::from(memory) }
    }
}

impl From<Memory> for Mem0Memory {
    fn from(memory: Memory) -> Self {
        let hash = hex::encode(memory.text_hash());
        let (names, categories) = Names::of(memory.belonging, memory.session, memory.tags);
        Self {
            id: memory.id.uuid(),
            memory: memory.text,
            user_id: names.user,
            agent_id: names.agent,
            app_id: names.app,
            run_id: names.run,
            hash,
            metadata: memory.metadata,
            categories,
            created_at: memory.valid_from,
            updated_at: memory.updated_at,
            expiration_date: memory.expires_at.map(last_day),
            score: None,
        }
    }
}

/// What became of messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Added {
    /// For people.
    #[schema(value_type = String)]
    pub message: &'static str,
    /// `SUCCEEDED`: it is done, there is nothing to wait for. `PENDING`: facts will be taken from the messages.
    #[schema(value_type = String, example = "SUCCEEDED")]
    pub status: &'static str,
    /// By which to ask about what is `PENDING`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// One for each message that was remembered.
    pub results: Vec<Mem0Event>,
}

/// What became of one message.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Event {
    /// The memory's id.
    pub id: Uuid,
    /// What is remembered.
    pub memory: String,
    /// `ADD`, or `NOOP` when the same was remembered already.
    #[schema(value_type = String, example = "ADD")]
    pub event: &'static str,
}

impl From<Vec<Remembered>> for Mem0Added {
    fn from(remembered: Vec<Remembered>) -> Self {
        let event = |one: Remembered| Mem0Event {
            id: one.memory.id.uuid(),
            memory: one.memory.text,
            event: if one.is_new { "ADD" } else { "NOOP" },
        };
        let results = remembered.into_iter().map(event).collect();
        Self { message: "The messages are remembered.", status: "SUCCEEDED", event_id: None, results }
    }
}

impl From<Extraction> for Mem0Added {
    fn from(extraction: Extraction) -> Self {
        Self {
            message: "Facts will be taken from the messages.",
            status: status(extraction.status),
            event_id: Some(extraction.id.uuid()),
            results: Vec::new(),
        }
    }
}

/// What became of messages from which facts are taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Done {
    /// The event's id.
    pub id: Uuid,
    /// `PENDING`, `SUCCEEDED` or `FAILED`.
    #[schema(value_type = String, example = "SUCCEEDED")]
    pub status: &'static str,
    /// What was remembered so far, or was already.
    pub results: Vec<Mem0Fact>,
    /// When the messages came.
    pub created_at: DateTime<Utc>,
    /// When something last became of them.
    pub updated_at: DateTime<Utc>,
}

/// A fact that was taken from messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Fact {
    /// The memory's id.
    pub id: Uuid,
}

impl From<Extraction> for Mem0Done {
    fn from(extraction: Extraction) -> Self {
        Self {
            id: extraction.id.uuid(),
            status: status(extraction.status),
            results: extraction.memories.into_iter().map(|id| Mem0Fact { id: id.uuid() }).collect(),
            created_at: extraction.created_at,
            updated_at: extraction.updated_at,
        }
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Waiting => "PENDING",
        Status::Done => "SUCCEEDED",
        Status::Failed => "FAILED",
    }
}

/// What a search found, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Found {
    /// The memories.
    pub results: Vec<Mem0Memory>,
}

/// A page of memories.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Page {
    /// How many there are on all pages.
    #[schema(example = 42)]
    pub count: i64,
    /// The path of the next page.
    pub next: Option<String>,
    /// The path of the page before.
    pub previous: Option<String>,
    /// The newest first.
    pub results: Vec<Mem0Memory>,
}

impl Mem0Page {
    /// `path` is that of the list; pages count from 1.
    pub fn new(page: Page, path: &str, number: u32, size: u32) -> Self {
        let to = |number: u32| format!("{path}?page={number}&page_size={size}");
        let is_last = page.total <= i64::from(number) * i64::from(size);
        Self {
            count: page.total,
            next: (!is_last).then(|| to(number + 1)),
            previous: (number > 1).then(|| to(number - 1)),
            results: page.memories.into_iter().map(Mem0Memory::from).collect(),
        }
    }
}

/// That something is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Message {
    /// For people.
    #[schema(value_type = String)]
    pub message: &'static str,
}

/// One turn of a memory's history, in mem0's words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mem0Turn {
    /// Of the turn.
    #[schema(example = "01890a5d-ac99-7000-8000-0000000000ff:2")]
    pub id: String,
    /// Of the memory.
    pub memory_id: Uuid,
    /// Whose it is.
    pub user_id: Option<String>,
    /// What was remembered before.
    pub old_memory: Option<String>,
    /// What is remembered since; of a memory that was superseded, by the one that holds instead.
    pub new_memory: Option<String>,
    /// `ADD`, `UPDATE` or `DELETE`.
    #[schema(value_type = String, example = "UPDATE")]
    pub event: &'static str,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The same: a turn does not change.
    pub updated_at: DateTime<Utc>,
}

impl Mem0Turn {
    pub fn new(memory: MemoryId, user: Option<String>, turn: Turn) -> Self {
        Self {
            id: format!("{memory}:{}", turn.version),
            memory_id: memory.uuid(),
            user_id: user,
            old_memory: turn.old_text,
            new_memory: turn.new_text,
            event: match turn.change {
                Change::Added => "ADD",
                Change::Updated | Change::Superseded => "UPDATE",
                Change::Forgotten => "DELETE",
            },
            created_at: turn.at,
            updated_at: turn.at,
        }
    }
}
