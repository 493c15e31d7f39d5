//! OpenAI `/v1/embeddings`.

use serde_json::Value;

use super::ApiError;
use crate::domain::{
    embedding::{EmbeddingRequest, Embeddings},
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
pub fn parse(_body: Value) -> Result<(EmbeddingRequest, EncodingFormat, Warnings), ApiError> {
    Err(ApiError::invalid("invalid_request", "", ""))
}

/// Writes the answer.
pub fn render(_model: &str, _answer: &Embeddings, _format: EncodingFormat) -> Value {
    Value::Null
}
