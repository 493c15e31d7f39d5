//! Bodies that differ in a few members.

use serde_json::Value;

/// `body` with the members of `more` instead of its own.
pub fn merged(body: &Value, more: &Value) -> Value {
    let mut merged = body.clone();
    for (key, value) in more.as_object().expect("an object") {
        merged[key] = value.clone();
    }
    merged
}
