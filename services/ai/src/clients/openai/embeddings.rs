//! `POST /embeddings`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keyed;
use crate::{
    clients::{
        Attempt, Failure, Kind, Providers,
        encode::Fields,
        refusal::Refusals,
        transport::{EMBEDDINGS_BYTES, Outgoing, malformed},
    },
    domain::{
        chat::TokenUsage,
        embedding::{EmbeddingInput, EmbeddingRequest, Embeddings},
        warnings::Warnings,
    },
};

#[derive(Deserialize)]
struct Answer {
    model: Option<String>,
    data: Vec<Item>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: usize,
    embedding: Vector,
}

/// A server may answer with numbers although base64 was asked for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
}

pub(in crate::clients) async fn embed(
    providers: &Providers,
    attempt: Attempt<'_>,
    request: &EmbeddingRequest,
) -> Result<Embeddings, Failure> {
    let body = encode(attempt.model, request);
    let outgoing = keyed(Outgoing::post(attempt.provider, "embeddings", &body)?)?;
    let answer = providers.exchange(outgoing, attempt.deadlines.total, EMBEDDINGS_BYTES).await?;
    read(&Refusals::of(attempt.provider), &answer, request.inputs.len())
}

pub(super) fn encode(model: &str, request: &EmbeddingRequest) -> Map<String, Value> {
    let mut body = Fields::default();
    body.put("model", model);
    let input: Vec<Value> = request
        .inputs
        .iter()
        .map(|input| match input {
            EmbeddingInput::Text(text) => text.as_str().into(),
            EmbeddingInput::Tokens(tokens) => tokens.clone().into(),
        })
        .collect();
    body.put("input", input);
    body.maybe("dimensions", request.dimensions);
    body.maybe("user", request.user.as_deref());
    // Four bytes a number instead of ten or more.
    body.put("encoding_format", "base64");
    for (name, value) in &request.extra {
        if !body.0.contains_key(name) {
            body.put(name, value.clone());
        }
    }
    body.0
}

fn read(refusals: &Refusals, document: &[u8], inputs: usize) -> Result<Embeddings, Failure> {
    let answer: Answer = serde_json::from_slice(document)
        .map_err(|error| refusals.in_document(None, document).unwrap_or_else(|| malformed(&error)))?;
    let mut items = answer.data;
    items.sort_by_key(|item| item.index);
    // A vector too few would be given to the wrong text.
    if items.len() != inputs {
        return Err(Failure::new(Kind::Malformed).caused_by("not one vector for each input"));
    }
    let vectors = items.into_iter().map(|item| item.embedding.floats()).collect::<Result<_, _>>()?;
    let usage = answer.usage.map(|usage| TokenUsage { input: usage.prompt_tokens, ..TokenUsage::default() });
    Ok(Embeddings { vectors, model: answer.model, usage, warnings: Warnings::default() })
}

impl Vector {
    /// Base64 holds little-endian 32-bit floats.
    fn floats(self) -> Result<Vec<f32>, Failure> {
        let text = match self {
            Self::Floats(floats) => return Ok(floats),
            Self::Base64(text) => text,
        };
        let bytes = STANDARD.decode(text).map_err(|error| Failure::new(Kind::Malformed).caused_by(error))?;
        let (floats, rest) = bytes.as_chunks::<4>();
        if rest.is_empty() {
            Ok(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        } else {
            Err(Failure::new(Kind::Malformed).caused_by("a vector of broken numbers"))
        }
    }
}
