//! The list of models, in both forms.

use chrono::DateTime;
use serde_json::json;

use crate::{
    domain::chat::Dialect,
    protocol::models::{Listed, list, one},
};

#[test]
fn both_vendors_forms() {
    let listed = |alias, display_name, max_output_tokens| Listed {
        alias,
        display_name,
        created: DateTime::from_timestamp(1_764_000_000, 0).unwrap(),
        owned_by: "openai",
        context_window: 128_000,
        max_output_tokens,
    };
    let models = [listed("smart", Some("Smart"), Some(8_192)), listed("fast", None, None)];
    insta::assert_json_snapshot!(list(&models, Dialect::ChatCompletions));
    insta::assert_json_snapshot!(list(&models, Dialect::Messages));
    assert_eq!(one(&models[0], Dialect::Messages), list(&models, Dialect::Messages)["data"][0]);
    let nothing = json!({"data": [], "first_id": null, "last_id": null, "has_more": false});
    assert_eq!(list(&[], Dialect::Messages), nothing);
}
