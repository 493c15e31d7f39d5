//! The `brainops` object: the one extension of the vendors' bodies that is ours. Since it is ours, what it does not know
//! is a mistake and not something to pass on.

use serde_json::Value;

use super::{Fields, Path, fields::invalid};
use crate::{
    domain::chat::{BrainOps, CacheMode},
    error::{MISSING_REQUIRED_PARAMETER, UNKNOWN_PARAMETER},
    protocol::ApiError,
};

/// Memories that one call may recall.
pub const MOST_MEMORIES: u32 = 50;

/// Bytes of a session's id, as memory takes them.
pub const LONGEST_SESSION_ID: usize = 255;
/// Bytes of an application's name for one of its users, as memory takes them.
pub const LONGEST_USER: usize = 128;

/// Takes `brainops` out of a body.
pub fn take(body: &mut Fields<'_>) -> Result<BrainOps, ApiError> {
    let Some(value) = body.take("brainops") else { return Ok(BrainOps::default()) };
    let here = body.at("brainops");
    let mut fields = Fields::new(value, &here)?;
    let read = BrainOps {
        session_id: fields.string("session_id", LONGEST_SESSION_ID)?,
        user: fields.string("user", LONGEST_USER)?,
        recall: recall(&mut fields)?,
        remember: fields.flag("remember")?,
        cache: cache(&mut fields)?,
    };
    for (name, value) in [("session_id", &read.session_id), ("user", &read.user)] {
        if value.as_deref() == Some("") {
            return Err(invalid(&here.field(name), "must not be empty."));
        }
    }
    no_others(fields)?;
    Ok(read)
}

/// What is to be remembered needs a conversation to be remembered in. Asked when body and headers are read.
pub fn check(read: &BrainOps) -> Result<(), ApiError> {
    if read.remember == Some(true) && read.session_id.is_none() {
        let message = "brainops.session_id is needed to remember a turn.";
        return Err(ApiError::invalid(MISSING_REQUIRED_PARAMETER.code, "brainops.session_id", message));
    }
    Ok(())
}

/// `{"top_k": 8}`, `true` for as many as usual, or `false`.
fn recall(brainops: &mut Fields<'_>) -> Result<Option<u32>, ApiError> {
    match brainops.take("recall") {
        None => Ok(None),
        Some(Value::Bool(wanted)) => Ok(Some(if wanted { BrainOps::USUAL_MEMORIES } else { 0 })),
        Some(value) => {
            let here = brainops.at("recall");
            let mut fields = Fields::new(value, &here)?;
            let top_k = fields.integer("top_k", 1..=MOST_MEMORIES.into())?.unwrap_or(BrainOps::USUAL_MEMORIES);
            no_others(fields)?;
            Ok(Some(top_k))
        }
    }
}

/// `{"mode": "use"}` or `{"mode": "off"}`.
fn cache(brainops: &mut Fields<'_>) -> Result<Option<CacheMode>, ApiError> {
    let Some(value) = brainops.take("cache") else { return Ok(None) };
    let here = brainops.at("cache");
    let mut fields = Fields::new(value, &here)?;
    let mode = fields.word("mode", &["use", "off"])?;
    no_others(fields)?;
    Ok(mode.map(|mode| if mode == "use" { CacheMode::Use } else { CacheMode::Off }))
}

fn no_others(fields: Fields<'_>) -> Result<(), ApiError> {
    let here = fields.here();
    match fields.rest().keys().next() {
        None => Ok(()),
        Some(name) => Err(unknown(&here.field(name))),
    }
}

fn unknown(at: &Path<'_>) -> ApiError {
    ApiError::invalid(UNKNOWN_PARAMETER.code, at.to_string(), format!("{at} is not known."))
}
