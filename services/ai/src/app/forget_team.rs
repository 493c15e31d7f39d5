//! A team is gone: nobody belongs to it any more, whatever late news may say.

use chrono::{DateTime, Utc};
use contracts::{EventId, OrgId, TeamId};
use db::{diesel::PgConnection, inbox};

use crate::{events::USERS_QUEUE, state::AppState, store::team_members};

/// `event` names the news: hearing it again changes nothing.
pub async fn forget_team(
    state: &AppState,
    event: EventId,
    org: OrgId,
    team: TeamId,
    at: DateTime<Utc>,
) -> Result<(), db::Error> {
    let forget = move |conn: &mut PgConnection| {
        inbox::once(conn, USERS_QUEUE, event, |conn| {
            team_members::hold_team(conn, team)?;
            team_members::delete_team(conn, org, team, at)?;
            Ok::<_, db::Error>(())
        })
    };
    state.db.tenant(org).tx(forget).await?;
    state.teams.all_changed();
    Ok(())
}
