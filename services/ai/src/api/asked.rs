//! What a call of a model brings along.

use actix_web::http::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use validator::{Validate, ValidationErrors};

use crate::{
    domain::chat::{BrainOps, CacheMode},
    protocol::ApiError,
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
const CACHE: &str = "x-brainops-cache";

/// Characters of a session's id.
const LONGEST_SESSION_ID: usize = 255;

/// Adds what headers ask of us, for programs whose library leaves no way into the body. The body's word comes first.
pub fn from_headers(headers: &HeaderMap, brainops: &mut BrainOps) -> Result<(), ApiError> {
    let invalid = |name: &str, message: &str| ApiError::invalid(crate::error::INVALID_VALUE.code, name, message);
    if let (None, Some(id)) = (&brainops.session_id, headers.get(SESSION_ID)) {
        let id = id.to_str().ok().filter(|id| (1..=LONGEST_SESSION_ID).contains(&id.len()));
        let id = id.ok_or_else(|| invalid(SESSION_ID, "must have 1 to 255 visible ASCII characters"))?;
        brainops.session_id = Some(id.to_owned());
    }
    if let (None, Some(mode)) = (brainops.cache, headers.get(CACHE)) {
        brainops.cache = Some(match mode.as_bytes() {
            b"use" => CacheMode::Use,
            b"off" => CacheMode::Off,
            _ => return Err(invalid(CACHE, "must be use or off")),
        });
    }
    Ok(())
}
