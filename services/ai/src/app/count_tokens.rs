//! How many tokens the input of a chat is.

use super::{ChatCall, admission};
use crate::{
    domain::{
        chat::{Message, Part},
        tokens::{self, Tokenizer},
    },
    protocol::ApiError,
    state::AppState,
};

/// Tokens of the input, counted here by a vocabulary that is near the model's own but not the same. Costs nothing.
pub async fn count_tokens(state: &AppState, call: ChatCall) -> Result<u64, ApiError> {
    let place = admission::room(state)?;
    admission::find(state, &call.caller, &call.request.model).await?;
    let tokenizer = state.calls.tokenizer.clone();
    let counted = tokio::task::spawn_blocking(move || {
        // The work goes on when the caller leaves, and takes its place as long.
        let _place = place;
        tokenizer.load();
        count(&tokenizer, &call)
    });
    counted.await.map_err(|error| super::refusals::broken(&error))
}

/// The estimate, with all plain text counted instead.
fn count(tokenizer: &Tokenizer, call: &ChatCall) -> u64 {
    let texts = call.request.messages.iter().flat_map(texts);
    texts.fold(tokens::chat(&call.request).likely, |total, text| {
        total.saturating_sub(tokens::likely(text)) + tokenizer.count(text)
    })
}

fn texts(message: &Message) -> impl Iterator<Item = &str> {
    message
        .parts
        .iter()
        .flat_map(|part| match part {
            Part::ToolResult { parts, .. } => parts.as_slice(),
            part => std::slice::from_ref(part),
        })
        .filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
}
