//! An admin changes a quota. Calls that were admitted under the old limit go on.

use contracts::{OrgId, QuotaId};
use kit::{ExpectedVersion, Principal};
use serde_json::json;

use super::change::Change;
use crate::{
    domain::{
        access::{self, Realm},
        quota::{Quota, QuotaEdit},
    },
    error::Error,
    state::AppState,
    store::quotas,
};

/// `expected` is the `If-Match` of the caller.
pub async fn update_quota(
    state: &AppState,
    who: &Principal,
    id: QuotaId,
    expected: ExpectedVersion,
    edit: QuotaEdit,
) -> Result<Quota, Error> {
    let owner = owner(state, who.org, id).await?.ok_or(Error::QuotaNotFound(id))?;
    let change = Change::new(state, who, access::may_change(who, Realm::of(owner), state.operator)?);
    let quota = change
        .scope(state)
        .tx::<_, Error, _>(move |conn| {
            let stored = quotas::lock(conn, owner, id)?.ok_or(Error::QuotaNotFound(id))?;
            expected.check(stored.version)?;
            let before = json!({"limit": stored.limit, "enabled": stored.enabled});
            let (quota, changed) = stored.edit(edit, change.at());
            if changed {
                quotas::update(conn, &quota)?;
                let after = json!({"limit": quota.limit, "enabled": quota.enabled});
                let details = json!({"version": quota.version, "before": before, "after": after});
                change.note(conn, "quota.updated", ("quota", &id.to_string()), details)?;
            }
            Ok(quota)
        })
        .await?;
    state.ledger.quota_changed(owner, id);
    Ok(quota)
}

/// Who owns a quota that the organization can see; `Some(None)` is the installation.
pub(super) async fn owner(state: &AppState, org: OrgId, id: QuotaId) -> Result<Option<Option<OrgId>>, Error> {
    let found = state.db.tenant(org).tx::<_, Error, _>(move |conn| Ok(quotas::find(conn, org, id)?)).await?;
    Ok(found.map(|quota| quota.org))
}
