//! What makes two requests the same.

use contracts::OrgId;
use serde_json::Value;

use crate::domain::{
    chat::{CacheMode, ChatRequest, MediaSource, Part, Tool},
    model::Model,
};

/// BLAKE3 of the organization, the model with its routes, and everything in the request that a provider sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// Fields by which a request depends on, or leaves behind, something at the provider.
const STATE: [&str; 6] =
    ["previous_response_id", "conversation", "container", "background", "store", "web_search_options"];

impl Key {
    /// The key of a request that asked for the cache and whose answer depends on the request alone: one answer, no
    /// sampling asked for (temperature absent or 0), no tool that a provider runs, no state at the provider, nothing that
    /// is fetched from elsewhere (files, URLs, memory). `None` for any other.
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

fn depends_on_itself_alone(request: &ChatRequest) -> bool {
    let fixed = |part: &Part| match part {
        Part::Image { source, .. } | Part::File { source, .. } => matches!(source, MediaSource::Inline { .. }),
        Part::Other(_) => false,
        _ => true,
    };
    request.n.is_none_or(|n| n == 1)
        && request.sampling.temperature.is_none_or(|temperature| temperature == 0.0)
        && !request.tools.iter().any(|tool| matches!(tool, Tool::Other(_)))
        && request.brainops.recall.is_none()
        && request.messages.iter().flat_map(|message| &message.parts).all(fixed)
        && !STATE.iter().any(|field| {
            request.extra.get(*field).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
        })
}
