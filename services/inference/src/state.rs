//! What every use case can reach.

use std::sync::Arc;

use kit::{Clock, Ids, Secret};

use crate::{embedding::EmbeddingModel, error::Error, llama::ChatModel};

pub struct AppState {
    /// `None` when no chat model is configured.
    pub chat: Option<ChatModel>,
    /// `None` when no embedding model is configured.
    pub embedding: Option<EmbeddingModel>,
    /// What callers must show; `None` lets everybody in who reaches the port.
    pub api_key: Option<Secret<String>>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

impl AppState {
    /// The chat model, when this is its name.
    pub fn chat_model(&self, name: &str) -> Result<&ChatModel, Error> {
        self.chat.as_ref().filter(|model| model.name() == name).ok_or_else(|| unknown(name))
    }

    /// The embedding model, when this is its name.
    pub fn embedding_model(&self, name: &str) -> Result<&EmbeddingModel, Error> {
        self.embedding.as_ref().filter(|model| model.name() == name).ok_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> Error {
    Error::ModelNotFound { model: name.to_owned() }
}
