//! Reading an object field by field.

use std::{fmt::Display, ops::RangeInclusive};

use serde_json::{Map, Value};

use super::{Path, Reading};
use crate::{
    error::{ARRAY_ABOVE_MAX_LENGTH, INVALID_TYPE, INVALID_VALUE, MISSING_REQUIRED_PARAMETER, STRING_ABOVE_MAX_LENGTH},
    protocol::ApiError,
};

/// An object that is being read. Fields are taken out one after the other; what is left at the end is unknown. A field
/// that is `null` counts as absent, as both vendors have it.
pub struct Fields<'p> {
    map: Map<String, Value>,
    at: &'p Path<'p>,
}

impl<'p> Fields<'p> {
    pub fn new(value: Value, at: &'p Path<'p>) -> Result<Self, ApiError> {
        Ok(Self { map: object(value, at)?, at })
    }

    /// The place of the object itself.
    pub fn here(&self) -> &'p Path<'p> {
        self.at
    }

    /// The place of one of its fields.
    pub fn at<'n>(&self, name: &'n str) -> Path<'n>
    where
        'p: 'n,
    {
        Path::Field(self.at, name)
    }

    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    pub fn need(&mut self, name: &str) -> Result<Value, ApiError> {
        self.take(name).ok_or_else(|| missing(&self.at(name)))
    }

    /// Puts back what turned out to be only the provider's business.
    pub fn put_back(&mut self, name: &str, value: Value) {
        self.map.insert(name.to_owned(), value);
    }

    /// Whether there is such a field.
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// At most `max` bytes.
    pub fn string(&mut self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        self.take(name).map(|value| string(value, &self.at(name), max)).transpose()
    }

    /// Not empty, at most `max` bytes.
    pub fn need_string(&mut self, name: &str, max: usize) -> Result<String, ApiError> {
        let text = string(self.need(name)?, &self.at(name), max)?;
        if text.is_empty() {
            return Err(invalid(&self.at(name), "must not be empty."));
        }
        Ok(text)
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| wrong_type(&self.at(name), "a boolean", &value))
    }

    /// A whole number in `range`, which has to be one of `T`'s.
    pub fn integer<T: TryFrom<i64>>(&mut self, name: &str, range: RangeInclusive<i64>) -> Result<Option<T>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        if !value.is_i64() && !value.is_u64() {
            return Err(wrong_type(&self.at(name), "an integer", &value));
        }
        let number = value.as_i64().filter(|number| range.contains(number));
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None if value.as_i64().is_some_and(|number| number < *range.start()) => {
                Err(invalid(&self.at(name), format!("must be at least {}, not {value}.", range.start())))
            }
            None => Err(invalid(&self.at(name), format!("must be at most {}, not {value}.", range.end()))),
        }
    }

    pub fn number(&mut self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().ok_or_else(|| wrong_type(&self.at(name), "a number", &value))?;
        if range.contains(&number) {
            return Ok(Some(number));
        }
        Err(invalid(&self.at(name), format!("must be between {} and {}, not {value}.", range.start(), range.end())))
    }

    /// At most `max` items.
    pub fn list(&mut self, name: &str, max: usize) -> Result<Option<Vec<Value>>, ApiError> {
        self.take(name).map(|value| list(value, &self.at(name), max)).transpose()
    }

    pub fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, ApiError> {
        self.take(name).map(|value| object(value, &self.at(name))).transpose()
    }

    /// One of a few words.
    pub fn word<'w>(&mut self, name: &str, words: &[&'w str]) -> Result<Option<&'w str>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| wrong_type(&self.at(name), "a string", &value))?;
        match words.iter().find(|word| **word == text) {
            Some(word) => Ok(Some(word)),
            None => Err(unknown_word(&self.at(name), text, words)),
        }
    }

    /// Checks fields that stay where they are because only the provider knows what they mean.
    pub fn check(&self, kinds: &[(&str, Kind)]) -> Result<(), ApiError> {
        for (name, kind) in kinds {
            match self.map.get(*name) {
                Some(value) if !value.is_null() && !kind.is(value) => {
                    return Err(wrong_type(&self.at(name), kind.name(), value));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Fields that nobody took.
    pub fn rest(self) -> Map<String, Value> {
        let mut rest = self.map;
        rest.retain(|_, value| !value.is_null());
        rest
    }

    /// Notes fields that nobody took, for there is no place to carry them. `ignored` are those that mean nothing here.
    pub fn drop_rest(self, ignored: &[&str], reading: &mut Reading) {
        for (name, value) in &self.map {
            let says_something = !value.is_null() && *value != Value::Bool(false) && *value != Value::Array(Vec::new());
            if says_something && !ignored.contains(&name.as_str()) {
                reading.warnings.dropped(self.at.field(name).names());
            }
        }
    }
}

/// The JSON type of a field that is passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    String,
    Object,
    List,
}

impl Kind {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::String => value.is_string(),
            Self::Object => value.is_object(),
            Self::List => value.is_array(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::String => "a string",
            Self::Object => "an object",
            Self::List => "a list",
        }
    }
}

pub fn string(value: Value, at: &Path<'_>, max: usize) -> Result<String, ApiError> {
    let Value::String(text) = value else { return Err(wrong_type(at, "a string", &value)) };
    if text.len() > max {
        let message = format!("{at} has {} bytes; {max} is the limit.", text.len());
        return Err(ApiError::invalid(STRING_ABOVE_MAX_LENGTH.code, at.to_string(), message));
    }
    Ok(text)
}

pub fn list(value: Value, at: &Path<'_>, max: usize) -> Result<Vec<Value>, ApiError> {
    let Value::Array(items) = value else { return Err(wrong_type(at, "a list", &value)) };
    if items.len() > max {
        let message = format!("{at} has {} items; {max} is the limit.", items.len());
        return Err(ApiError::invalid(ARRAY_ABOVE_MAX_LENGTH.code, at.to_string(), message));
    }
    Ok(items)
}

pub fn object(value: Value, at: &Path<'_>) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(wrong_type(at, "an object", &other)),
    }
}

pub fn missing(at: &Path<'_>) -> ApiError {
    ApiError::invalid(MISSING_REQUIRED_PARAMETER.code, at.to_string(), format!("{at} is required."))
}

/// `expected` with its article: "a string".
pub fn wrong_type(at: &Path<'_>, expected: &str, got: &Value) -> ApiError {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let what = if matches!(at, Path::Root) { "The body".to_owned() } else { at.to_string() };
    ApiError::invalid(INVALID_TYPE.code, at.to_string(), format!("{what} must be {expected}, not {got}."))
}

/// `why` continues the sentence that the field begins: "must not be empty."
pub fn invalid(at: &Path<'_>, why: impl Display) -> ApiError {
    ApiError::invalid(INVALID_VALUE.code, at.to_string(), format!("{at} {why}"))
}

/// The value is not repeated beyond a few characters: it is the caller's, and may be long.
pub fn unknown_word(at: &Path<'_>, got: &str, words: &[&str]) -> ApiError {
    let got: String = got.chars().take(40).collect();
    invalid(at, format!("must be one of {}, not {got:?}.", words.join(", ")))
}
