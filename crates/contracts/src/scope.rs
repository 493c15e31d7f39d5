//! Scopes: the single permissions that a token carries.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Role;

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal from $role:ident,)*) => {
        /// One permission, written `<what>:<verb>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $($(#[$doc])* $name,)*
        }

        impl Scope {
            /// Every scope there is, sorted by [`granted_from`](Self::granted_from).
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in tokens and API keys.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The weakest role that has the scope.
            pub const fn granted_from(self) -> Role {
                match self { $(Self::$name => Role::$role,)* }
            }
        }
    };
}

// The rights of every role in one table, the weakest role first.
scopes! {
    /// Read profiles of people in the organization.
    UsersRead = "users:read" from Viewer,
    /// Change one's own profile and preferences. Everybody may; an API key can be kept from it.
    UsersWrite = "users:write" from Viewer,
    /// Read organizations one belongs to.
    OrganizationsRead = "organizations:read" from Viewer,
    /// Read members, teams and invitations.
    MembersRead = "members:read" from Viewer,
    /// See the models one may use, and one's own usage and quotas.
    AiRead = "ai:read" from Viewer,
    /// Recall memories and search documents.
    MemoryRead = "memory:read" from Viewer,
    /// Read projects and tasks.
    ProjectsRead = "projects:read" from Viewer,
    /// Read products, orders and licences.
    MarketplaceRead = "marketplace:read" from Viewer,
    /// Read workflows and their executions.
    AutomationRead = "automation:read" from Viewer,
    /// Call language models and agents.
    AiInvoke = "ai:invoke" from Member,
    /// Store and forget memories and documents.
    MemoryWrite = "memory:write" from Member,
    /// Create and change projects and tasks.
    ProjectsWrite = "projects:write" from Member,
    /// Publish products, buy, manage licences.
    MarketplaceWrite = "marketplace:write" from Member,
    /// Change and run workflows.
    AutomationWrite = "automation:write" from Member,
    /// List one's API keys; an admin lists the organization's.
    ApiKeysRead = "api_keys:read" from Member,
    /// Make, change and revoke API keys.
    ApiKeysWrite = "api_keys:write" from Member,
    /// Change providers, models and quotas; read everybody's usage.
    AiWrite = "ai:write" from Admin,
    /// Change the organization's name and settings.
    OrganizationsWrite = "organizations:write" from Admin,
    /// Invite, remove and re-role members; manage teams.
    MembersWrite = "members:write" from Admin,
    /// Read the audit log.
    AuditRead = "audit:read" from Admin,
    /// Delete the organization or hand it over.
    OrganizationsDelete = "organizations:delete" from Owner,
}

/// A text names no scope. Does not repeat the text, which came from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope")]
pub struct UnknownScope;

impl Scope {
    const fn bit(self) -> u64 {
        1 << self as u64
    }
}

// A set is one word of bits.
const _: () = assert!(Scope::ALL.len() <= 64);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A set of scopes; as text (the `scope` claim, RFC 6749 section 3.3) separated by spaces.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(u64);

impl ScopeSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// Reads the `scope` claim of a verified token. A name that this build does not know is left out: during a rolling
    /// upgrade auth may already grant what this service never asks for, and leaving out can only take rights away.
    pub fn from_claim(text: &str) -> Self {
        text.split(' ').filter_map(|name| name.parse::<Scope>().ok()).collect()
    }

    /// Whether the scope is in the set.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// What is in both: how an API key's scopes are held within its owner's role.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of this set is in the other one.
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes in the set, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl<'a> FromIterator<&'a Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = &'a Scope>>(scopes: I) -> Self {
        scopes.into_iter().copied().collect()
    }
}

/// Strict: for what a person wrote, where a misspelt scope must not silently become no scope.
impl FromStr for ScopeSet {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        text.split_ascii_whitespace().map(str::parse::<Scope>).collect()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::as_str)).finish()
    }
}
