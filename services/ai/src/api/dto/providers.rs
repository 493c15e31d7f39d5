//! Providers on the wire. A key goes in and never comes out.

use chrono::{DateTime, Utc};
use kit::{Secret, http::Patch};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{check, not_null, value};
use crate::{
    app::{create_provider::NewProvider, test_provider::Trial, update_provider::ProviderChange},
    domain::{
        access::Realm,
        provider::{KeyEdit, ProviderKind, ProviderRecord, ProviderSource},
    },
};

/// Longest key, in bytes.
const KEY_MAX: usize = 4_096;

/// A provider as those see it who may change it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderView {
    /// The provider's id.
    pub id: Uuid,
    /// Whom it belongs to.
    pub scope: Realm,
    /// Where it comes from; one of the environment is changed there only.
    pub source: ProviderSource,
    /// Short name, unique in its scope.
    #[schema(example = "openai")]
    pub name: String,
    /// The protocol that it speaks.
    pub kind: ProviderKind,
    /// With its version segment.
    #[schema(value_type = String, example = "https://api.openai.com/v1")]
    pub base_url: Url,
    /// Whether there is a key.
    pub has_key: bool,
    /// The key's last four characters, when it has 20 or more.
    #[schema(example = "WXYZ")]
    pub key_hint: Option<String>,
    /// Grows by one with each change; also the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was made; 1970 for one of the environment.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<ProviderRecord> for ProviderView {
    fn from(provider: ProviderRecord) -> Self {
        Self {
            id: provider.id.uuid(),
            scope: Realm::of(provider.org),
            source: provider.source,
            name: provider.name,
            kind: provider.kind,
            base_url: provider.base_url,
            has_key: provider.key.is_some(),
            key_hint: provider.key.and_then(|key| key.hint),
            version: provider.version,
            created_at: provider.created_at,
            updated_at: provider.updated_at,
        }
    }
}

/// A new provider.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderCreate {
    /// Short name, unique in its scope: 1 to 63 characters `a-z`, `0-9`, `.`, `_` and dashes, beginning with a letter or
    /// digit.
    #[schema(example = "openai", min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]*$")]
    #[validate(custom(function = "provider_name"))]
    pub name: String,
    /// The protocol that it speaks.
    pub kind: ProviderKind,
    /// With its version segment; the vendor's own when absent. An organization's provider is at a public https address.
    #[serde(default)]
    #[schema(example = "https://api.openai.com/v1", max_length = 2048)]
    #[validate(custom(function = "server_url"))]
    pub base_url: Option<String>,
    /// 1 to 4096 visible ASCII characters; stored sealed and never shown.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only, example = "sk-proj-0123456789abcdef", min_length = 1, max_length = 4096)]
    #[validate(custom(function = "provider_key"))]
    pub key: Option<Secret<String>>,
    /// Whom it belongs to; `global` is for the operators of the installation.
    #[serde(default)]
    pub scope: Realm,
}

impl ProviderCreate {
    /// Whom it is for, and what it is. Validation has found the URL to be one.
    pub fn into_parts(self) -> Option<(Realm, NewProvider)> {
        let base_url = self.base_url.as_deref().unwrap_or(self.kind.vendor_url()).parse().ok()?;
        Some((self.scope, NewProvider { name: self.name, kind: self.kind, base_url, key: self.key }))
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderPatch {
    /// Short name, unique in its scope.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, example = "openai", min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]*$")]
    #[validate(custom(function = "name_patch"))]
    pub name: Patch<String>,
    /// With its version segment. With another one the key must be sent again: it is kept for the server that it was given
    /// for.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, example = "https://api.openai.com/v1", max_length = 2048)]
    #[validate(custom(function = "base_url_patch"))]
    pub base_url: Patch<String>,
    /// 1 to 4096 visible ASCII characters; `null` removes the key.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only, example = "sk-proj-0123456789abcdef", min_length = 1, max_length = 4096)]
    #[validate(custom(function = "key_patch"))]
    pub key: Patch<Secret<String>>,
}

impl From<ProviderPatch> for ProviderChange {
    fn from(patch: ProviderPatch) -> Self {
        Self {
            name: value(patch.name),
            base_url: value(patch.base_url).and_then(|url| url.parse().ok()),
            key: match patch.key {
                Patch::Absent => KeyEdit::Keep,
                Patch::Null => KeyEdit::Remove,
                Patch::Value(key) => KeyEdit::Set(key),
            },
        }
    }
}

/// What came of trying a provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderTrial {
    /// Whether it answered as it should.
    pub ok: bool,
    /// How long it took, in milliseconds.
    #[schema(example = 412)]
    pub latency_ms: u64,
    /// Its own names of its models, at most 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = json!(["gpt-5-mini"]))]
    pub models: Option<Vec<String>>,
    /// What went wrong: `unreachable`, `timeout`, `rate_limited`, `overloaded`, `server_error`, `unauthenticated`,
    /// `out_of_credit`, `bad_request`, `malformed`, `unsupported`, `key_unreadable` …
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "unauthenticated")]
    pub error: Option<&'static str>,
}

impl From<Trial> for ProviderTrial {
    fn from(trial: Trial) -> Self {
        let latency_ms = u64::try_from(trial.latency.as_millis()).unwrap_or(u64::MAX);
        let (models, error) = match trial.outcome {
            Ok(models) => (Some(models), None),
            Err(error) => (None, Some(error)),
        };
        Self { ok: error.is_none(), latency_ms, models, error }
    }
}

fn provider_name(name: &str) -> Result<(), ValidationError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let fine = begins && name.len() <= 63 && name.bytes().all(inner);
    check(
        fine,
        "name",
        "Use 1 to 63 characters a-z, 0-9, dots, underscores and dashes, beginning with a letter or digit.",
    )
}

fn name_patch(patch: &Patch<String>) -> Result<(), ValidationError> {
    not_null(patch)?;
    patch.as_value().map_or(Ok(()), |name| provider_name(name))
}

fn server_url(text: &str) -> Result<(), ValidationError> {
    let fine = text.len() <= 2048 && Url::parse(text).is_ok_and(|url| url.has_host());
    check(fine, "url", "Give an absolute URL of at most 2048 characters.")
}

fn base_url_patch(patch: &Patch<String>) -> Result<(), ValidationError> {
    not_null(patch)?;
    patch.as_value().map_or(Ok(()), |text| server_url(text))
}

fn provider_key(key: &Secret<String>) -> Result<(), ValidationError> {
    let key = key.expose();
    // What goes into a header must be visible; everything else is a slip of the clipboard.
    let fine = (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    check(fine, "key", "Give 1 to 4096 visible ASCII characters without spaces.")
}

fn key_patch(patch: &Patch<Secret<String>>) -> Result<(), ValidationError> {
    patch.as_value().map_or(Ok(()), provider_key)
}
