//! Who runs models, and how they are reached.

use std::fmt;

use chrono::{DateTime, Utc};
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
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Openai, Self::Anthropic, Self::Gemini];

    /// In URLs, tables, metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Where the vendor itself serves this protocol, with the version segment.
    pub fn vendor_url(self) -> &'static str {
        match self {
            Self::Openai => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta",
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

/// A provider as it is kept and shown: its key stays sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderRecord {
    pub id: ProviderId,
    /// `None`: for every organization of the installation.
    pub org: Option<OrgId>,
    pub name: String,
    pub kind: ProviderKind,
    pub base_url: Url,
    pub key: Option<KeptKey>,
    pub source: ProviderSource,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Where a provider comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderSource {
    /// Configured in the environment of the service; changed there only.
    Environment,
    /// Made over the API.
    Custom,
}

/// What is kept of a key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptKey {
    /// Sealed for [`ProviderRecord::place`]; `None` for a key of the environment, which is never stored.
    pub sealed: Option<String>,
    /// Its last characters, to tell keys apart by; see [`hint`].
    pub hint: Option<String>,
}

impl fmt::Debug for KeptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptKey").field("hint", &self.hint).finish_non_exhaustive()
    }
}

/// What is to be changed of a provider; `None` stays as it is. The kind never changes.
#[derive(Clone, Debug, Default)]
pub struct ProviderEdit {
    pub name: Option<String>,
    pub base_url: Option<Url>,
    pub key: KeyEdit<KeptKey>,
}

/// What is to become of a provider's key.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum KeyEdit<K> {
    #[default]
    Keep,
    Remove,
    Set(K),
}

impl<K> KeyEdit<K> {
    /// The same with another form of the key.
    pub fn try_map<T, E>(self, f: impl FnOnce(K) -> Result<T, E>) -> Result<KeyEdit<T>, E> {
        Ok(match self {
            Self::Keep => KeyEdit::Keep,
            Self::Remove => KeyEdit::Remove,
            Self::Set(key) => KeyEdit::Set(f(key)?),
        })
    }
}

/// The key would go to another server than the one it was given for: whoever may change a provider could read its key
/// by pointing it at a server of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is kept for the server that it was given for")]
pub struct KeyWouldMove;

impl ProviderRecord {
    /// What a key of this provider is sealed for, so that it opens nowhere else.
    pub fn place(id: ProviderId) -> String {
        format!("providers/{id}")
    }

    /// The provider after `edit`, and whether anything changed.
    ///
    /// # Errors
    /// [`KeyWouldMove`] when the URL changes and the edit says nothing of the key that is there.
    pub fn edit(self, edit: ProviderEdit, now: DateTime<Utc>) -> Result<(Self, bool), KeyWouldMove> {
        let mut next = self.clone();
        next.name = edit.name.unwrap_or(next.name);
        next.base_url = edit.base_url.unwrap_or(next.base_url);
        if next.base_url != self.base_url && self.key.is_some() && edit.key == KeyEdit::Keep {
            return Err(KeyWouldMove);
        }
        next.key = match edit.key {
            KeyEdit::Keep => next.key,
            KeyEdit::Remove => None,
            KeyEdit::Set(key) => Some(key),
        };
        let changed = next != self;
        if changed {
            next.version += 1;
            next.updated_at = now;
        }
        Ok((next, changed))
    }
}

/// The last four characters of a key that is long enough for them to say nothing of the rest.
pub fn hint(key: &str) -> Option<String> {
    const SHOWN: usize = 4;
    const LONG_ENOUGH: usize = 20;
    let start = key.char_indices().rev().nth(SHOWN - 1).map(|(at, _)| at)?;
    (key.chars().count() >= LONG_ENOUGH).then(|| key[start..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ProviderRecord {
        ProviderRecord {
            id: "019a0000-0000-7000-8000-000000000001".parse().unwrap(),
            org: None,
            name: "openai".into(),
            kind: ProviderKind::Openai,
            base_url: ProviderKind::Openai.vendor_url().parse().unwrap(),
            key: Some(KeptKey { sealed: Some("v1.a.b".into()), hint: None }),
            source: ProviderSource::Custom,
            version: 3,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_key_does_not_move_to_another_server() {
        let elsewhere = || Some("https://api.example.org/v1".parse().unwrap());
        let edit = |key| ProviderEdit { base_url: elsewhere(), key, ..Default::default() };
        assert_eq!(record().edit(edit(KeyEdit::Keep), DateTime::UNIX_EPOCH), Err(KeyWouldMove));
        let (moved, _) = record().edit(edit(KeyEdit::Remove), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!((moved.key, moved.version), (None, 4));
        let without = ProviderRecord { key: None, ..record() };
        assert!(without.edit(edit(KeyEdit::Keep), DateTime::UNIX_EPOCH).is_ok(), "there is no key to lose");
        let same = ProviderEdit { base_url: Some(record().base_url), ..Default::default() };
        assert_eq!(record().edit(same, DateTime::UNIX_EPOCH), Ok((record(), false)));
    }

    #[test]
    fn a_hint_gives_four_characters_of_twenty_or_more() {
        assert_eq!(hint("sk-0123456789abcdefWXYZ").as_deref(), Some("WXYZ"));
        assert_eq!(hint("0123456789012345678"), None);
        assert_eq!(hint(&"ü".repeat(20)).as_deref(), Some("üüüü"));
        assert_eq!(hint(""), None);
    }
}
