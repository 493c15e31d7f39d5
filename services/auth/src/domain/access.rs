//! Which service may call which internal route: one table, and a type that proves it was asked.
//!
//! Over people there is no such table: whatever a person does here, they do to their own account, whatever their role.

use std::marker::PhantomData;

/// Something that only some services may do.
pub trait Action {
    /// The services, or `None` for all that have credentials.
    const BY: Option<&'static [&'static str]>;
    /// What to call it when it is refused.
    const NAME: &'static str;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident, $name:literal, $by:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $action;
        impl Action for $action {
            const BY: Option<&'static [&'static str]> = $by;
            const NAME: &'static str = $name;
        }
    )*};
}

actions! {
    /// Learn which access tokens are void.
    ReadRevocations, "read revocations", None;
    /// Read every account, to build a projection.
    ReadUsers, "read the users' snapshot", Some(&["users", "standalone"]);
    /// Close an account.
    DisableUser, "disable a user", Some(&["users", "standalone"]);
}

/// Proof that a service may do `A`. Only [`allow`] makes one.
#[derive(Debug)]
pub struct Allowed<A> {
    action: PhantomData<A>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this service may not {action}")]
pub struct Refused {
    pub action: &'static str,
}

/// Asks the table whether `service` may do `A`.
pub fn allow<A: Action>(service: &str) -> Result<Allowed<A>, Refused> {
    if A::BY.is_none_or(|services| services.contains(&service)) {
        Ok(Allowed { action: PhantomData })
    } else {
        Err(Refused { action: A::NAME })
    }
}
