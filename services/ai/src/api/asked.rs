//! What a call of a model brings along.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use kit::Secret;
use serde::Deserialize;
use serde_json::Value;
use validator::{Validate, ValidationErrors};

use crate::{
    domain::chat::{BrainOps, CacheMode},
    error::INVALID_VALUE,
    protocol::{ApiError, LONGEST_SESSION_ID, LONGEST_USER, MOST_MEMORIES},
};

/// A body whose shape is the protocol's matter. Bounded, of sound text, no deeper than any body may be.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct AnyJson(pub Value);

impl Validate for AnyJson {
    fn validate(&self) -> Result<(), ValidationErrors> {
        Ok(())
    }
}

const SESSION_ID: &str = "x-brainops-session-id";
const USER: &str = "x-brainops-user";
const RECALL: &str = "x-brainops-recall";
const REMEMBER: &str = "x-brainops-remember";
const CACHE: &str = "x-brainops-cache";

/// Adds what headers ask of us, for programs whose library leaves no way into the body. The body's word comes first.
pub fn from_headers(headers: &HeaderMap, brainops: &mut BrainOps) -> Result<(), ApiError> {
    let BrainOps { session_id, user, recall, remember, cache } = brainops;
    or(session_id, headers, SESSION_ID, "must have 1 to 255 visible ASCII characters", |id| {
        name(id, LONGEST_SESSION_ID)
    })?;
    or(user, headers, USER, "must have 1 to 128 visible ASCII characters", |user| name(user, LONGEST_USER))?;
    or(recall, headers, RECALL, "must be true, false or a number from 1 to 50", |wanted| match flag(wanted) {
        Some(true) => Some(BrainOps::USUAL_MEMORIES),
        Some(false) => Some(0),
        None => wanted.parse().ok().filter(|memories| (1..=MOST_MEMORIES).contains(memories)),
    })?;
    or(remember, headers, REMEMBER, "must be true or false", flag)?;
    or(cache, headers, CACHE, "must be use or off", |mode| match mode {
        "use" => Some(CacheMode::Use),
        "off" => Some(CacheMode::Off),
        _ => None,
    })
}

/// The token with which the call came, for asking others in the caller's name. The call would not be here without one.
pub fn token(headers: &HeaderMap) -> Secret<String> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Secret::new(value.split_once(' ').map_or("", |(_, token)| token.trim()).to_owned())
}

/// What the header says, where the body says nothing.
fn or<T>(
    said: &mut Option<T>,
    headers: &HeaderMap,
    header: &'static str,
    must: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<(), ApiError> {
    if let (None, Some(value)) = (&said, headers.get(header)) {
        let value = HeaderValue::to_str(value).ok().and_then(read);
        *said = Some(value.ok_or_else(|| ApiError::invalid(INVALID_VALUE.code, header, must))?);
    }
    Ok(())
}

fn name(name: &str, longest: usize) -> Option<String> {
    (1..=longest).contains(&name.len()).then(|| name.to_owned())
}

fn flag(value: &str) -> Option<bool> {
    value.parse().ok()
}
