//! Shared by what makes, changes and ends API keys: what a caller may give, and the row, the revocation, the audit line and
//! the event of a change in one transaction.

use contracts::{ApiKeyId, Event, OrgId, Origin, UserId};
use db::{audit, diesel::PgConnection, outbox};
use kit::Principal;
use serde_json::{Value, json};

use crate::{
    domain::{
        access::{self, Held, KeyAction},
        api_key::{ApiKey, Grant, MAX_ACTIVE, Reason, Status},
        networks::Networks,
        session::Device,
    },
    error::Error,
    state::AppState,
    store::{
        api_keys::{self, Of},
        memberships,
        revocations::{self, Revocation, Voids},
        users,
    },
};

/// A key that the caller may do `A` to, held until the transaction ends.
pub(super) fn hold<A: KeyAction>(conn: &mut PgConnection, who: &Principal, id: ApiKeyId) -> Result<Held<A>, Error> {
    let key = api_keys::lock(conn, who.org, id)?.ok_or(Error::ApiKeyNotFound(id))?;
    over(key, who)
}

/// Asks whether the caller may do `A` to a key.
pub(super) fn over<A: KeyAction>(key: ApiKey, who: &Principal) -> Result<Held<A>, Error> {
    let id = key.id;
    access::over_key(key, who.user, who.role, who.api_key).map_err(|refused| match refused {
        access::KeyRefused::Unknown => Error::ApiKeyNotFound(id),
        access::KeyRefused::NotOwner => Error::NotKeyOwner,
    })
}

/// What the caller may give to a key at most. A person gives what their token allows and their role still does; a key gives
/// nothing that it does not have itself, so that who finds one cannot make it last, widen it or take it elsewhere.
pub(super) fn authority(conn: &mut PgConnection, who: &Principal, origin: &Origin) -> Result<Grant, Error> {
    let role = memberships::role_in_org(conn, who.user, who.org)?.ok_or(Error::OrganizationNotFound(who.org))?;
    let scopes = who.scopes.intersection(role.scopes().iter().collect());
    let Some(id) = who.api_key else {
        return Ok(Grant { scopes, expires_at: None, networks: Networks::default() });
    };
    let own = api_keys::find(conn, who.org, id)?.filter(|key| key.status(origin.at) == Status::Active);
    let own = own.ok_or(Error::InvalidApiKey)?.grant;
    Ok(Grant { scopes: scopes.intersection(own.scopes), ..own })
}

/// Refuses a grant that goes beyond what its giver has.
pub(super) fn within(grant: &Grant, authority: &Grant) -> Result<(), Error> {
    let beyond = grant.beyond(authority);
    if beyond.is_empty() { Ok(()) } else { Err(Error::NotGrantable(beyond)) }
}

/// A sensitive change needs a recent sign-in. A key cannot sign in: that it may change keys at all is what somebody who had
/// signed in gave it.
pub(super) fn fresh(who: &Principal, origin: &Origin) -> Result<(), Error> {
    match who.api_key {
        Some(_) => Ok(()),
        None => Ok(access::check_fresh(who.auth_time, origin.at)?),
    }
}

/// Holds the making of keys when a key is what makes one, so that it is not being ended meanwhile with all that it made.
pub(super) fn hold_making(conn: &mut PgConnection, who: &Principal) -> Result<(), Error> {
    if who.api_key.is_some() {
        api_keys::hold_making(conn, who.org)?;
    }
    Ok(())
}

/// Holds the owner of a key that is about to be made, so that the number of keys holds and nobody is disabled or removed
/// meanwhile.
pub(super) fn hold_owner(conn: &mut PgConnection, owner: UserId) -> Result<(), Error> {
    match users::lock(conn, owner)? {
        Some(user) if user.disabled_at.is_none() => Ok(()),
        Some(_) => Err(Error::AccountDisabled),
        None => Err(Error::UserNotFound(owner)),
    }
}

/// Whether one more key may work. The caller holds the owner.
pub(super) fn room_for_one(conn: &mut PgConnection, owner: UserId, org: OrgId, origin: &Origin) -> Result<(), Error> {
    if api_keys::count_active(conn, org, owner, origin.at)? < MAX_ACTIVE { Ok(()) } else { Err(Error::TooManyApiKeys) }
}

/// Who changes keys, and from where; for the audit log.
#[derive(Clone, Debug, Default)]
pub(super) struct By {
    pub key: Option<ApiKeyId>,
    pub device: Device,
}

impl By {
    pub fn new(who: &Principal, device: Device) -> Self {
        Self { key: who.api_key, device }
    }
}

/// Publishes a change of a key and adds it to the organization's audit log.
pub(super) fn tell<E: Event>(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    key: &ApiKey,
    event: &E,
    (action, details): (&str, Value),
    by: &By,
) -> Result<(), Error> {
    let origin = Origin { org: Some(key.org), ..origin.clone() };
    outbox::append(conn, &*state.ids, &origin, key.version, event)?;
    let mut details = details;
    details["user_id"] = json!(key.owner);
    if let Some(id) = by.key {
        details["by_api_key"] = json!(id);
    }
    let subject_id = key.id.to_string();
    let entry =
        audit::Entry { action, subject_type: "api_key", subject_id: &subject_id, address: by.device.address, details };
    audit::append(conn, &*state.ids, &origin, &entry)?;
    Ok(())
}

/// What a key allows, for the audit log.
pub(super) fn described(grant: &Grant) -> Value {
    json!({
        "scopes": grant.scopes.to_string(),
        "expires_at": grant.expires_at,
        "allowed_networks": grant.networks.to_texts(),
    })
}

/// Ends a key that the caller holds, and gives its id; nothing happens to one that was revoked before.
pub(super) fn revoke(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    key: ApiKey,
    reason: Reason,
    by: &By,
) -> Result<Option<ApiKeyId>, Error> {
    let Ok((key, event)) = key.revoke(reason, origin.at) else { return Ok(None) };
    api_keys::update(conn, &key)?;
    void(conn, &key, origin)?;
    tell(conn, state, origin, &key, &event, ("api_key.revoked", json!({"reason": reason.as_str()})), by)?;
    Ok(Some(key.id))
}

/// Writes down, for verifiers that start later, that a key's tokens are void.
pub(super) fn void(conn: &mut PgConnection, key: &ApiKey, origin: &Origin) -> Result<(), Error> {
    revocations::insert(conn, &Revocation { voids: Voids::ApiKey(key.id), revoked_at: origin.at }, key.owner)?;
    Ok(())
}

/// Ends every key that works of these, and gives their ids. For system transactions.
pub(super) fn revoke_all(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    of: Of,
    reason: Reason,
) -> Result<Vec<ApiKeyId>, Error> {
    let mut ended = Vec::new();
    for key in api_keys::lock_active(conn, of, origin.at)? {
        ended.extend(revoke(conn, state, origin, key, reason, &By::default())?);
    }
    Ok(ended)
}

/// Tells that the keys of a member allow something else from now on, because the member's role does. For system
/// transactions.
pub(super) fn tell_role_changed(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    user: UserId,
    org: OrgId,
) -> Result<(), Error> {
    for key in api_keys::lock_active(conn, Of::Member(user, org), origin.at)? {
        let (key, event) = key.owner_changed();
        api_keys::update(conn, &key)?;
        outbox::append(conn, &*state.ids, &Origin { org: Some(org), ..origin.clone() }, key.version, &event)?;
    }
    Ok(())
}
