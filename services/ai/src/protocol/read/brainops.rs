//! The `brainops` object: the one extension of the vendors' bodies that is ours. Since it is ours, what it does not know
//! is a mistake and not something to pass on.

use serde_json::Value;

use super::{Fields, Path, fields::invalid, limits};
use crate::{
    domain::chat::{BrainOps, CacheMode, Recall},
    error::UNKNOWN_PARAMETER,
    protocol::ApiError,
};

/// Memories that one call may recall.
const MOST_MEMORIES: i64 = 50;
const DEFAULT_MEMORIES: u32 = 8;

/// Takes `brainops` out of a body.
pub fn take(body: &mut Fields<'_>) -> Result<BrainOps, ApiError> {
    let Some(value) = body.take("brainops") else { return Ok(BrainOps::default()) };
    let here = body.at("brainops");
    let mut fields = Fields::new(value, &here)?;
    let read = BrainOps {
        session_id: fields.string("session_id", limits::NAME_BYTES)?,
        recall: recall(&mut fields)?,
        remember: fields.flag("remember")?.unwrap_or(false),
        cache: cache(&mut fields)?,
    };
    if read.session_id.as_deref() == Some("") {
        return Err(invalid(&here.field("session_id"), "must not be empty."));
    }
    no_others(fields)?;
    Ok(read)
}

/// `{"top_k": 8}`, or `true` for the default.
fn recall(brainops: &mut Fields<'_>) -> Result<Option<Recall>, ApiError> {
    match brainops.take("recall") {
        None | Some(Value::Bool(false)) => Ok(None),
        Some(Value::Bool(true)) => Ok(Some(Recall { top_k: DEFAULT_MEMORIES })),
        Some(value) => {
            let here = brainops.at("recall");
            let mut fields = Fields::new(value, &here)?;
            let top_k = fields.integer("top_k", 1..=MOST_MEMORIES)?.unwrap_or(DEFAULT_MEMORIES);
            no_others(fields)?;
            Ok(Some(Recall { top_k }))
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
