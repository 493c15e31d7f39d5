//! Rows of `team_members` and `deleted_teams`: a projection of what the users service tells.

use contracts::{OrgId, TeamId, UserId};
use db::diesel::prelude::*;
use uuid::Uuid;

use super::schema::team_members;

/// The teams that a person belongs to, by id.
pub fn teams_of(conn: &mut PgConnection, org: OrgId, user: UserId) -> QueryResult<Vec<TeamId>> {
    let teams: Vec<Uuid> = team_members::table
        .filter(team_members::org_id.eq(org.uuid()))
        .filter(team_members::user_id.eq(user.uuid()))
        .filter(team_members::belongs)
        .order(team_members::team_id)
        .select(team_members::team_id)
        .load(conn)?;
    Ok(teams.into_iter().map(TeamId::from_uuid).collect())
}
