//! `GET /v1/models`, which both vendors have at the same place.
//!
//! Sources: <https://platform.openai.com/docs/api-reference/models>, <https://docs.anthropic.com/en/api/models-list>.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::domain::chat::Dialect;

/// A model as a list shows it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// What callers write into `model`.
    pub alias: &'a str,
    pub display_name: Option<&'a str>,
    pub created: DateTime<Utc>,
    /// Who provides it: the provider's name.
    pub owned_by: &'a str,
    /// Tokens of input and output together.
    pub context_window: u32,
    /// Most tokens of one answer.
    pub max_output_tokens: Option<u32>,
}

/// All of them on one page. Anthropic's form for [`Dialect::Messages`], else OpenAI's.
pub fn list(models: &[Listed<'_>], dialect: Dialect) -> Value {
    let data: Vec<Value> = models.iter().map(|model| one(model, dialect)).collect();
    match dialect {
        Dialect::Messages => json!({
            "data": data,
            "first_id": models.first().map(|model| model.alias),
            "last_id": models.last().map(|model| model.alias),
            "has_more": false,
        }),
        Dialect::ChatCompletions | Dialect::Responses => json!({"object": "list", "data": data}),
    }
}

/// One, in the form of the list.
pub fn one(model: &Listed<'_>, dialect: Dialect) -> Value {
    match dialect {
        Dialect::Messages => json!({
            "type": "model",
            "id": model.alias,
            "display_name": model.display_name.unwrap_or(model.alias),
            "created_at": model.created.to_rfc3339_opts(SecondsFormat::Secs, true),
            "lifecycle": "active",
            "max_input_tokens": model.context_window,
            "max_tokens": model.max_output_tokens,
        }),
        Dialect::ChatCompletions | Dialect::Responses => json!({
            "object": "model",
            "id": model.alias,
            "created": model.created.timestamp(),
            "owned_by": model.owned_by,
        }),
    }
}
