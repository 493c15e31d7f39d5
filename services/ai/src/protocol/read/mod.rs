//! Reading requests of any dialect: checked field by field, the first mistake named by its path.

pub mod brainops;
pub mod fields;
pub mod limits;
pub mod media;
mod path;
pub mod tools;

use serde_json::{Map, Value};

pub use fields::{Fields, Kind};
pub use path::Path;

use super::ApiError;
use crate::{domain::warnings::Warnings, error::ARRAY_ABOVE_MAX_LENGTH};
use fields::{invalid, object, string, wrong_type};

/// What is known of a request while it is read.
#[derive(Debug, Default)]
pub struct Reading {
    pub warnings: Warnings,
    images: usize,
}

impl Reading {
    /// One image more.
    pub fn count_image(&mut self, at: &Path<'_>) -> Result<(), ApiError> {
        self.images += 1;
        if self.images <= limits::IMAGES {
            return Ok(());
        }
        let message = format!("{at} is one image too many; {} is the limit.", limits::IMAGES);
        Err(ApiError::invalid(ARRAY_ABOVE_MAX_LENGTH.code, at.to_string(), message))
    }
}

/// Refuses what is wrong in any body, wherever it is: too many levels, and NUL, which no text has and which PostgreSQL
/// cannot store.
pub fn check_body(body: &Value) -> Result<(), ApiError> {
    check(body, &Path::Root, 0)
}

fn check(value: &Value, at: &Path<'_>, depth: usize) -> Result<(), ApiError> {
    match value {
        Value::String(text) => check_text(text, at),
        Value::Array(_) | Value::Object(_) if depth >= limits::DEPTH => {
            Err(invalid(at, format!("is nested too deeply; {} levels are the limit.", limits::DEPTH)))
        }
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| check(item, &at.item(index), depth + 1))
        }
        Value::Object(map) => map.iter().try_for_each(|(name, field)| {
            check_text(name, at)?;
            check(field, &at.field(name), depth + 1)
        }),
        _ => Ok(()),
    }
}

fn check_text(text: &str, at: &Path<'_>) -> Result<(), ApiError> {
    if text.as_bytes().contains(&0) { Err(invalid(at, "must not contain NUL characters.")) } else { Ok(()) }
}

/// `stop` and its kin: a string or a list of them.
pub fn stop_sequences(value: Value, at: &Path<'_>, max: usize) -> Result<Vec<String>, ApiError> {
    let items = match value {
        Value::String(_) => vec![string(value, at, limits::STOP_BYTES)?],
        Value::Array(_) => fields::list(value, at, max)?
            .into_iter()
            .enumerate()
            .map(|(index, item)| string(item, &at.item(index), limits::STOP_BYTES))
            .collect::<Result<_, _>>()?,
        other => return Err(wrong_type(at, "a string or a list of strings", &other)),
    };
    match items.iter().position(String::is_empty) {
        Some(index) => Err(invalid(&at.item(index), "must not be empty.")),
        None => Ok(items),
    }
}

/// OpenAI's `metadata`: a few short strings.
pub fn metadata(value: Value, at: &Path<'_>) -> Result<Map<String, Value>, ApiError> {
    let (entries, key_bytes, value_bytes) = limits::METADATA;
    let map = object(value, at)?;
    if map.len() > entries {
        return Err(invalid(at, format!("has {} entries; {entries} is the limit.", map.len())));
    }
    for (name, value) in &map {
        let here = at.field(name);
        if name.len() > key_bytes {
            return Err(invalid(at, format!("has a key of {} bytes; {key_bytes} is the limit.", name.len())));
        }
        match value {
            Value::String(text) if text.len() <= value_bytes => {}
            Value::String(_) => return Err(invalid(&here, format!("must have at most {value_bytes} bytes."))),
            other => return Err(wrong_type(&here, "a string", other)),
        }
    }
    Ok(map)
}
