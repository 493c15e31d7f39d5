//! Vectors for texts.

use std::pin::pin;

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    About,
    admission::{self, CacheResult},
    bill::Bill,
    complete_chat::{Answer, all},
    refusals,
};
use crate::{
    clients::{Attempt, Failure, Providers},
    domain::{
        caller::Caller,
        chat::{Dialect, TokenUsage},
        embedding::{EmbeddingRequest, Embeddings},
        model::{Capability, Model},
        tokens,
        warnings::Warnings,
    },
    error,
    ledger::{Estimate, Operation, Outcome},
    metrics,
    protocol::{
        ApiError,
        embeddings::{self, EncodingFormat},
    },
    routing::{Ask, Mode, Routed},
    state::AppState,
};

/// Tokens of one call at most, as OpenAI has it.
const MOST_TOKENS: u64 = 300_000;

/// A request for vectors.
pub struct EmbedCall {
    pub caller: Caller,
    pub request: EmbeddingRequest,
    pub format: EncodingFormat,
    /// What the protocol could not carry.
    pub warnings: Warnings,
    /// When the request was here.
    pub begun: Instant,
}

/// Gets a vector for each input. Nothing is charged on any refusal.
pub async fn embed_texts(state: &AppState, call: EmbedCall) -> Result<Answer, ApiError> {
    let answer = embed(state, call).await;
    match &answer {
        Ok(answer) => metrics::own_time(Operation::Embeddings, answer.about.overhead),
        Err(error) => metrics::refused(Operation::Embeddings, error.code),
    }
    answer
}

async fn embed(state: &AppState, call: EmbedCall) -> Result<Answer, ApiError> {
    let EmbedCall { caller, request, format, warnings, begun } = call;
    let _place = admission::room(state)?;
    let model = admission::find(state, &caller, &request.model).await?;
    let input = check(&model, &request)?;
    let usage = TokenUsage { input, ..TokenUsage::default() };
    let estimate = Estimate { tokens: input, cost: model.prices.cost(&usage) };
    let id = kit::NewId::new(&*state.ids);
    let reservation = admission::reserve(state, &caller, (id, &model), Operation::Embeddings, estimate).await?;
    let mut bill = Bill::new(reservation, Operation::Embeddings, &model, input, begun);
    let headroom = bill.headroom();

    let ask = Embed { providers: &state.providers, request: &request, bill: &bill };
    let Routed { answer, route, attempts, away, lease, span } =
        match state.calls.router.run(&model, Mode::Whole, &ask).await {
            Ok(routed) => routed,
            Err(exhausted) => {
                bill.refund();
                return Err(refusals::exhausted(exhausted, Dialect::ChatCompletions));
            }
        };
    lease.succeeded(Instant::now());
    bill.answered_by(&route, attempts);
    let used = answer.usage.unwrap_or(usage);
    bill.used(used, answer.usage.is_none());
    span.record("gen_ai.usage.input_tokens", used.input);
    let cost = bill.cost();
    bill.close(Outcome::Completed, None).await;

    let answer = Embeddings { usage: Some(used), ..answer };
    let body = embeddings::render(&request.model, &answer, format);
    let body: Bytes = serde_json::to_vec(&body).map_err(|error| refusals::broken(&error))?.into();
    let about = About {
        upstream_model: route.upstream_model.clone(),
        provider: route.provider.name.clone(),
        cost: Some(cost.0),
        attempts,
        cache: CacheResult::Bypass,
        warnings: all(warnings, &answer.warnings),
        recalled: None,
        headroom,
        away,
        overhead: begun.elapsed().saturating_sub(away),
    };
    Ok(Answer { about, body })
}

/// Ok with the tokens of the input, about, when the model can take it.
fn check(model: &Model, request: &EmbeddingRequest) -> Result<u64, ApiError> {
    let alias = &request.model;
    if !model.can(Capability::Embeddings) {
        let message = format!("The model `{alias}` does not make embeddings.");
        return Err(ApiError::invalid(error::UNSUPPORTED_PARAMETER.code, "model", message));
    }
    let (mut likely, mut at_least) = (0, 0);
    for (index, input) in request.inputs.iter().enumerate() {
        let size = tokens::embedding(input);
        if size.at_least > model.context_window.into() {
            return Err(ApiError::invalid(
                error::CONTEXT_LENGTH_EXCEEDED.code,
                if request.inputs.len() == 1 { "input".to_owned() } else { format!("input[{index}]") },
                format!(
                    "The model `{alias}` takes {} tokens at most, but the input has at least {}.",
                    model.context_window, size.at_least
                ),
            ));
        }
        likely += size.likely;
        at_least += size.at_least;
    }
    if at_least > MOST_TOKENS {
        let message = format!("The inputs have at least {at_least} tokens; one call takes {MOST_TOKENS} at most.");
        return Err(ApiError::invalid(error::CONTEXT_LENGTH_EXCEEDED.code, "input", message));
    }
    Ok(likely)
}

/// One attempt.
struct Embed<'a> {
    providers: &'a Providers,
    request: &'a EmbeddingRequest,
    bill: &'a Bill,
}

impl Ask for Embed<'_> {
    type Answer = Embeddings;
    const OPERATION: &'static str = "embeddings";

    async fn ask(&self, attempt: Attempt<'_>) -> Result<Embeddings, Failure> {
        self.bill.asking(pin!(self.providers.embed(attempt, self.request))).await
    }
}
