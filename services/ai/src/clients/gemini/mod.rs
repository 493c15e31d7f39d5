//! Google's generateContent and batchEmbedContents (<https://ai.google.dev/api>).

mod answer;
mod contents;
mod decoder;
mod embeddings;
mod request;

use std::time::Duration;

use serde::Deserialize;

pub(super) use embeddings::embed;

use super::{
    Attempt, ChatStream, Failure, Kind, Providers,
    refusal::Refusals,
    stream,
    transport::{ANSWER_BYTES, Outgoing, malformed},
};
use crate::domain::{
    chat::{ChatRequest, Completion},
    provider::Provider,
};

/// Before a thought signature of Gemini's, so that no other provider is sent what it could not verify.
const SIGNATURE_PREFIX: &str = "gemini:";

/// Whether a thinking part's signature was made by Gemini.
pub(super) fn is_signature(signature: &str) -> bool {
    signature.starts_with(SIGNATURE_PREFIX)
}

pub(super) async fn complete(
    providers: &Providers,
    attempt: Attempt<'_>,
    request: &ChatRequest,
) -> Result<Completion, Failure> {
    let (body, warnings) = request::encode(attempt.model, request)?;
    let outgoing = keyed(Outgoing::post(attempt.provider, &path(attempt.model, "generateContent")?, &body)?)?;
    let answer = providers.exchange(outgoing, attempt.deadlines.total, ANSWER_BYTES).await?;
    answer::read(&Refusals::of(attempt.provider), &answer, warnings)
}

pub(super) async fn stream(
    providers: &Providers,
    attempt: Attempt<'_>,
    request: &ChatRequest,
) -> Result<ChatStream, Failure> {
    let (body, warnings) = request::encode(attempt.model, request)?;
    let outgoing = Outgoing::post(attempt.provider, &path(attempt.model, "streamGenerateContent")?, &body)?;
    let outgoing = keyed(outgoing.query("alt", "sse"))?;
    let decoder = decoder::Responses::new(Refusals::of(attempt.provider), warnings);
    stream::open(providers, attempt, outgoing, decoder).await
}

pub(super) async fn models(
    providers: &Providers,
    provider: &Provider,
    deadline: Duration,
) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    struct List {
        models: Vec<Model>,
    }
    #[derive(Deserialize)]
    struct Model {
        name: String,
    }
    // The largest page there is.
    let outgoing = keyed(Outgoing::get(provider, "models").query("pageSize", "1000"))?;
    let answer = providers.exchange(outgoing, deadline, ANSWER_BYTES).await?;
    let list: List = serde_json::from_slice(&answer).map_err(|error| malformed(&error))?;
    Ok(list.models.into_iter().map(|model| resource(&model.name).to_owned()).collect())
}

fn keyed(outgoing: Outgoing<'_>) -> Result<Outgoing<'_>, Failure> {
    outgoing.key("x-goog-api-key", "")
}

/// The name without the collection that Google puts before it.
fn resource(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

fn path(model: &str, method: &str) -> Result<String, Failure> {
    let model = resource(model);
    // The name is a piece of the path and must stay one.
    if model.is_empty() || model.contains(['/', '\\', '%']) || model.starts_with('.') {
        return Err(Failure::new(Kind::ModelNotFound).caused_by("the model's name cannot be a piece of a path"));
    }
    Ok(format!("models/{model}:{method}"))
}
