//! Who calls, as quotas, usage records and access rules see it.

use contracts::{ApiKeyId, OrgId, Role, UserId};
use kit::Principal;

/// The one who asks, and in whose organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    pub org: OrgId,
    pub user: UserId,
    pub role: Role,
    /// The API key behind the call, when it was a program's.
    pub api_key: Option<ApiKeyId>,
}

impl From<&Principal> for Caller {
    fn from(principal: &Principal) -> Self {
        Self { org: principal.org, user: principal.user, role: principal.role, api_key: principal.api_key }
    }
}
