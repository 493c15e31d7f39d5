//! A model as callers name it, and the routes behind the name.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, ModelId, OrgId, Role, RouteId, TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{money::Prices, provider::Provider};

/// What a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    Chat,
    Embeddings,
    Streaming,
    Tools,
    ParallelToolCalls,
    Vision,
    Audio,
    Files,
    JsonObject,
    JsonSchema,
    Logprobs,
    Reasoning,
    PromptCaching,
}

/// An alias with everything that a call needs to know.
#[derive(Clone, Debug)]
pub struct Model {
    pub id: ModelId,
    /// `None`: for every organization.
    pub org: Option<OrgId>,
    /// What callers write into `model`.
    pub alias: String,
    pub display_name: Option<String>,
    /// Tokens of input and output together.
    pub context_window: u32,
    /// Most tokens of one answer.
    pub max_output_tokens: Option<u32>,
    pub capabilities: Vec<Capability>,
    pub prices: Prices,
    pub enabled: bool,
    pub access: Access,
    /// In order of preference among equals; [`Route::weight`] and [`Route::fallback`] decide.
    pub routes: Vec<Route>,
    pub created_at: DateTime<Utc>,
}

impl Model {
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// Who may use a model. Empty lists mean everybody of the organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// The weakest role that may use it.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    #[schema(value_type = Vec<uuid::Uuid>)]
    pub teams: Vec<TeamId>,
    #[schema(value_type = Vec<uuid::Uuid>)]
    pub users: Vec<UserId>,
    #[schema(value_type = Vec<uuid::Uuid>)]
    pub api_keys: Vec<ApiKeyId>,
}

/// One way to reach a model.
#[derive(Clone, Debug)]
pub struct Route {
    pub id: RouteId,
    pub provider: Arc<Provider>,
    /// The provider's name of the model: `gpt-5-mini`, `claude-sonnet-4-5`.
    pub upstream_model: String,
    /// Share among the routes of the same rank; 0 takes no traffic.
    pub weight: u32,
    /// Rank: routes with 0 are tried first, by weight and latency; then those with 1, and so on.
    pub fallback: u32,
    pub region: Option<String>,
    /// Another price than the model's.
    pub prices: Option<Prices>,
}
