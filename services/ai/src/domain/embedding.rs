//! Texts in, vectors out.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{chat::TokenUsage, warnings::Warnings};

/// What is asked of an embedding model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EmbeddingRequest {
    /// The alias that the caller named.
    pub model: String,
    pub inputs: Vec<EmbeddingInput>,
    /// Length that the vectors shall have, for models that can shorten them.
    pub dimensions: Option<u32>,
    pub user: Option<String>,
    /// Fields that this type does not know.
    pub extra: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum EmbeddingInput {
    Text(String),
    /// Token ids of the model's own tokenizer.
    Tokens(Vec<u32>),
}

/// One vector for each input, in the order of the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    pub vectors: Vec<Vec<f32>>,
    pub model: Option<String>,
    /// Input tokens; there is no output.
    pub usage: Option<TokenUsage>,
    pub warnings: Warnings,
}
