//! Query parameters and path ids.
use std::ops::Deref;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};
use validator::Validate;

use super::{FieldError, Problem, codes, validation};

/// Query parameters that fit `T` exactly and passed its rules; anything else is a 400 that names the parameter.
///
/// `T` must be `#[serde(deny_unknown_fields)]`; do not `flatten` into it (serde then reads every value as text).
#[derive(Debug, Clone)]
pub struct ValidQuery<T>(pub T);

impl<T> ValidQuery<T> {
    /// The parameters.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for ValidQuery<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + Validate> FromRequest for ValidQuery<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(req.query_string()).map(Self))
    }
}

pub(super) fn parse<T: DeserializeOwned + Validate>(query: &str) -> Result<T, Problem> {
    let problem = || Problem::new(&codes::INVALID_PARAMETER);
    if decoded_nul(query) {
        return Err(problem().detail("A parameter contains the character U+0000"));
    }
    let deserializer = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(query.as_bytes()));
    let value: T = serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let text = error.inner().to_string();
        let named = text.split('`').nth(1).unwrap_or_default();
        let path = error.path().to_string();
        let known = |path: &str| if path == "." { String::new() } else { path.to_owned() };
        let (field, code, message) = if text.starts_with("unknown field") {
            (named.to_owned(), "unknown_parameter", "is not a parameter of this request")
        } else if text.starts_with("missing field") {
            (named.to_owned(), "missing", "is required")
        } else if text.starts_with("duplicate field") {
            (named.to_owned(), "duplicate_parameter", "is given more than once")
        } else {
            (known(&path), "invalid_value", "is not acceptable")
        };
        let detail = format!("The query parameter {field:?} {message}");
        problem().detail(detail).field(FieldError::new(field, code, message))
    })?;
    match value.validate() {
        Ok(()) => Ok(value),
        Err(errors) => Err(problem().fields(validation::field_errors(&errors))),
    }
}

/// Postgres cannot store U+0000 and no parameter needs it.
fn decoded_nul(query: &str) -> bool {
    query.contains("%00")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        #[serde(default)]
        archived: bool,
        #[validate(length(max = 5))]
        q: Option<String>,
    }

    fn refused(query: &str) -> (String, String) {
        let problem = parse::<Filter>(query).unwrap_err();
        assert_eq!(problem.code().status, 400);
        problem.field_errors().first().map(|e| (e.field.clone(), e.code.to_string())).unwrap_or_default()
    }

    #[test]
    fn what_fits_is_taken() {
        let filter: Filter = parse("archived=true&q=a+b").unwrap();
        assert!(filter.archived);
        assert_eq!(filter.q.as_deref(), Some("a b"));
        assert!(!parse::<Filter>("").unwrap().archived);
    }

    #[test]
    fn what_does_not_is_named() {
        assert_eq!(refused("offset=3"), ("offset".into(), "unknown_parameter".into()));
        assert_eq!(refused("archived=maybe"), ("archived".into(), "invalid_value".into()));
        assert_eq!(refused("q=a&q=b"), ("q".into(), "duplicate_parameter".into()));
        assert_eq!(refused("q=toolong"), ("q".into(), "length".into()));
        assert_eq!(refused("q=a%00b"), (String::new(), String::new()));
    }
}
