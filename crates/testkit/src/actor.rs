//! Somebody who calls.

use contracts::{OrgId, Role, SessionId, UserId};
use uuid::Uuid;

/// A person in a role in an organization, signed in.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    pub user: UserId,
    pub org: OrgId,
    pub session: SessionId,
    pub role: Role,
}

impl Actor {
    /// Somebody new in an organization of their own.
    pub fn new(role: Role) -> Self {
        Self { user: UserId::from_uuid(id()), org: OrgId::from_uuid(id()), session: SessionId::from_uuid(id()), role }
    }

    /// Somebody new in the same organization.
    #[must_use]
    pub fn colleague(&self, role: Role) -> Self {
        Self { org: self.org, ..Self::new(role) }
    }

    /// The same person in another organization.
    #[must_use]
    pub fn in_org(&self, org: OrgId, role: Role) -> Self {
        Self { org, role, ..*self }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests need ids that no other test has")]
pub(crate) fn id() -> Uuid {
    Uuid::now_v7()
}
