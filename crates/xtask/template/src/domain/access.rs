//! Who may do what: one table, and a type that proves it was asked.

use std::marker::PhantomData;

use contracts::{OrgId, Role};
use kit::Principal;

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
    /// See widgets.
    ViewWidgets: Viewer, "view widgets";
    /// Make a widget.
    CreateWidget: Member, "create a widget";
}

/// Proof that the caller may do `A` in `org`. Only [`allow`] makes one.
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

pub fn allow<A: Action>(who: &Principal) -> Result<Allowed<A>, Refused> {
    if who.role >= A::NEEDS {
        Ok(Allowed { org: who.org, action: PhantomData })
    } else {
        Err(Refused { role: who.role, action: A::NAME })
    }
}
