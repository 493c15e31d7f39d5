//! The next message of a conversation.

use crate::{
    domain::{
        generation::{Generation, Options},
        prompt::Message,
    },
    error::Error,
    llama::Answer,
    state::AppState,
};

/// Begins the answer of `model` to `messages`.
pub async fn complete_chat(
    state: &AppState,
    model: &str,
    messages: &[Message],
    options: Options,
) -> Result<Answer, Error> {
    let chat = state.chat_model(model)?;
    let prompt = chat.chat_prompt(messages, &options.format, state.clock.now())?;
    chat.generate(Generation { prompt, options, param: "messages" }).await
}
