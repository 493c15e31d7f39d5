//! Who may do what: which service may call which internal route, and what a person may do to an API key. Two tables, and
//! types that prove they were asked.
//!
//! For the rest there is no table: whatever else a person does here, they do to their own account, whatever their role.

use std::marker::PhantomData;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{ApiKeyId, Role, UserId};

use super::api_key::ApiKey;

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
    /// Get a token for an API key that a client has sent.
    ExchangeApiKey, "exchange API keys", Some(&["gateway"]);
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

/// Whether admins of a key's organization may do something to the keys of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByAdmins {
    Yes,
    /// Not with a key of theirs: who finds one must not be able to stop a whole organization.
    InPerson,
    No,
}

/// Something that is done to an API key.
pub trait KeyAction {
    const BY_ADMINS: ByAdmins;
}

macro_rules! key_actions {
    ($($(#[$doc:meta])* $action:ident, $by_admins:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $action;
        impl KeyAction for $action {
            const BY_ADMINS: ByAdmins = ByAdmins::$by_admins;
        }
    )*};
}

key_actions! {
    /// See what a key may do and when it was used.
    SeeKey, Yes;
    /// End a key for good.
    RevokeKey, InPerson;
    /// Change or rotate a key. Whoever rotates one holds a secret with which to act as its owner.
    ChangeKey, No;
}

/// A key, and the proof that the caller may do `A` to it. Only [`over_key`] makes one.
#[derive(Debug)]
pub struct Held<A> {
    pub key: ApiKey,
    action: PhantomData<A>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// The caller may not know that it exists.
    #[error("the key is somebody else's")]
    Unknown,
    #[error("only the key's owner may do this, or an admin in person")]
    NotOwner,
}

/// Asks the table whether somebody may do `A` to a key of the organization that they act in, themselves or `with` a key.
pub fn over_key<A: KeyAction>(
    key: ApiKey,
    user: UserId,
    role: Role,
    with: Option<ApiKeyId>,
) -> Result<Held<A>, KeyRefused> {
    let allowed = match A::BY_ADMINS {
        _ if key.owner == user => true,
        _ if role < Role::Admin => return Err(KeyRefused::Unknown),
        ByAdmins::Yes => true,
        ByAdmins::InPerson => with.is_none(),
        ByAdmins::No => false,
    };
    if allowed { Ok(Held { key, action: PhantomData }) } else { Err(KeyRefused::NotOwner) }
}

/// How long ago somebody may have proved who they are who does what an intruder with a stolen token would do first.
pub const FRESH: TimeDelta = TimeDelta::minutes(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the last sign-in is too long ago for this")]
pub struct NotFresh;

/// Whether a person's sign-in is young enough for a sensitive change.
pub fn check_fresh(authenticated_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), NotFresh> {
    if now - authenticated_at <= FRESH { Ok(()) } else { Err(NotFresh) }
}
