//! Rows of `team_members` and `deleted_teams`: a projection of what the users service tells.

use chrono::{DateTime, Utc};
use contracts::{OrgId, TeamId, UserId};
use db::diesel::{self, prelude::*, query_dsl::methods, upsert::excluded};
use uuid::Uuid;

use super::schema::{deleted_teams, team_members};
use crate::domain::team::TeamMember;

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

/// Holds a team until the transaction ends, so that news of a member and the team's end do not pass each other unseen.
pub fn hold_team(conn: &mut PgConnection, team: TeamId) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('ai team ' || $1, 0))")
        .bind::<diesel::sql_types::Text, _>(team.to_string())
        .execute(conn)
        .map(drop)
}

/// Whether a team is gone.
pub fn is_deleted(conn: &mut PgConnection, team: TeamId) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(deleted_teams::table.find(team.uuid()))).get_result(conn)
}

/// Writes what is newer than the row.
pub fn put(conn: &mut PgConnection, member: &TeamMember) -> QueryResult<()> {
    let row = (
        team_members::team_id.eq(member.team.uuid()),
        team_members::user_id.eq(member.user.uuid()),
        team_members::org_id.eq(member.org.uuid()),
        team_members::sequence.eq(member.sequence),
        team_members::belongs.eq(member.belongs),
    );
    let upsert = diesel::insert_into(team_members::table)
        .values(row)
        .on_conflict((team_members::team_id, team_members::user_id))
        .do_update()
        .set((
            team_members::sequence.eq(excluded(team_members::sequence)),
            team_members::belongs.eq(excluded(team_members::belongs)),
        ));
    methods::FilterDsl::filter(upsert, team_members::sequence.lt(excluded(team_members::sequence)))
        .execute(conn)
        .map(drop)
}

/// Remembers that a team is gone, and forgets who belonged to it.
pub fn delete_team(conn: &mut PgConnection, org: OrgId, team: TeamId, at: DateTime<Utc>) -> QueryResult<()> {
    diesel::insert_into(deleted_teams::table)
        .values((
            deleted_teams::team_id.eq(team.uuid()),
            deleted_teams::org_id.eq(org.uuid()),
            deleted_teams::deleted_at.eq(at),
        ))
        .on_conflict_do_nothing()
        .execute(conn)?;
    diesel::delete(team_members::table.filter(team_members::team_id.eq(team.uuid()))).execute(conn).map(drop)
}
