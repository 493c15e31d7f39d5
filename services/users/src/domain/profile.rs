//! A person as their colleagues see them.

use chrono::{DateTime, Utc};
use contracts::{UserId, users::v1::ProfileUpdated};
use serde_json::{Map, Value};

/// What everybody sees of a person, and how the person wants things shown to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub user_id: UserId,
    pub email: String,
    pub display_name: String,
    pub avatar_url: Option<String>,
    /// BCP 47 language tag.
    pub locale: String,
    /// IANA time zone name.
    pub time_zone: String,
    /// Free settings of client applications; opaque here.
    pub preferences: Map<String, Value>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A change of a profile: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileEdit {
    pub display_name: Option<String>,
    pub avatar: AvatarEdit,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
    /// Already merged: replaces the stored object.
    pub preferences: Option<Map<String, Value>>,
}

/// What becomes of a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum AvatarEdit {
    #[default]
    Keep,
    Remove,
    /// Its https address.
    Set(String),
}

impl Profile {
    /// A new person's profile, with the defaults that they can change later.
    pub fn new(user_id: UserId, email: String, display_name: String, now: DateTime<Utc>) -> Self {
        Self {
            user_id,
            email,
            display_name,
            avatar_url: None,
            locale: "en".to_owned(),
            time_zone: "UTC".to_owned(),
            preferences: Map::new(),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Applies an edit. No event when it changes nothing: then there is no new version either.
    #[must_use]
    pub fn edit(self, edit: ProfileEdit, now: DateTime<Utc>) -> (Self, Option<ProfileUpdated>) {
        let edited = Self {
            display_name: edit.display_name.unwrap_or_else(|| self.display_name.clone()),
            avatar_url: match edit.avatar {
                AvatarEdit::Keep => self.avatar_url.clone(),
                AvatarEdit::Remove => None,
                AvatarEdit::Set(url) => Some(url),
            },
            locale: edit.locale.unwrap_or_else(|| self.locale.clone()),
            time_zone: edit.time_zone.unwrap_or_else(|| self.time_zone.clone()),
            preferences: edit.preferences.unwrap_or_else(|| self.preferences.clone()),
            ..self.clone()
        };
        if edited == self {
            return (self, None);
        }
        let event = ProfileUpdated {
            user_id: edited.user_id.to_string(),
            display_name: edited.display_name.clone(),
            avatar_url: edited.avatar_url.clone(),
            locale: edited.locale.clone(),
            time_zone: edited.time_zone.clone(),
            updated_at: Some(now.into()),
        };
        (Self { version: self.version + 1, updated_at: now, ..edited }, Some(event))
    }
}

/// Merges a JSON merge patch (RFC 7396) into an object: `null` removes a member, objects merge, all else replaces.
pub fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, change) in patch {
        match (change, target.get_mut(&key)) {
            (Value::Null, _) => {
                target.remove(&key);
            }
            (Value::Object(inner), Some(Value::Object(existing))) => merge(existing, inner),
            (Value::Object(inner), _) => {
                let mut fresh = Map::new();
                merge(&mut fresh, inner);
                target.insert(key, Value::Object(fresh));
            }
            (value, _) => {
                target.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ada() -> Profile {
        let id = "019a0000-0000-7000-8000-000000000001".parse().unwrap();
        Profile::new(id, "ada@example.org".into(), "Ada".into(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn an_edit_carries_the_whole_profile_and_bumps_the_version() {
        let later = DateTime::from_timestamp(60, 0).unwrap();
        let edit = ProfileEdit { locale: Some("de".into()), display_name: Some("Ada".into()), ..Default::default() };
        let (profile, event) = ada().edit(edit, later);
        assert_eq!((profile.version, profile.updated_at), (2, later));
        let event = event.unwrap();
        assert_eq!((event.locale.as_str(), event.display_name.as_str()), ("de", "Ada"));
    }

    #[test]
    fn an_edit_that_changes_nothing_is_no_event() {
        let edit = ProfileEdit { display_name: Some("Ada".into()), avatar: AvatarEdit::Remove, ..Default::default() };
        assert_eq!(ada().edit(edit, DateTime::UNIX_EPOCH), (ada(), None));
    }

    #[test]
    fn merge_follows_the_examples_of_rfc_7396() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (target, patch, expected) in cases {
            let (Value::Object(mut target), Value::Object(patch)) = (target, patch) else { unreachable!() };
            merge(&mut target, patch);
            assert_eq!(Value::Object(target), expected);
        }
    }
}
