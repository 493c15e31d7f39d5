//! What was used: sums by what somebody wants to know, single calls, and what the month will cost. An admin sees
//! everybody's, everybody else their own.

use chrono::{DateTime, Days, Utc};
use contracts::{Scope, UserId};
use db::diesel::PgConnection;
use kit::Principal;

use crate::{
    domain::{
        access::Refused,
        forecast::{self, Forecast, LOOK_BACK_DAYS},
        report::{Calls, Dimension, Group, Position, Sums},
        usage::UsageRecord,
        window::Period,
    },
    error::Error,
    state::AppState,
    store::usage::{self, After},
};

/// The calls that somebody asks for, narrowed to those that they may see.
#[derive(Clone, Debug)]
pub struct Visible {
    calls: Calls,
}

impl Visible {
    pub fn calls(&self) -> &Calls {
        &self.calls
    }
}

/// # Errors
/// [`Error::Refused`] when the caller asks for somebody else's.
pub fn visible(who: &Principal, calls: Calls) -> Result<Visible, Error> {
    if who.scopes.contains(Scope::AiWrite) {
        return Ok(Visible { calls });
    }
    match calls.user {
        None => Ok(Visible { calls: Calls { user: Some(who.user), ..calls } }),
        Some(user) if user == who.user => Ok(Visible { calls }),
        Some(_) => Err(Error::Refused(Refused::Scope(Scope::AiWrite))),
    }
}

/// Groups in order after `after`, at most `limit`, and the sums over all calls.
pub async fn report_usage(
    state: &AppState,
    who: &Principal,
    Visible { calls }: Visible,
    by: Vec<Dimension>,
    after: Option<Position>,
    limit: i64,
) -> Result<(Vec<Group>, Sums), Error> {
    let org = who.org;
    let read = move |conn: &mut PgConnection| {
        let groups = usage::groups(conn, org, &calls, &by, after.as_ref(), limit)?;
        Ok((groups, usage::total(conn, org, &calls)?))
    };
    state.db.tenant(org).tx(read).await
}

/// Groups in order after `after`, at most `limit`, for an export.
pub async fn usage_groups(
    state: &AppState,
    who: &Principal,
    Visible { calls }: Visible,
    by: Vec<Dimension>,
    after: Option<Position>,
    limit: i64,
) -> Result<Vec<Group>, Error> {
    let org = who.org;
    let read = move |conn: &mut PgConnection| Ok(usage::groups(conn, org, &calls, &by, after.as_ref(), limit)?);
    state.db.tenant(org).tx(read).await
}

/// Single calls, the latest first, at most `limit`.
pub async fn list_usage_records(
    state: &AppState,
    who: &Principal,
    Visible { calls }: Visible,
    after: Option<After>,
    limit: i64,
) -> Result<Vec<UsageRecord>, Error> {
    let org = who.org;
    let read = move |conn: &mut PgConnection| Ok(usage::list(conn, org, &calls, after, limit)?);
    state.db.tenant(org).tx(read).await
}

/// What this month has cost and will cost, everybody or one person.
pub async fn forecast_cost(state: &AppState, who: &Principal, user: Option<UserId>) -> Result<Forecast, Error> {
    let now = state.clock.now();
    let all = Calls { from: earliest(now), to: now, model: None, provider: None, user, api_key: None, operation: None };
    let Visible { calls } = visible(who, all)?;
    let org = who.org;
    let read = move |conn: &mut PgConnection| Ok(usage::daily_costs(conn, org, &calls)?);
    let costs = state.db.tenant(org).tx::<_, Error, _>(read).await?;
    Ok(forecast::forecast(&costs, now))
}

/// The beginning of what a forecast looks at.
fn earliest(now: DateTime<Utc>) -> DateTime<Utc> {
    let look_back = Period::Day.window(now).started_at.checked_sub_days(Days::new(LOOK_BACK_DAYS)).unwrap_or(now);
    look_back.min(Period::Month.window(now).started_at)
}
