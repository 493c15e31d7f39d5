//! An admin limits their organization's usage, or an operator that of organizations.

use db::idempotency::{self, Answer, Answered};
use kit::{NewId as _, Principal};
use serde_json::json;

use super::change::Change;
use crate::{
    domain::{
        access::{self, Realm},
        quota::{Quota, QuotaSpec},
    },
    error::Error,
    state::AppState,
    store::quotas,
};

/// Most quotas of one owner: every call looks at all of them.
pub const MOST: i64 = 200;

/// With a `request` a repetition gets the first answer, which is why the answer is made here, in the transaction.
pub async fn create_quota(
    state: &AppState,
    who: &Principal,
    realm: Realm,
    spec: QuotaSpec,
    request: Option<idempotency::Request>,
    answer: fn(Quota) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let change = Change::new(state, who, access::may_change(who, realm, state.operator)?);
    let quota = Quota::create(change.ids.new(), change.owner(), spec, change.at());
    let (id, owner) = (quota.id, quota.org);
    let answered = change
        .scope(state)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                if quotas::count(conn, owner)? >= MOST {
                    return Err(Error::LimitReached { limit: MOST });
                }
                quotas::insert(conn, &quota)?;
                let details = json!({"scope": realm.as_str(), "subject": quota.subject.kind(), "subject_id": quota.subject.id(),
                    "model": quota.model, "window": quota.period, "metric": quota.metric, "limit": quota.limit});
                change.note(conn, "quota.created", ("quota", &id.to_string()), details)?;
                answer(quota).map_err(|error| Error::Db(error.into()))
            })
        })
        .await?;
    state.ledger.quota_changed(owner, id);
    Ok(answered)
}
