//! Documents made fit for snapshots: what differs from run to run gets a name, what matters stays.

use std::collections::HashMap;

use chrono::DateTime;
use serde_json::Value;
use uuid::Uuid;

/// Replaces ids, times and tokens wherever they stand in `document`, also inside of texts such as paths.
///
/// Ids become `[id 1]`, `[id 2]`, … in the order in which they are first seen, so that a snapshot still shows which are the
/// same; times become `[time]`, signed tokens `[jwt]`, opaque ones `[secret]`, page cursors `[cursor]`.
pub fn redacted(document: &Value) -> Value {
    Redactor::default().value(document)
}

#[derive(Default)]
struct Redactor {
    ids: HashMap<String, usize>,
}

impl Redactor {
    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(key, member)| (key.clone(), self.member(key, member))).collect()
            }
            other => other.clone(),
        }
    }

    fn member(&mut self, key: &str, value: &Value) -> Value {
        match (key, value) {
            ("next_cursor", Value::String(_)) => "[cursor]".into(),
            ("refresh_token" | "secret", Value::String(_)) => "[secret]".into(),
            ("traceparent", Value::String(_)) => "[trace]".into(),
            _ => self.value(value),
        }
    }

    fn text(&mut self, text: &str) -> String {
        const UUID_CHARS: usize = 36;
        if DateTime::parse_from_rfc3339(text).is_ok() {
            return "[time]".to_owned();
        }
        if text.starts_with("eyJ") && text.split('.').count() == 3 {
            return "[jwt]".to_owned();
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some(first) = rest.chars().next() {
            if let Some(id) = rest.get(..UUID_CHARS).filter(|id| Uuid::try_parse(id).is_ok()) {
                let next = self.ids.len() + 1;
                let number = *self.ids.entry(id.to_owned()).or_insert(next);
                out += "[id ";
                out += &number.to_string();
                out.push(']');
                rest = &rest[UUID_CHARS..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_gets_a_name_and_equal_ids_stay_equal() {
        let (a, b) = ("019a0000-0000-7000-8000-000000000001", "019a0000-0000-7000-8000-000000000002");
        let document = json!({
            "id": a, "made": "2026-03-02T12:00:00Z", "items": [b, a], "path": format!("/v1/x/{b}/y ü"), "n": 7,
            "access_token": "eyJh.eyJi.sig", "refresh_token": "bo_rt_x", "next_cursor": "abc", "none": null,
        });
        // Members are visited in the order of their names: `id` before `items` before `path`.
        let expected = json!({
            "id": "[id 1]", "made": "[time]", "items": ["[id 2]", "[id 1]"], "path": "/v1/x/[id 2]/y ü", "n": 7,
            "access_token": "[jwt]", "refresh_token": "[secret]", "next_cursor": "[cursor]", "none": null,
        });
        assert_eq!(redacted(&document), expected);
    }
}
