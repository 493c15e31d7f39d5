//! A collection: documents that belong together and are searched together.

use chrono::{DateTime, Utc};
use contracts::{
    CollectionId, OrgId, UserId,
    memory::v1::{CollectionCreated, MemoryForgotten},
};
use serde_json::{Map, Value};

/// Most collections of one organization.
pub const MOST: i64 = 1_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    pub id: CollectionId,
    pub org: OrgId,
    /// The id of a member, or a name that an application gives its users; `None` is shared by the organization. It is that
    /// of all documents and never changes.
    pub subject: Option<String>,
    /// Unique for the subject.
    pub name: String,
    pub description: Option<String>,
    pub metadata: Map<String, Value>,
    pub created_by: UserId,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a collection is made with.
#[derive(Debug, Clone)]
pub struct NewCollection {
    pub subject: Option<String>,
    pub name: String,
    pub description: Option<String>,
    pub metadata: Map<String, Value>,
}

impl Collection {
    /// The fact that it was forgotten, with so many chunks.
    pub fn forgotten(&self, chunks: usize, now: DateTime<Utc>) -> MemoryForgotten {
        MemoryForgotten {
            memory_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            kind: "collection".to_owned(),
            entries: i64::try_from(chunks).unwrap_or(i64::MAX),
            forgotten_at: Some(now.into()),
        }
    }

    /// A new collection and the fact that it was made.
    pub fn create(
        id: CollectionId,
        org: OrgId,
        new: NewCollection,
        by: UserId,
        now: DateTime<Utc>,
    ) -> (Self, CollectionCreated) {
        let collection = Self {
            id,
            org,
            subject: new.subject,
            name: new.name,
            description: new.description,
            metadata: new.metadata,
            created_by: by,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let event = CollectionCreated {
            collection_id: id.to_string(),
            organization_id: org.to_string(),
            subject: collection.subject.clone(),
            created_at: Some(now.into()),
        };
        (collection, event)
    }
}

/// Which collections are listed. All conditions hold at once.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub subject: Option<String>,
    pub name: Option<String>,
}
