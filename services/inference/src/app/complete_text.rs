//! The continuation of a text, without any format around it.

use crate::{
    domain::{
        generation::{Generation, Options},
        prompt::Prompt,
    },
    error::Error,
    llama::Answer,
    state::AppState,
};

/// Begins the continuation of `text` by `model`.
pub async fn complete_text(state: &AppState, model: &str, text: String, options: Options) -> Result<Answer, Error> {
    let chat = state.chat_model(model)?;
    chat.generate(Generation { prompt: Prompt::continued(text), options, param: "prompt" }).await
}
