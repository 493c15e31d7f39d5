//! The models that a caller may use.

use std::sync::Arc;

use super::{admission, refusals};
use crate::{
    domain::{caller::Caller, model::Model},
    protocol::ApiError,
    state::AppState,
};

/// All of them, by alias.
pub async fn list_models(state: &AppState, caller: &Caller) -> Result<Vec<Arc<Model>>, ApiError> {
    state.catalog.list(caller).await.map_err(|denied| refusals::denied(denied, ""))
}

/// The one under `alias`.
pub async fn get_model(state: &AppState, caller: &Caller, alias: &str) -> Result<Arc<Model>, ApiError> {
    admission::find(state, caller, alias).await
}
