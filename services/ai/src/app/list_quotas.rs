//! The quotas that somebody may see, and where they stand: an admin all of the organization and of the installation,
//! everybody else those that concern them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::{QuotaId, Scope, TeamId};
use db::diesel::PgConnection;
use kit::{Principal, http};
use uuid::Uuid;

use crate::{
    domain::{
        access::{self, Realm},
        caller::Caller,
        quota::{Quota, Standing, SubjectKind},
        window::WindowKey,
    },
    error::Error,
    state::AppState,
    store::{leases, quotas},
};

/// Which quotas are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub subject: Option<SubjectKind>,
    pub enabled: Option<bool>,
    pub realm: Option<Realm>,
}

impl Filter {
    fn takes(self, quota: &Quota) -> bool {
        self.subject.is_none_or(|subject| quota.subject.kind() == subject)
            && self.enabled.is_none_or(|enabled| quota.enabled == enabled)
            && self.realm.is_none_or(|realm| Realm::of(quota.org) == realm)
    }
}

/// A quota, and where it stands for the one it counts, or for the caller where it counts each by itself.
pub type Seen = (Quota, Vec<Standing>);

/// Where a page goes on: the last quota's time of creation and id.
pub type After = (DateTime<Utc>, QuotaId);

/// The oldest first, one more than `limit`. An owner has at most some hundred quotas, so they are read at once and chosen
/// from here.
pub async fn list_quotas(
    state: &AppState,
    who: &Principal,
    filter: Filter,
    after: Option<After>,
    limit: http::Limit,
) -> Result<Vec<Seen>, Error> {
    let (all, caller, teams) = visible(state, who).await?;
    let wanted = all.into_iter().filter(|quota| filter.takes(quota));
    let wanted = wanted.filter(|quota| after.is_none_or(|after| (quota.created_at, quota.id) > after));
    let page: Vec<Quota> = wanted.take(usize::from(limit) + 1).collect();
    seen(state, caller, &teams, page).await
}

/// One of them.
pub async fn get_quota(state: &AppState, who: &Principal, id: QuotaId) -> Result<Seen, Error> {
    let (all, caller, teams) = visible(state, who).await?;
    let quota = all.into_iter().find(|quota| quota.id == id).ok_or(Error::QuotaNotFound(id))?;
    seen(state, caller, &teams, vec![quota]).await?.pop().ok_or(Error::QuotaNotFound(id))
}

/// Where a quota stands for each that it counts, by id; one more than `limit`. For those who may change quotas.
pub async fn list_standings(
    state: &AppState,
    who: &Principal,
    id: QuotaId,
    after: Option<Uuid>,
    limit: http::Limit,
) -> Result<(Quota, Vec<Standing>), Error> {
    access::may_change(who, Realm::Organization, state.operator)?;
    let (org, now) = (who.org, state.clock.now());
    let read = move |conn: &mut PgConnection| {
        let quota = quotas::find(conn, org, id)?.ok_or(Error::QuotaNotFound(id))?;
        let window = quota.period.window(now);
        let found = leases::of_quota(conn, org, id, window.started_at, after, i64::from(limit) + 1)?;
        let standing =
            |(key, (used, reserved)): (WindowKey, _)| Standing { subject: key.subject, window, used, reserved };
        let standings = found.into_iter().map(standing).collect();
        Ok((quota, standings))
    };
    state.db.tenant(org).tx(read).await
}

async fn visible(state: &AppState, who: &Principal) -> Result<(Vec<Quota>, Caller, Vec<TeamId>), Error> {
    let (org, caller) = (who.org, Caller::from(who));
    let teams = state.teams.of(&caller).await?.to_vec();
    let mut all = state.db.tenant(org).tx::<_, Error, _>(move |conn| Ok(quotas::list(conn, org)?)).await?;
    if !who.scopes.contains(Scope::AiWrite) {
        all.retain(|quota| quota.enabled && !quota.subject.counted(&caller, &teams).is_empty());
    }
    Ok((all, caller, teams))
}

async fn seen(state: &AppState, caller: Caller, teams: &[TeamId], page: Vec<Quota>) -> Result<Vec<Seen>, Error> {
    let now = state.clock.now();
    let keys = |quota: &Quota| -> Vec<WindowKey> {
        let started_at = quota.period.window(now).started_at;
        let subjects = quota.seen_by(&caller, teams).into_iter();
        subjects.map(|subject| WindowKey { quota: quota.id, subject, started_at }).collect()
    };
    let wanted: Vec<WindowKey> = page.iter().flat_map(keys).collect();
    let read = move |conn: &mut PgConnection| Ok(leases::standings(conn, &wanted)?);
    let found: HashMap<WindowKey, (i64, i64)> = state.db.tenant(caller.org).tx::<_, Error, _>(read).await?;
    let standing = |quota: &Quota, key: WindowKey| {
        let (used, reserved) = found.get(&key).copied().unwrap_or_default();
        Standing { subject: key.subject, window: quota.period.window(now), used, reserved }
    };
    let seen = page.into_iter().map(|quota| {
        let standings = keys(&quota).into_iter().map(|key| standing(&quota, key)).collect();
        (quota, standings)
    });
    Ok(seen.collect())
}
