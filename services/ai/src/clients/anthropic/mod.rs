//! Anthropic's messages (<https://platform.claude.com/docs/en/api/messages>).

mod answer;
mod decoder;
mod messages;
mod request;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

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

/// The newest version of the API.
const NEWEST: &str = "2026-10-21";
/// The last version with `temperature`, `top_p` and `top_k`: the newest refuses a request that has any of them
/// (<https://platform.claude.com/docs/en/api/versioning>).
const WITH_SAMPLING: &str = "2023-06-01";

pub(super) async fn complete(
    providers: &Providers,
    attempt: Attempt<'_>,
    request: &ChatRequest,
) -> Result<Completion, Failure> {
    let (body, warnings) = request::encode(attempt, request, false)?;
    let outgoing = headers(Outgoing::post(attempt.provider, "messages", &body)?, version(&body))?;
    let answer = providers.exchange(outgoing, attempt.deadlines.total, ANSWER_BYTES).await?;
    answer::read(&Refusals::of(attempt.provider), &answer, warnings)
}

pub(super) async fn stream(
    providers: &Providers,
    attempt: Attempt<'_>,
    request: &ChatRequest,
) -> Result<ChatStream, Failure> {
    let (body, warnings) = request::encode(attempt, request, true)?;
    let outgoing = headers(Outgoing::post(attempt.provider, "messages", &body)?, version(&body))?;
    let decoder = decoder::Events::new(Refusals::of(attempt.provider), warnings);
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
    // The largest page there is; nobody has more models.
    let outgoing = headers(Outgoing::get(provider, "models").query("limit", "1000"), NEWEST)?;
    let answer = providers.exchange(outgoing, deadline, ANSWER_BYTES).await?;
    let list: List = serde_json::from_slice(&answer).map_err(|error| malformed(&error))?;
    Ok(list.data.into_iter().map(|model| model.id).collect())
}

fn version(body: &Map<String, Value>) -> &'static str {
    let sampled = ["temperature", "top_p", "top_k"].iter().any(|name| body.contains_key(*name));
    if sampled { WITH_SAMPLING } else { NEWEST }
}

fn headers<'a>(outgoing: Outgoing<'a>, version: &'static str) -> Result<Outgoing<'a>, Failure> {
    outgoing.header("anthropic-version", version).key("x-api-key", "")
}
