//! `POST /v1/embeddings`.

use actix_web::{
    HttpResponse,
    http::header::{HeaderName, HeaderValue},
    web::Data,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kit::Problem;
use serde_json::Value;

use super::{
    body::Body,
    caller::Caller,
    dto::{EmbeddingList, EmbeddingRequest, EmbeddingUsage, EmbeddingView, EncodingFormat, ErrorBody, Vector},
};
use crate::{app::embed::embed, embedding::Embedding, error::Error, state::AppState};

/// Texts of one request, as at OpenAI.
const MAX_TEXTS: usize = 2048;
/// How many texts were too long, and how many of their tokens were left out.
const CUT_TEXTS: HeaderName = HeaderName::from_static("x-brainops-truncated-inputs");
const CUT_TOKENS: HeaderName = HeaderName::from_static("x-brainops-truncated-tokens");

/// Turn texts into vectors.
///
/// Of a text with more than 256 tokens (its two ends included) the first 255 and the end count. The headers
/// `x-brainops-truncated-inputs` and `x-brainops-truncated-tokens` say how many texts that was and how many tokens were
/// left out.
#[utoipa::path(post, path = "/v1/embeddings", tag = "embeddings", operation_id = "create_embeddings",
    request_body = EmbeddingRequest, responses(
    (status = 200, description = "The vectors, each of length 1", body = EmbeddingList, headers(
        ("x-brainops-truncated-inputs" = u64, description = "Texts that were too long; their beginning counts"),
        ("x-brainops-truncated-tokens" = u64, description = "Tokens of these texts that were left out"))),
    (status = 400, description = "`invalid_value`, `malformed_json`", body = ErrorBody),
    (status = 401, description = "`invalid_api_key`", body = ErrorBody),
    (status = 404, description = "`model_not_found`", body = ErrorBody),
    (status = 503, description = "`model_busy`, `model_loading`, `model_unavailable`", body = ErrorBody),
))]
pub async fn create(
    state: Data<AppState>,
    _caller: Caller,
    body: Body<EmbeddingRequest>,
) -> Result<HttpResponse, Problem> {
    let EmbeddingRequest { model, input, encoding_format, dimensions } = body.0;
    let embeddings = embed(&state, &model, texts(input)?, dimensions).await?;
    let cut_texts = embeddings.iter().filter(|embedding| embedding.cut > 0).count();
    let cut_tokens: u64 = embeddings.iter().map(|embedding| u64::from(embedding.cut)).sum();
    Ok(HttpResponse::Ok()
        .insert_header((CUT_TEXTS, HeaderValue::from(cut_texts)))
        .insert_header((CUT_TOKENS, HeaderValue::from(cut_tokens)))
        .json(present(model, embeddings, encoding_format.unwrap_or_default())))
}

fn texts(input: Value) -> Result<Vec<String>, Error> {
    let all = match input {
        Value::String(text) => return not_empty("input".into(), text).map(|text| vec![text]),
        Value::Array(all) => all,
        _ => return Err(Error::invalid("input", "must be a text or a list of texts")),
    };
    if all.is_empty() || all.len() > MAX_TEXTS {
        return Err(Error::invalid("input", format!("must have 1 to {MAX_TEXTS} texts")));
    }
    let one = |(index, value)| match value {
        Value::String(text) => not_empty(format!("input[{index}]"), text),
        _ => Err(Error::invalid(format!("input[{index}]"), "must be a text; lists of tokens are not supported")),
    };
    all.into_iter().enumerate().map(one).collect()
}

fn not_empty(param: String, text: String) -> Result<String, Error> {
    if text.is_empty() { Err(Error::invalid(param, "must not be empty")) } else { Ok(text) }
}

fn present(model: String, embeddings: Vec<Embedding>, format: EncodingFormat) -> EmbeddingList {
    let tokens = embeddings.iter().map(|embedding| u64::from(embedding.tokens)).sum();
    let view = |(index, embedding): (usize, Embedding)| EmbeddingView {
        object: "embedding",
        index,
        embedding: match format {
            EncodingFormat::Float => Vector::Float(embedding.vector.to_vec()),
            EncodingFormat::Base64 => {
                let bytes: Vec<u8> = embedding.vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                Vector::Base64(STANDARD.encode(bytes))
            }
        },
    };
    EmbeddingList {
        object: "list",
        data: embeddings.into_iter().enumerate().map(view).collect(),
        model,
        usage: EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens },
    }
}
