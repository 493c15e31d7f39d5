//! What makes two requests the same.

use contracts::OrgId;
use serde_json::Value;

use crate::domain::{
    chat::{CacheMode, ChatRequest, MediaSource, Part, Tool},
    model::Model,
};

/// BLAKE3 of the organization, the model with its routes, and everything in the request that a provider sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(super) [u8; 32]);

/// Fields by which a request depends on, or leaves behind, something at the provider.
const STATE: [&str; 6] =
    ["previous_response_id", "conversation", "container", "background", "store", "web_search_options"];

impl Key {
    /// The key of a request that asked for the cache and whose answer depends on the request alone: one answer, no
    /// sampling asked for (temperature absent or 0), no tool that a provider runs, no state at the provider, nothing that
    /// is fetched from elsewhere (files, URLs). What was recalled from memory is in the request by now. `None` for any other.
    ///
    /// Takes the request mutably to leave out, for a moment, what does not change the answer.
    pub fn of(org: OrgId, model: &Model, request: &mut ChatRequest) -> Option<Self> {
        if request.brainops.cache != Some(CacheMode::Use) || !depends_on_itself_alone(request) {
            return None;
        }
        let asked = (std::mem::take(&mut request.brainops), request.stream, request.include_usage);
        (request.stream, request.include_usage) = (false, false);
        let mut hasher = blake3::Hasher::new();
        hasher.update(org.uuid().as_bytes());
        hasher.update(model.id.uuid().as_bytes());
        for route in &model.routes {
            hasher.update(route.id.uuid().as_bytes());
            hasher.update(route.upstream_model.as_bytes());
            hasher.update(&[0]);
        }
        let written = serde_json::to_writer(&mut hasher, request);
        (request.brainops, request.stream, request.include_usage) = asked;
        written.is_ok().then(|| Self(*hasher.finalize().as_bytes()))
    }
}

/// Whether everything that a provider will see of the part is in the part.
fn fixed(part: &Part) -> bool {
    match part {
        Part::Image { source, .. } | Part::File { source, .. } => matches!(source, MediaSource::Inline { .. }),
        Part::ToolResult { parts, .. } => parts.iter().all(fixed),
        Part::Other(_) => false,
        _ => true,
    }
}

fn depends_on_itself_alone(request: &ChatRequest) -> bool {
    request.n.is_none_or(|n| n == 1)
        && request.sampling.temperature.is_none_or(|temperature| temperature == 0.0)
        && !request.tools.iter().any(|tool| matches!(tool, Tool::Other(_)))
        && request.messages.iter().flat_map(|message| &message.parts).all(fixed)
        && !STATE.iter().any(|field| {
            request.extra.get(*field).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{domain::chat::Dialect, protocol::parse};

    #[test]
    fn what_is_fetched_from_elsewhere_is_seen_in_a_tools_result_too() {
        let of = |source: Value| {
            let image = json!({"type": "image", "source": source});
            let result = json!({"type": "tool_result", "tool_use_id": "c", "content": [image]});
            let call = json!({"type": "tool_use", "id": "c", "name": "look", "input": {}});
            let messages = json!([
                {"role": "user", "content": "Look"},
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": [result]},
            ]);
            let body = json!({"model": "m", "max_tokens": 9, "messages": messages});
            depends_on_itself_alone(&parse(Dialect::Messages, body).unwrap().0)
        };
        assert!(of(json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="})));
        assert!(!of(json!({"type": "url", "url": "https://example.com/now.png"})));
    }
}
