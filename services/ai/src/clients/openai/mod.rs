//! OpenAI's chat completions and embeddings (<https://platform.openai.com/docs/api-reference>), as OpenAI has them and as
//! vLLM, Ollama, llama.cpp, LM Studio and the bundled inference do.

mod answer;
mod decoder;
mod embeddings;
mod messages;
mod request;

use std::time::Duration;

use serde::Deserialize;
use url::Url;

pub(super) use embeddings::embed;

use super::{
    Attempt, ChatStream, Failure, Providers,
    refusal::Refusals,
    stream,
    transport::{ANSWER_BYTES, Outgoing, malformed},
};
use crate::domain::{
    chat::{ChatRequest, Completion},
    provider::Provider,
};

/// Where the family differs. OpenAI's newer models take nothing but `max_completion_tokens` and know the developer role;
/// many compatible servers know only `max_tokens` and `system`, and most of them take `top_k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavor {
    /// `api.openai.com` and Azure's `*.openai.azure.com`.
    Original,
    /// Any other host.
    Compatible,
}

impl Flavor {
    fn of(base_url: &Url) -> Self {
        let host = base_url.host_str().unwrap_or_default();
        let original = host == "openai.com" || host.ends_with(".openai.com") || host.ends_with(".openai.azure.com");
        if original { Self::Original } else { Self::Compatible }
    }
}

pub(super) async fn complete(
    providers: &Providers,
    attempt: Attempt<'_>,
    request: &ChatRequest,
) -> Result<Completion, Failure> {
    let (body, warnings) = request::encode(Flavor::of(&attempt.provider.base_url), attempt.model, request, false)?;
    let outgoing = keyed(Outgoing::post(attempt.provider, "chat/completions", &body)?)?;
    let answer = providers.exchange(outgoing, attempt.deadlines.total, ANSWER_BYTES).await?;
    answer::read(&Refusals::of(attempt.provider), &answer, request.n, warnings)
}

pub(super) async fn stream(
    providers: &Providers,
    attempt: Attempt<'_>,
    request: &ChatRequest,
) -> Result<ChatStream, Failure> {
    let (body, warnings) = request::encode(Flavor::of(&attempt.provider.base_url), attempt.model, request, true)?;
    let outgoing = keyed(Outgoing::post(attempt.provider, "chat/completions", &body)?)?;
    let decoder = decoder::Chunks::new(Refusals::of(attempt.provider), request.n, warnings);
    stream::open(providers, attempt, outgoing, decoder).await
}

pub(super) async fn models(
    providers: &Providers,
    provider: &Provider,
    deadline: Duration,
) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Model>,
    }
    #[derive(Deserialize)]
    struct Model {
        id: String,
    }
    let answer = providers.exchange(keyed(Outgoing::get(provider, "models"))?, deadline, ANSWER_BYTES).await?;
    let list: List = serde_json::from_slice(&answer).map_err(|error| malformed(&error))?;
    Ok(list.data.into_iter().map(|model| model.id).collect())
}

fn keyed(outgoing: Outgoing<'_>) -> Result<Outgoing<'_>, Failure> {
    outgoing.key("authorization", "Bearer ")
}

/// The body for a provider at `base_url`.
#[cfg(test)]
pub(super) fn encode_for(
    base_url: &str,
    model: &str,
    request: &ChatRequest,
) -> (serde_json::Value, crate::domain::warnings::Warnings) {
    use crate::clients::encode::Fields;

    let flavor = Flavor::of(&base_url.parse().unwrap());
    let (body, warnings) = request::encode(flavor, model, request, false).unwrap();
    (Fields(body).into(), warnings)
}
