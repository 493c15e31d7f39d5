//! Who may use a model, and who may change what: the second as a type that proves it was asked.

use contracts::{OrgId, Role, Scope, TeamId};
use kit::Principal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{caller::Caller, model::Access};

impl Access {
    /// Whether the caller, who belongs to `teams`, may use the model.
    pub fn permits(&self, caller: &Caller, teams: &[TeamId]) -> bool {
        if self.role.is_some_and(|weakest| caller.role < weakest) {
            return false;
        }
        let for_everybody = self.teams.is_empty() && self.users.is_empty() && self.api_keys.is_empty();
        for_everybody
            || self.users.contains(&caller.user)
            || caller.api_key.is_some_and(|key| self.api_keys.contains(&key))
            || teams.iter().any(|team| self.teams.contains(team))
    }

    /// Whether the caller's teams can make a difference.
    pub fn asks_for_teams(&self) -> bool {
        !self.teams.is_empty()
    }
}

/// Whom something belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Realm {
    /// The caller's organization.
    #[default]
    Organization,
    /// The whole installation; only its operators change it.
    Global,
}

impl Realm {
    /// Whom something with this owner belongs to.
    pub fn of(owner: Option<OrgId>) -> Self {
        if owner.is_some() { Self::Organization } else { Self::Global }
    }

    /// In the API and in cursors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Global => "global",
        }
    }
}

/// Proof that the caller may change providers, models and quotas of `owner`. Only [`may_change`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MayChange {
    owner: Option<OrgId>,
}

impl MayChange {
    /// The organization, or `None` for the whole installation.
    pub fn owner(self) -> Option<OrgId> {
        self.owner
    }
}

/// Why somebody may not change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The token does not carry the scope.
    #[error("this needs the scope {0}")]
    Scope(Scope),
    /// It belongs to the installation, and the caller is no admin of the organization that operates it.
    #[error("this belongs to the whole installation and is changed by its operators")]
    NotOperator,
}

/// Whether the caller may change what belongs to their organization or, as an admin of the organization that operates the
/// installation (`operator`), to all.
pub fn may_change(caller: &Principal, realm: Realm, operator: Option<OrgId>) -> Result<MayChange, Refused> {
    if !caller.scopes.contains(Scope::AiWrite) {
        return Err(Refused::Scope(Scope::AiWrite));
    }
    match realm {
        Realm::Organization => Ok(MayChange { owner: Some(caller.org) }),
        Realm::Global if operator == Some(caller.org) && caller.role >= Role::Admin => Ok(MayChange { owner: None }),
        Realm::Global => Err(Refused::NotOperator),
    }
}

#[cfg(test)]
mod tests {
    use contracts::{ApiKeyId, UserId};
    use uuid::Uuid;

    use super::*;

    fn caller() -> Caller {
        Caller {
            org: OrgId::from_uuid(Uuid::from_u128(1)),
            user: UserId::from_uuid(Uuid::from_u128(2)),
            role: Role::Member,
            api_key: Some(ApiKeyId::from_uuid(Uuid::from_u128(3))),
        }
    }

    #[test]
    fn no_rule_means_everybody() {
        assert!(Access::default().permits(&caller(), &[]));
    }

    #[test]
    fn the_role_holds_beside_any_list() {
        let access = Access { role: Some(Role::Admin), users: vec![caller().user], ..Access::default() };
        assert!(!access.permits(&caller(), &[]));
        assert!(access.permits(&Caller { role: Role::Owner, ..caller() }, &[]));
    }

    #[test]
    fn one_list_is_enough() {
        let team = TeamId::from_uuid(Uuid::from_u128(4));
        let other = Uuid::from_u128(9);
        let by_team = Access { teams: vec![team], users: vec![UserId::from_uuid(other)], ..Access::default() };
        assert!(by_team.permits(&caller(), &[team]));
        assert!(!by_team.permits(&caller(), &[TeamId::from_uuid(other)]));
        let by_key = Access { api_keys: vec![ApiKeyId::from_uuid(Uuid::from_u128(3))], ..Access::default() };
        assert!(by_key.permits(&caller(), &[]));
        assert!(!by_key.permits(&Caller { api_key: None, ..caller() }, &[]), "a person without the key");
    }
}
