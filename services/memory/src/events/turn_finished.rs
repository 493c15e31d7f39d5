//! A model has answered, and what was said belongs to a conversation.

use contracts::{CompletionId, OrgId, ai::v1::TurnFinished};
use events::{Delivery, Failure};

use crate::{
    app::remember_turn::remember_turn,
    clients::ai::{AiClient, AiError},
    state::AppState,
};

pub async fn handle(state: AppState, ai: AiClient, delivery: Delivery<TurnFinished>) -> Result<(), Failure> {
    let event = &delivery.event;
    let org: OrgId = event.organization_id.parse().map_err(Failure::fail)?;
    let completion: CompletionId = event.completion_id.parse().map_err(Failure::fail)?;
    let Some(turn) = ai.turn(org, completion).await.map_err(away)? else {
        // It was kept before, and the news of it came twice.
        tracing::debug!(completion.id = %completion, "The turn of a call is not there");
        return Ok(());
    };
    remember_turn(&state, delivery.id, &delivery.origin, (org, completion), turn).await?;
    if let Err(error) = ai.forget(org, completion).await {
        // It goes by itself after some days.
        tracing::debug!(error = &error as &dyn std::error::Error, "ai still has a turn that is kept");
    }
    Ok(())
}

/// While ai is away nothing can be fetched, and nothing is lost.
fn away(error: AiError) -> Failure {
    match &error {
        AiError::Call(call) if !call.is_transient() => Failure::retry(error),
        _ => Failure::pause(error),
    }
}
