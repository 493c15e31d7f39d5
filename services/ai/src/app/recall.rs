//! Puts before a model what memory knows. A call never fails for want of memories: it goes on without them, and the answer
//! says so.

use std::time::Instant;

use kit::outbound::CallError;

use super::ChatCall;
use crate::{
    clients::memory::{Memory, Occasion, Scope},
    domain::{
        chat::{ChatRequest, MessageRole},
        model::Model,
        recalled,
        tokens::{self, Size},
    },
    metrics,
    state::AppState,
};

/// Characters of a question, as memory takes them. Of a longer one the end counts, where people tend to ask.
const QUESTION_CHARS: usize = 4_000;
/// A smaller budget is not worth the question.
const LEAST_TOKENS: u64 = 50;

/// Recalls what the call asks for; how many memories the model sees, `None` when nothing was asked for. `size` is that of
/// the request without them.
pub(super) async fn recall(state: &AppState, call: &mut ChatCall, model: &Model, size: Size) -> Option<usize> {
    let top_k = call.request.brainops.recalls();
    if top_k == 0 {
        return None;
    }
    let Some(memory) = &state.memory else {
        call.warnings.dropped("brainops.recall");
        return None;
    };
    let Some(question) = recalled::question(&call.request) else { return Some(0) };
    let budget = state.calls.recall_tokens.min(room(&call.request, model, size) / 2);
    if budget < LEAST_TOKENS + recalled::FENCE_TOKENS {
        call.warnings.dropped("brainops.recall");
        return None;
    }
    let begun = Instant::now();
    let found = ask(memory, call, &question, top_k, budget - recalled::FENCE_TOKENS).await;
    metrics::recalled(found.as_ref().map(Option::is_some), begun.elapsed());
    match found {
        Ok(Some((text, memories))) => {
            recalled::put(&mut call.request, &text);
            Some(memories)
        }
        Ok(None) => Some(0),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "Nothing was recalled for a call");
            call.warnings.dropped("brainops.recall");
            None
        }
    }
}

async fn ask(
    memory: &Memory,
    call: &ChatCall,
    question: &str,
    top_k: u32,
    token_budget: u64,
) -> Result<Option<(String, usize)>, CallError> {
    let request = &call.request;
    let skipped = question.chars().count().saturating_sub(QUESTION_CHARS);
    let query = question.char_indices().nth(skipped).map_or("", |(start, _)| &question[start..]);
    let brainops = &request.brainops;
    let occasion = Occasion {
        query,
        scope: Scope { user: brainops.user.as_deref().unwrap_or("me"), shared: true },
        top_k,
        token_budget,
        // Who sends what the model said before sends the whole conversation.
        except_external_id: brainops.session_id.as_deref().filter(|_| has_answers(request)),
    };
    let found = memory.recall(&call.token, &occasion).await?;
    let memories = found.memories();
    Ok((memories > 0).then_some((found.text, memories)))
}

fn has_answers(request: &ChatRequest) -> bool {
    request.messages.iter().any(|message| message.role == MessageRole::Assistant)
}

/// Tokens that the model's window has beside the request and its answer.
fn room(request: &ChatRequest, model: &Model, size: Size) -> u64 {
    let answer = request.max_tokens.or(model.max_output_tokens).unwrap_or_default();
    let window = u64::from(model.context_window);
    // A model whose answer could fill the window seldom does.
    window.saturating_sub(size.likely).saturating_sub(u64::from(answer).min(window / 4))
}

/// The size of a request that memories were put into.
pub(super) fn size_with(request: &ChatRequest, recalled: Option<usize>, without: Size) -> Size {
    if recalled.is_some_and(|memories| memories > 0) { tokens::chat(request) } else { without }
}
