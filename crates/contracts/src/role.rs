//! Roles in an organization and what each may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Scope;

/// A member's role. Ordered by power, so `role >= Role::Admin` reads as it is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and works.
    Member,
    /// Runs the organization: members, keys, settings.
    Admin,
    /// All of it, deleting the organization included. An organization has at least one.
    Owner,
}

/// A text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role: expected owner, admin, member or viewer")]
pub struct UnknownRole;

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// The name in tokens, events and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// All that the role may do, the scopes of every weaker role included.
    pub fn scopes(self) -> &'static [Scope] {
        // `Scope::ALL` is sorted by the role that first has the scope, so every role's scopes are a prefix of it.
        let end = Scope::ALL.partition_point(|scope| scope.granted_from() <= self);
        Scope::ALL.get(..end).unwrap_or_default()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}
