//! The models that are served.

use crate::{error::Error, state::AppState};

/// A model, as far as callers care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub name: String,
    /// Seconds since 1970.
    pub created: i64,
}

/// All of them, whether or not they are loaded yet.
pub fn list_models(state: &AppState) -> Vec<Model> {
    let chat = state.chat.iter().map(|model| Model { name: model.name().to_owned(), created: model.created() });
    let embedding =
        state.embedding.iter().map(|model| Model { name: model.name().to_owned(), created: model.created() });
    chat.chain(embedding).collect()
}

/// The one of this name.
pub fn get_model(state: &AppState, name: &str) -> Result<Model, Error> {
    let mut models = list_models(state).into_iter();
    models.find(|model| model.name == name).ok_or_else(|| Error::ModelNotFound { model: name.to_owned() })
}
