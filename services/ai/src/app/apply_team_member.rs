//! The users service told of a team's member: quotas of teams and models for teams go by it from now on.

use contracts::EventId;
use db::{diesel::PgConnection, inbox};

use crate::{domain::team::TeamMember, events::USERS_QUEUE, state::AppState, store::team_members};

/// `event` names the news: hearing it again changes nothing, and neither does hearing it late.
pub async fn apply_team_member(state: &AppState, event: EventId, member: TeamMember) -> Result<(), db::Error> {
    let apply = move |conn: &mut PgConnection| {
        inbox::once(conn, USERS_QUEUE, event, |conn| {
            team_members::hold_team(conn, member.team)?;
            if !team_members::is_deleted(conn, member.team)? {
                team_members::put(conn, &member)?;
            }
            Ok::<_, db::Error>(())
        })
    };
    state.db.tenant(member.org).tx(apply).await?;
    state.teams.changed(member.org, member.user);
    Ok(())
}
