//! Who belongs to which organization, in which role.

use chrono::{DateTime, Utc};
use contracts::{MembershipId, OrgId, Role, UserId, users::v1::MembershipAdded};

#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    pub id: MembershipId,
    pub org: OrgId,
    pub user: UserId,
    pub role: Role,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Membership {
    /// Somebody joins an organization.
    pub fn add(id: MembershipId, org: OrgId, user: UserId, role: Role, now: DateTime<Utc>) -> (Self, MembershipAdded) {
        let event = MembershipAdded {
            membership_id: id.to_string(),
            organization_id: org.to_string(),
            user_id: user.to_string(),
            role: role.as_str().to_owned(),
            version: 1,
            added_at: Some(now.into()),
        };
        (Self { id, org, user, role, version: 1, created_at: now, updated_at: now }, event)
    }
}

/// A member with what colleagues see of them. Somebody who joined a moment ago may not have a profile yet.
#[derive(Debug)]
pub struct Member {
    pub membership: Membership,
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub avatar_url: Option<String>,
}
