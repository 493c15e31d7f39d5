//! `batchEmbedContents`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{keyed, path, resource};
use crate::{
    clients::{
        Attempt, Failure, Kind, Providers,
        encode::Fields,
        transport::{EMBEDDINGS_BYTES, Outgoing, malformed},
    },
    domain::{
        chat::TokenUsage,
        embedding::{EmbeddingInput, EmbeddingRequest, Embeddings},
        warnings::Warnings,
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    embeddings: Vec<Embedding>,
    usage_metadata: Option<Usage>,
}

#[derive(Deserialize)]
struct Embedding {
    values: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(default)]
    prompt_token_count: u64,
}

pub(in crate::clients) async fn embed(
    providers: &Providers,
    attempt: Attempt<'_>,
    request: &EmbeddingRequest,
) -> Result<Embeddings, Failure> {
    let (body, warnings) = encode(attempt.model, request)?;
    let outgoing = keyed(Outgoing::post(attempt.provider, &path(attempt.model, "batchEmbedContents")?, &body)?)?;
    let answer = providers.exchange(outgoing, attempt.deadlines.total, EMBEDDINGS_BYTES).await?;
    let answer: Answer = serde_json::from_slice(&answer).map_err(|error| malformed(&error))?;
    if answer.embeddings.len() != request.inputs.len() {
        return Err(Failure::new(Kind::Malformed).caused_by("not one vector for each input"));
    }
    let usage =
        answer.usage_metadata.map(|usage| TokenUsage { input: usage.prompt_token_count, ..TokenUsage::default() });
    let vectors = answer.embeddings.into_iter().map(|embedding| embedding.values).collect();
    Ok(Embeddings { vectors, model: None, usage, warnings })
}

fn encode(model: &str, request: &EmbeddingRequest) -> Result<(Value, Warnings), Failure> {
    let mut warnings = Warnings::default();
    if request.user.is_some() {
        warnings.dropped("user");
    }
    for name in request.extra.keys() {
        warnings.dropped(name.as_str());
    }
    let mut requests = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        let EmbeddingInput::Text(text) = input else {
            return Err(Failure::unsupported("embeddings of token ids"));
        };
        let one = Fields::default()
            .with("model", Some(format!("models/{}", resource(model))))
            .with("content", Some(json!({"parts": [{"text": text}]})))
            .with("outputDimensionality", request.dimensions);
        requests.push(Value::from(one));
    }
    Ok((json!({"requests": requests}), warnings))
}
