//! OpenAI `/v1/embeddings`.
//!
//! Source: <https://platform.openai.com/docs/api-reference/embeddings>.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::Value;

use super::{
    ApiError,
    read::{
        Fields, Path, check_body,
        fields::{invalid, list, string, wrong_type},
        limits,
    },
};
use crate::domain::{
    embedding::{EmbeddingInput, EmbeddingRequest, Embeddings},
    warnings::Warnings,
};

/// How vectors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingFormat {
    Float,
    /// Little-endian 32-bit floats.
    Base64,
}

/// Reads a request.
pub fn parse(body: Value) -> Result<(EmbeddingRequest, EncodingFormat, Warnings), ApiError> {
    check_body(&body)?;
    let mut fields = Fields::new(body, &Path::Root)?;
    let model = fields.need_string("model", limits::MODEL_BYTES)?;
    let inputs = inputs(fields.need("input")?, &fields.at("input"))?;
    let format = match fields.word("encoding_format", &["float", "base64"])? {
        Some("base64") => EncodingFormat::Base64,
        _ => EncodingFormat::Float,
    };
    let request = EmbeddingRequest {
        model,
        inputs,
        dimensions: fields.integer("dimensions", 1..=65_536)?,
        user: fields.string("user", limits::NAME_BYTES)?,
        extra: fields.rest(),
    };
    Ok((request, format, Warnings::default()))
}

/// One text, several texts, the tokens of one text, or those of several.
fn inputs(value: Value, at: &Path<'_>) -> Result<Vec<EmbeddingInput>, ApiError> {
    let listed = match value {
        Value::String(_) => return Ok(vec![text(value, at)?]),
        Value::Array(listed) => listed,
        other => return Err(wrong_type(at, "a string, a list of strings, or lists of tokens", &other)),
    };
    match listed.first() {
        None => Err(invalid(at, "must hold at least one text.")),
        Some(Value::Number(_)) => Ok(vec![tokens(listed.into(), at)?]),
        Some(_) => list(listed.into(), at, limits::INPUTS)?
            .into_iter()
            .enumerate()
            .map(|(index, value)| {
                let here = at.item(index);
                if value.is_array() { tokens(value, &here) } else { text(value, &here) }
            })
            .collect(),
    }
}

fn text(value: Value, at: &Path<'_>) -> Result<EmbeddingInput, ApiError> {
    let text = string(value, at, limits::TEXT_BYTES)?;
    if text.is_empty() { Err(invalid(at, "must not be empty.")) } else { Ok(EmbeddingInput::Text(text)) }
}

fn tokens(value: Value, at: &Path<'_>) -> Result<EmbeddingInput, ApiError> {
    let listed = list(value, at, limits::INPUT_TOKENS)?;
    if listed.is_empty() {
        return Err(invalid(at, "must not be empty."));
    }
    let token = |(index, value): (usize, &Value)| {
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| wrong_type(&at.item(index), "the id of a token, a small integer", value))
    };
    Ok(EmbeddingInput::Tokens(listed.iter().enumerate().map(token).collect::<Result<_, _>>()?))
}

/// Writes the answer. `model` is the alias that the caller named. Vectors are large, so they are written as they are
/// serialized and not before.
pub fn render<'a>(model: &'a str, answer: &'a Embeddings, format: EncodingFormat) -> impl Serialize + 'a {
    let counted = answer.usage.unwrap_or_default().input;
    List {
        object: "list",
        data: Vectors { vectors: &answer.vectors, format },
        model,
        usage: Usage { prompt_tokens: counted, total_tokens: counted },
    }
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vectors<'a>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

struct Vectors<'a> {
    vectors: &'a [Vec<f32>],
    format: EncodingFormat,
}

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: usize,
    embedding: Embedding<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Embedding<'a> {
    Float(&'a [f32]),
    Base64(String),
}

impl Serialize for Vectors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(Some(self.vectors.len()))?;
        for (index, vector) in self.vectors.iter().enumerate() {
            let embedding = match self.format {
                EncodingFormat::Float => Embedding::Float(vector),
                EncodingFormat::Base64 => {
                    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                    Embedding::Base64(STANDARD.encode(bytes))
                }
            };
            items.serialize_element(&Item { object: "embedding", index, embedding })?;
        }
        items.end()
    }
}
