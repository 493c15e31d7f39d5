//! A model as callers name it, and the routes behind the name.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, ModelId, OrgId, Role, RouteId, TeamId, UserId, ai::v1::ModelChanged};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{definition::Definition, money::Prices, provider::Provider};

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

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 13] = [
        Self::Chat,
        Self::Embeddings,
        Self::Streaming,
        Self::Tools,
        Self::ParallelToolCalls,
        Self::Vision,
        Self::Audio,
        Self::Files,
        Self::JsonObject,
        Self::JsonSchema,
        Self::Logprobs,
        Self::Reasoning,
        Self::PromptCaching,
    ];

    /// In the API and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Streaming => "streaming",
            Self::Tools => "tools",
            Self::ParallelToolCalls => "parallel_tool_calls",
            Self::Vision => "vision",
            Self::Audio => "audio",
            Self::Files => "files",
            Self::JsonObject => "json_object",
            Self::JsonSchema => "json_schema",
            Self::Logprobs => "logprobs",
            Self::Reasoning => "reasoning",
            Self::PromptCaching => "prompt_caching",
        }
    }

    /// The capability of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == name)
    }
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

/// Who may use a model: everybody of the role or above who is on one of the lists. Empty lists mean everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// The weakest role that may use it: `viewer`, `member`, `admin` or `owner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "member")]
    pub role: Option<Role>,
    /// Teams whose members may use it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<uuid::Uuid>)]
    pub teams: Vec<TeamId>,
    /// People who may use it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<uuid::Uuid>)]
    pub users: Vec<UserId>,
    /// API keys that may use it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
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

/// A model as it is kept and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRecord {
    pub id: ModelId,
    /// `None`: for every organization.
    pub org: Option<OrgId>,
    pub source: ModelSource,
    pub definition: Definition,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Where a model comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// From the catalogue of well-known models that comes with this release.
    Seeded,
    /// From the list of a server in the environment.
    Discovered,
    /// Made, or changed, over the API.
    Custom,
}

/// What happened to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Created,
    Updated,
    Deleted,
}

impl ModelRecord {
    /// A new model and the fact that it exists.
    pub fn create(id: ModelId, org: Option<OrgId>, definition: Definition, now: DateTime<Utc>) -> (Self, ModelChanged) {
        let record =
            Self { id, org, source: ModelSource::Custom, definition, version: 1, created_at: now, updated_at: now };
        let event = record.changed(Change::Created, now);
        (record, event)
    }

    /// The model with another definition; no event when it is the same. One that came with the release is the
    /// installation's own from then on.
    pub fn redefine(self, definition: Definition, now: DateTime<Utc>) -> (Self, Option<ModelChanged>) {
        if definition == self.definition {
            return (self, None);
        }
        let next = Self { definition, source: ModelSource::Custom, version: self.version + 1, updated_at: now, ..self };
        let event = next.changed(Change::Updated, now);
        (next, Some(event))
    }

    /// The fact that something happened to the model, which has its version after it.
    pub fn changed(&self, change: Change, now: DateTime<Utc>) -> ModelChanged {
        ModelChanged {
            model_id: self.id.to_string(),
            organization_id: self.org.map(|org| org.to_string()),
            alias: self.definition.alias.clone(),
            change: match change {
                Change::Created => "created",
                Change::Updated => "updated",
                Change::Deleted => "deleted",
            }
            .to_owned(),
            version: i32::try_from(self.version).unwrap_or(i32::MAX),
            changed_at: Some(now.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_capabilities_are_those_of_the_api() {
        for capability in Capability::ALL {
            assert_eq!(serde_json::to_value(capability).unwrap(), capability.as_str());
            assert_eq!(Capability::named(capability.as_str()), Some(capability));
        }
    }
}
