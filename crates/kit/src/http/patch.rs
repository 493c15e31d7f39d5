//! Members of a JSON merge patch (RFC 7396): absent, null, or a value.
use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use validator::{Validate, ValidateEmail, ValidateLength, ValidateRange, ValidateUrl, ValidationErrors};

/// One member of a merge patch. Declare it as
/// `#[serde(default, skip_serializing_if = "Patch::is_absent")] pub name: Patch<String>` with
/// `#[schema(value_type = Option<String>)]`.
///
/// For a member that cannot be cleared use `Patch<T>` and [`Patch::required`], which refuses null by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Not in the body: leave the stored value.
    #[default]
    Absent,
    /// `null`: clear the stored value.
    Null,
    /// Replace the stored value.
    Value(T),
}

impl<T> Patch<T> {
    /// For `skip_serializing_if`.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// What diesel's `AsChangeset` wants: `None` leaves, `Some(None)` clears, `Some(Some(v))` sets.
    pub fn into_nested(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }

    /// The new state of an optional member.
    pub fn apply_to(self, stored: Option<T>) -> Option<T> {
        match self {
            Self::Absent => stored,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// For a member that cannot be cleared: null is a validation error of `field`.
    pub fn required(self, field: &str) -> Result<Option<T>, super::Problem> {
        match self {
            Self::Absent => Ok(None),
            Self::Value(value) => Ok(Some(value)),
            Self::Null => Err(super::Problem::new(&super::codes::VALIDATION_FAILED).field(super::FieldError::new(
                field,
                "not_nullable",
                "cannot be null",
            ))),
        }
    }

    /// The value, if there is one.
    pub fn as_value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Changes the value, if there is one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(f(value)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A missing member never comes here: `#[serde(default)]` makes it Absent.
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_value().serialize(serializer)
    }
}

// validator's rules look through the patch: absent and null are acceptable to all of them.
impl<T: ValidateLength<u64>> ValidateLength<u64> for Patch<T> {
    fn length(&self) -> Option<u64> {
        self.as_value().and_then(ValidateLength::length)
    }
}

impl<N, T: ValidateRange<N>> ValidateRange<N> for Patch<T> {
    fn greater_than(&self, max: N) -> Option<bool> {
        self.as_value().and_then(|value| value.greater_than(max))
    }
    fn less_than(&self, min: N) -> Option<bool> {
        self.as_value().and_then(|value| value.less_than(min))
    }
}

impl<T: ValidateEmail> ValidateEmail for Patch<T> {
    fn as_email_string(&self) -> Option<Cow<'_, str>> {
        self.as_value().and_then(ValidateEmail::as_email_string)
    }
}

impl<T: ValidateUrl> ValidateUrl for Patch<T> {
    fn as_url_string(&self) -> Option<Cow<'_, str>> {
        self.as_value().and_then(ValidateUrl::as_url_string)
    }
}

impl<T: Validate> Validate for Patch<T> {
    fn validate(&self) -> Result<(), ValidationErrors> {
        self.as_value().map_or(Ok(()), Validate::validate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Change {
        #[serde(default, skip_serializing_if = "Patch::is_absent")]
        #[validate(length(min = 2))]
        note: Patch<String>,
    }

    #[test]
    fn absent_null_and_value_are_three_things_and_survive_a_round_trip() {
        for (json, note) in [
            ("{}", Patch::Absent),
            (r#"{"note":null}"#, Patch::Null),
            (r#"{"note":"hi"}"#, Patch::Value("hi".to_owned())),
        ] {
            let change: Change = serde_json::from_str(json).unwrap();
            assert_eq!(change.note, note);
            assert_eq!(serde_json::to_string(&change).unwrap(), json);
        }
    }

    #[test]
    fn it_applies_as_rfc_7396_says() {
        let stored = Some("old".to_owned());
        assert_eq!(Patch::Absent.apply_to(stored.clone()), stored);
        assert_eq!(Patch::Null.apply_to(stored.clone()), None);
        assert_eq!(Patch::Value("new".to_owned()).apply_to(stored), Some("new".to_owned()));
    }

    #[test]
    fn rules_see_the_value_only() {
        let check = |json: &str| serde_json::from_str::<Change>(json).unwrap().validate().is_ok();
        assert!(check("{}"));
        assert!(check(r#"{"note":null}"#));
        assert!(check(r#"{"note":"ok"}"#));
        assert!(!check(r#"{"note":"x"}"#));
    }

    #[test]
    fn required_refuses_null_by_name() {
        let problem = Patch::<String>::Null.required("name").unwrap_err();
        assert_eq!(problem.field_errors()[0].field, "name");
        assert_eq!(Patch::Value(1).required("name").unwrap(), Some(1));
    }
}
