//! Who belongs to an organization.

use contracts::OrgId;
use kit::{Principal, http::Limit};

use super::get_organization::within_reach;
use crate::{
    domain::{
        access::{self, Allowed, ListMembers},
        membership::Member,
    },
    error::Error,
    state::AppState,
    store::memberships::{self, After},
};

/// One more than `limit` is fetched, so that the caller knows whether there is a next page.
pub async fn list_members(
    state: &AppState,
    who: &Principal,
    org: OrgId,
    after: Option<After>,
    limit: Limit,
) -> Result<Vec<Member>, Error> {
    let org = within_reach(who, org)?;
    let user = who.user;
    state
        .db
        .tenant(org)
        .as_user(user)
        .tx(move |conn| {
            let mine = memberships::find_in_org(conn, org, user)?.ok_or(Error::OrganizationNotFound(org))?;
            let allowed: Allowed<ListMembers> = access::allow(&mine)?;
            Ok(memberships::list_in_org(conn, allowed.org, after, i64::from(limit) + 1)?)
        })
        .await
}
