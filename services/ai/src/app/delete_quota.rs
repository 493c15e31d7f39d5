//! An admin deletes a quota. Doing it again is no mistake.

use contracts::QuotaId;
use kit::{ExpectedVersion, Principal};
use serde_json::json;

use super::{change::Change, update_quota::owner};
use crate::{
    domain::access::{self, Realm},
    error::Error,
    state::AppState,
    store::{leases, quotas, tombstones},
};

/// What was used of it stays in the usage records.
pub async fn delete_quota(
    state: &AppState,
    who: &Principal,
    id: QuotaId,
    expected: ExpectedVersion,
) -> Result<(), Error> {
    let org = who.org;
    let found = owner(state, org, id).await?;
    let realm = Realm::of(found.unwrap_or(Some(org)));
    let change = Change::new(state, who, access::may_change(who, realm, state.operator)?);
    let owner = change.owner();
    change
        .scope(state)
        .tx::<_, Error, _>(move |conn| {
            let Some(quota) = quotas::lock(conn, owner, id)? else {
                return if tombstones::exists(conn, org, id.uuid())? { Ok(()) } else { Err(Error::QuotaNotFound(id)) };
            };
            expected.check(quota.version)?;
            quotas::delete(conn, id)?;
            leases::delete_windows(conn, id)?;
            tombstones::insert(conn, owner, id.uuid(), change.at())?;
            let details = json!({"scope": realm.as_str(), "metric": quota.metric, "limit": quota.limit});
            change.note(conn, "quota.deleted", ("quota", &id.to_string()), details)
        })
        .await?;
    state.ledger.quota_changed(owner, id);
    Ok(())
}
