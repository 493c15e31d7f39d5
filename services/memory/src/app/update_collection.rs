//! Somebody gives a collection another name, description or other metadata.

use chrono::{DateTime, Utc};
use contracts::CollectionId;
use kit::{ExpectedVersion, http::Patch};
use serde_json::{Map, Value};

use super::get_collection::locked;
use crate::{
    domain::{
        access::{Allowed, Write},
        collection::Collection,
    },
    error::Error,
    state::AppState,
    store::collections,
};

/// What is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct CollectionChange {
    pub name: Option<String>,
    pub description: Patch<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// Only at version `expected`, if one is given.
pub async fn update_collection(
    state: &AppState,
    allowed: &Allowed<Write>,
    id: CollectionId,
    change: CollectionChange,
    expected: ExpectedVersion,
    now: DateTime<Utc>,
) -> Result<Collection, Error> {
    let allowed = *allowed;
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let mut collection = locked(conn, &allowed, id)?;
            expected.check(collection.version)?;
            collection.name = change.name.unwrap_or(collection.name);
            collection.description = change.description.apply_to(collection.description);
            collection.metadata = change.metadata.unwrap_or(collection.metadata);
            collection.version += 1;
            collection.updated_at = now;
            collections::update(conn, &collection)?;
            Ok(collection)
        })
        .await
}
