//! Typed ids: a `UserId` cannot be passed where an `OrgId` is meant.
//!
//! New ids are `UUIDv7` (RFC 9562), made by `kit`'s id port. Reading accepts the hyphenated form only: two spellings of
//! one id would be two cache entries and two idempotency scopes. The version is not checked, because an id is an
//! opaque name to everyone but its maker.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// What every typed id can do; lets generic code (an id generator, a path extractor) make any of them.
pub trait Id: Copy + Eq + Ord + fmt::Display + FromStr<Err = IdError> + Send + Sync + 'static {
    /// What the id names, for messages: `user`, `organization`, …
    const NOUN: &'static str;
    /// Wraps a UUID.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The UUID inside.
    fn uuid(self) -> Uuid;
}

/// A text is not the id it should be. Does not repeat the text, which came from outside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {} {noun} id: expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057", article(noun))]
pub struct IdError {
    /// What the id should have named.
    pub noun: &'static str,
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A']) && !noun.starts_with("us") { "an" } else { "a" }
}

fn parse(noun: &'static str, text: &str) -> Result<Uuid, IdError> {
    const HYPHENATED: usize = 36;
    if text.len() != HYPHENATED {
        return Err(IdError { noun });
    }
    Uuid::try_parse(text).map_err(|_| IdError { noun })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $noun:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Id for $name {
            const NOUN: &'static str = $noun;

            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($noun, text).map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text($noun)).map(Self)
            }
        }
    )*};
}

/// Reads an id without taking a copy of the text; carries the noun for the error.
struct Text(&'static str);

impl de::Visitor<'_> for Text {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} id (a UUID)", article(self.0), self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
        parse(self.0, text).map_err(E::custom)
    }
}

ids! {
    /// A person (or the program behind a service account acting as one).
    UserId = "user";
    /// An organization: the tenant that owns rows.
    OrgId = "organization";
    /// A signed-in session; the `sid` claim.
    SessionId = "session";
    /// One published event; CloudEvents `id`.
    EventId = "event";
    /// A user's belonging to an organization.
    MembershipId = "membership";
    /// A line of refresh tokens that replace each other (one login on one device).
    TokenFamilyId = "token family";
    /// A token signing key; the `kid` header.
    KeyId = "signing key";
    /// An API key's public part.
    ApiKeyId = "API key";
    /// An account for a program.
    ServiceAccountId = "service account";
    /// A team inside an organization.
    TeamId = "team";
    /// An invitation into an organization.
    InvitationId = "invitation";
    /// Who runs language models: a vendor's API or a server of one's own.
    ProviderId = "provider";
    /// A language model under the name that callers use.
    ModelId = "model";
    /// One way to reach a model.
    RouteId = "route";
    /// A limit of usage.
    QuotaId = "quota";
    /// One call of a model: a chat answer or a batch of embeddings.
    CompletionId = "completion";
    /// One HTTP request, as `X-Request-Id` names it.
    RequestId = "request";
    /// A conversation in the memory service; a log-in is a [`SessionId`].
    MemorySessionId = "session";
    /// One turn of a conversation.
    MessageId = "message";
    /// Something remembered.
    MemoryId = "memory";
    /// Facts that a language model takes from what was given to remember.
    ExtractionId = "extraction";
    /// Documents that belong together.
    CollectionId = "collection";
    /// Something that was uploaded to be found.
    DocumentId = "document";
    /// A part of a document.
    ChunkId = "chunk";
}
