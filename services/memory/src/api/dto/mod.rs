//! What goes over the wire. Requests get their form here and their rules in `domain`.

pub mod collections;
pub mod context;
pub mod documents;
pub mod forget;
pub mod mem0;
pub mod memories;
pub mod messages;
pub mod remember;
pub mod search;
pub mod sessions;
pub mod summaries;
pub mod transfer;

use kit::http::Patch;
use serde_json::{Map, Value};
use validator::ValidationError;

use crate::{
    domain::access::{Allowed, Refused},
    error::Error,
};

/// Characters of a user, an agent, a tag.
const LABEL_CHARS: usize = 128;
const TAGS: usize = 32;
const METADATA_BYTES: usize = 8 * 1024;
const METADATA_FIELDS: usize = 32;

/// Whose something new is: the caller's when it was not said, the organization's when it was said to be `null`.
fn owner<A>(user: Patch<String>, allowed: &Allowed<A>) -> Result<Option<String>, Refused> {
    match user {
        Patch::Absent => Ok(Some(allowed.user.to_string())),
        Patch::Null => Ok(None),
        Patch::Value(named) => allowed.subject(&named).map(Some),
    }
}

/// The subject that a search or a list names.
fn named<A>(user: Option<&str>, allowed: &Allowed<A>) -> Result<Option<String>, Error> {
    Ok(user.map(|user| allowed.subject(user)).transpose()?)
}

fn check(fine: bool, code: &'static str, message: &'static str) -> Result<(), ValidationError> {
    if fine { Ok(()) } else { Err(ValidationError::new(code).with_message(message.into())) }
}

fn a_label(text: &str) -> Result<(), ValidationError> {
    let fine =
        (1..=LABEL_CHARS).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control);
    check(fine, "label", "Give it 1 to 128 characters, none of them a control character, with no space at the ends.")
}

fn a_patched_label(patch: &Patch<String>) -> Result<(), ValidationError> {
    patch.as_value().map_or(Ok(()), |text| a_label(text))
}

fn some_tags(tags: &[String]) -> Result<(), ValidationError> {
    check(tags.len() <= TAGS, "length", "Give it at most 32 tags.")?;
    tags.iter().try_for_each(|tag| a_label(tag))
}

fn some_metadata(metadata: &Map<String, Value>) -> Result<(), ValidationError> {
    check(metadata.len() <= METADATA_FIELDS, "length", "Give it at most 32 fields.")?;
    let bytes = serde_json::to_vec(metadata).map_or(usize::MAX, |bytes| bytes.len());
    check(bytes <= METADATA_BYTES, "length", "Give it at most 8 KiB.")
}

fn a_title(text: &str) -> Result<(), ValidationError> {
    let fine =
        (1..=200).contains(&text.chars().count()) && !text.trim().is_empty() && !text.chars().any(char::is_control);
    check(fine, "length", "Give it 1 to 200 characters, at least one of them visible.")
}
