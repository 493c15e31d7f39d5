//! Collections on the wire.

use chrono::{DateTime, Utc};
use kit::http::{Limit, Page, Patch};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{a_label, a_patched_label, a_title, check, named, owner, some_metadata};
use crate::{
    app::update_collection::CollectionChange,
    domain::{
        access::{Allowed, Read, Refused, Write},
        collection::{Collection, NewCollection, Wanted},
    },
    error::Error,
};

const DESCRIPTION_CHARS: usize = 2_000;

/// Documents that belong together and are searched together.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectionView {
    /// The collection's id.
    pub id: Uuid,
    /// Whose it is: the id of a member, or a name that an application gives its users; `null` is shared by the organization.
    /// It is that of all of its documents.
    #[schema(example = "customer-7")]
    pub user: Option<String>,
    /// Its name, unique for its user.
    #[schema(example = "Handbooks")]
    pub name: String,
    /// What is in it, for people.
    #[schema(example = "How our machines are looked after")]
    pub description: Option<String>,
    /// Anything that the client wants to keep with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// Grows by one with each change; also the `ETag`. Documents that come and go do not change it.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Collection> for CollectionView {
    fn from(collection: Collection) -> Self {
        Self {
            id: collection.id.uuid(),
            user: collection.subject,
            name: collection.name,
            description: collection.description,
            metadata: collection.metadata,
            version: collection.version,
            created_at: collection.created_at,
            updated_at: collection.updated_at,
        }
    }
}

/// A new collection.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionCreate {
    /// Whose it is, for good; yours when absent, the organization's when `null`. `me` is you.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "me", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_patched_label"))]
    pub user: Patch<String>,
    /// Its name, unique for its user: 1 to 200 characters.
    #[schema(example = "Handbooks", min_length = 1, max_length = 200)]
    #[validate(custom(function = "a_title"))]
    pub name: String,
    /// What is in it, for people: 1 to 2000 characters.
    #[schema(example = "How our machines are looked after", min_length = 1, max_length = 2000)]
    #[validate(custom(function = "a_description"))]
    pub description: Option<String>,
    /// Up to 32 fields and 8 KiB.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Map<String, Value>,
}

impl CollectionCreate {
    pub fn into_new(self, allowed: &Allowed<Write>) -> Result<NewCollection, Refused> {
        Ok(NewCollection {
            subject: owner(self.user, allowed)?,
            name: self.name,
            description: self.description,
            metadata: self.metadata,
        })
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionPatch {
    /// Its name, unique for its user: 1 to 200 characters.
    #[schema(nullable = false, example = "Handbooks", min_length = 1, max_length = 200)]
    #[validate(custom(function = "a_title"))]
    pub name: Option<String>,
    /// What is in it, for people; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    #[validate(custom(function = "a_patched_description"))]
    pub description: Patch<String>,
    /// Takes the place of all metadata that there is.
    #[serde(default)]
    #[schema(value_type = Option<Object>, nullable = false)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Option<Map<String, Value>>,
}

impl CollectionPatch {
    pub fn into_change(self) -> CollectionChange {
        CollectionChange { name: self.name, description: self.description, metadata: self.metadata }
    }
}

/// Which collections are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CollectionQuery {
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
    /// Only those of this name.
    #[validate(custom(function = "a_title"))]
    #[param(max_length = 200)]
    pub name: Option<String>,
}

impl CollectionQuery {
    pub fn into_parts(self, allowed: &Allowed<Read>) -> Result<(Page, Wanted), Error> {
        let wanted = Wanted { subject: named(self.user.as_deref(), allowed)?, name: self.name };
        Ok((Page::new(self.limit, self.cursor), wanted))
    }
}

fn a_description(text: &str) -> Result<(), ValidationError> {
    let fine = text.chars().count() <= DESCRIPTION_CHARS && !text.trim().is_empty();
    check(fine, "length", "Give it 1 to 2000 characters, at least one of them visible.")
}

fn a_patched_description(patch: &Patch<String>) -> Result<(), ValidationError> {
    patch.as_value().map_or(Ok(()), |text| a_description(text))
}
