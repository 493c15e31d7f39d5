//! `users.team_member_added`, `users.team_member_removed` and `users.team_deleted`.

use contracts::{
    Event, TeamId,
    users::v1::{TeamDeleted, TeamMemberAdded, TeamMemberRemoved},
};
use events::{Delivery, Failure};

use crate::{
    app::{apply_team_member::apply_team_member, forget_team::forget_team},
    domain::team::TeamMember,
    state::AppState,
};

pub async fn added(state: AppState, delivery: Delivery<TeamMemberAdded>) -> Result<(), Failure> {
    let TeamMemberAdded { team_id, organization_id, user_id, .. } = &delivery.event;
    let member = read(&delivery, [team_id, organization_id, user_id], true)?;
    Ok(apply_team_member(&state, delivery.id, member).await?)
}

pub async fn removed(state: AppState, delivery: Delivery<TeamMemberRemoved>) -> Result<(), Failure> {
    let TeamMemberRemoved { team_id, organization_id, user_id, .. } = &delivery.event;
    let member = read(&delivery, [team_id, organization_id, user_id], false)?;
    Ok(apply_team_member(&state, delivery.id, member).await?)
}

pub async fn team_deleted(state: AppState, delivery: Delivery<TeamDeleted>) -> Result<(), Failure> {
    let team: TeamId = delivery.event.team_id.parse().map_err(Failure::fail)?;
    let org = delivery.event.organization_id.parse().map_err(Failure::fail)?;
    Ok(forget_team(&state, delivery.id, org, team, delivery.time).await?)
}

fn read<E: Event>(
    delivery: &Delivery<E>,
    [team, org, user]: [&String; 3],
    belongs: bool,
) -> Result<TeamMember, Failure> {
    Ok(TeamMember {
        team: team.parse().map_err(Failure::fail)?,
        org: org.parse().map_err(Failure::fail)?,
        user: user.parse().map_err(Failure::fail)?,
        sequence: delivery.sequence,
        belongs,
    })
}
