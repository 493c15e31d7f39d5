//! Who may do what in an organization: one table, and a type that proves it was asked.

use std::marker::PhantomData;

use contracts::{OrgId, Role};

use super::membership::Membership;

/// Something that needs permission inside an organization.
pub trait Action {
    /// The weakest role that may do it.
    const NEEDS: Role;
    /// What to call it when it is refused.
    const NAME: &'static str;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident: $role:ident, $name:literal;)*) => {
        $($(#[$doc])* #[derive(Debug)] pub struct $action;
        impl Action for $action {
            const NEEDS: Role = Role::$role;
            const NAME: &'static str = $name;
        })*
    };
}

actions! {
    /// See the organization's name and settings.
    ViewOrganization: Viewer, "view the organization";
    /// See who belongs to the organization.
    ListMembers: Viewer, "list members";
}

/// Proof that a member may do `A` in `org`. Only [`allow`] makes one.
#[derive(Debug)]
pub struct Allowed<A> {
    pub org: OrgId,
    action: PhantomData<A>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a {role} may not {action}")]
pub struct Refused {
    pub role: Role,
    pub action: &'static str,
}

pub fn allow<A: Action>(membership: &Membership) -> Result<Allowed<A>, Refused> {
    if membership.role >= A::NEEDS {
        Ok(Allowed { org: membership.org, action: PhantomData })
    } else {
        Err(Refused { role: membership.role, action: A::NAME })
    }
}
