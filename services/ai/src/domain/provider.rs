//! Who runs models, and how they are reached.

use contracts::{OrgId, ProviderId};
use kit::Secret;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

/// The protocol that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenAI's chat completions and embeddings: OpenAI, vLLM, Ollama, the bundled inference.
    Openai,
    /// Anthropic's messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
}

impl ProviderKind {
    /// In URLs, tables, metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

/// A provider with what is needed to call it.
#[derive(Clone, Debug)]
pub struct Provider {
    pub id: ProviderId,
    /// `None`: for every organization of the installation.
    pub org: Option<OrgId>,
    /// Short name, unique in its scope: `openai`, `local`.
    pub name: String,
    pub kind: ProviderKind,
    /// With its version segment: `https://api.openai.com/v1`.
    pub base_url: Url,
    /// `None` for a server that asks for none.
    pub key: Option<Secret<String>>,
    /// An operator configured it, so private addresses and plain http are allowed. An organization's own provider is
    /// reached only at public https addresses.
    pub trusted: bool,
}
