//! What the users service tells of teams.

use contracts::{OrgId, TeamId, UserId};

/// News of a person and a team. `sequence` is the team's version, so of two the later one counts, in whatever order they
/// arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TeamMember {
    pub team: TeamId,
    pub user: UserId,
    pub org: OrgId,
    pub sequence: i64,
    pub belongs: bool,
}
