//! What an export consists of and an import brings.

use std::collections::HashMap;

use contracts::{MemoryId, MemorySessionId, MessageId, OrgId};
use uuid::{Builder, Uuid};

use super::{memory::Memory, message::Message, session::Session};

/// Which part of everything is exported. All conditions hold at once.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub subject: Option<String>,
    pub agent: Option<String>,
    pub session: Option<MemorySessionId>,
    pub project: Option<Uuid>,
}

/// A session, a turn or a memory.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Session(Session),
    Message(Message),
    Memory(Memory),
}

impl Item {
    /// The id by which other items refer to it.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Session(session) => session.id.uuid(),
            Self::Message(message) => message.id.uuid(),
            Self::Memory(memory) => memory.id.uuid(),
        }
    }

    /// Gives it and everything that it refers to other ids, where there are some.
    pub fn rename(&mut self, names: &Names) {
        match self {
            Self::Session(session) => {
                session.id = MemorySessionId::from_uuid(names.of(session.id.uuid()));
                if let Some(fork) = &mut session.forked {
                    fork.from = MemorySessionId::from_uuid(names.of(fork.from.uuid()));
                }
            }
            Self::Message(message) => {
                message.id = MessageId::from_uuid(names.of(message.id.uuid()));
                message.session = MemorySessionId::from_uuid(names.of(message.session.uuid()));
                message.parent = message.parent.map(|id| MessageId::from_uuid(names.of(id.uuid())));
            }
            Self::Memory(memory) => {
                memory.id = MemoryId::from_uuid(names.of(memory.id.uuid()));
                memory.session = memory.session.map(|id| MemorySessionId::from_uuid(names.of(id.uuid())));
                memory.superseded_by = memory.superseded_by.map(|id| MemoryId::from_uuid(names.of(id.uuid())));
                for source in &mut memory.source_messages {
                    *source = MessageId::from_uuid(names.of(source.uuid()));
                }
            }
        }
    }
}

/// Other ids for those that belong to another organization already.
#[derive(Debug, Default)]
pub struct Names(pub HashMap<Uuid, Uuid>);

impl Names {
    fn of(&self, id: Uuid) -> Uuid {
        self.0.get(&id).copied().unwrap_or(id)
    }
}

/// The id that stands for `id` in an organization which cannot have that one. Always the same, so that an import can be
/// repeated.
pub fn other_id(org: OrgId, id: Uuid) -> Uuid {
    let mut hash = blake3::Hasher::new_derive_key("brainops 2026 memory import id");
    hash.update(org.uuid().as_bytes()).update(id.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Whether an import brings nothing that is not there. What is made of turns, such as a summary, and where a memory came
/// from are no differences.
pub trait SameAs {
    fn same_as(&self, other: &Self) -> bool;
}

impl SameAs for Session {
    fn same_as(&self, other: &Self) -> bool {
        self.id == other.id
            && self.org == other.org
            && self.belonging == other.belonging
            && self.external_id == other.external_id
            && self.title == other.title
            && self.metadata == other.metadata
    }
}

impl SameAs for Message {
    fn same_as(&self, other: &Self) -> bool {
        *self == Self { stored_at: self.stored_at, tokens: self.tokens, ..other.clone() }
    }
}

impl SameAs for Memory {
    fn same_as(&self, other: &Self) -> bool {
        let ours = Self {
            source: self.source,
            created_by: self.created_by,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            ..other.clone()
        };
        *self == ours
    }
}
