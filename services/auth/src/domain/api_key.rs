//! API keys: how programs prove who they are. A key acts for its owner in one organization, within what it allows and what
//! its owner's role allows at that moment.
//!
//! Rotating makes a successor, with an id of its own: what is revoked is named by id everywhere, so two secrets of one id
//! could not be told apart. The key before it works on for a chosen grace, and can no longer be changed.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{
    ApiKeyId, OrgId, ScopeSet, UserId,
    auth::v1::{ApiKeyCreated, ApiKeyRevoked, ApiKeyUpdated},
};
use kit::auth::ApiKeyEnvironment;

use super::{networks::Networks, session::LEEWAY};

/// Life of a token that was exchanged for a key, at most.
pub const KEY_TOKEN: TimeDelta = TimeDelta::seconds(60);
/// The longest that a replaced key may work on.
pub const MAX_GRACE: TimeDelta = TimeDelta::days(7);
/// The latest that a key may be made to end.
pub const MAX_LIFE: TimeDelta = TimeDelta::days(3_653);
/// How many keys of one person may work at the same time in one organization.
pub const MAX_ACTIVE: i64 = 100;

/// What is stored of a key's secret.
pub type KeyHash = [u8; 32];

/// What a key allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub scopes: ScopeSet,
    /// `None` when it has no end.
    pub expires_at: Option<DateTime<Utc>>,
    pub networks: Networks,
}

/// In what a grant goes beyond another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    Scopes,
    Expiry,
    Networks,
}

impl Grant {
    /// Everything in which this allows more than `other`; nothing when it is within.
    pub fn beyond(&self, other: &Self) -> Vec<Excess> {
        let later = other.expires_at.is_some_and(|end| self.expires_at.is_none_or(|mine| mine > end));
        [
            (!self.scopes.is_subset(other.scopes), Excess::Scopes),
            (later, Excess::Expiry),
            (!self.networks.is_within(&other.networks), Excess::Networks),
        ]
        .into_iter()
        .filter_map(|(exceeds, excess)| exceeds.then_some(excess))
        .collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub org: OrgId,
    pub owner: UserId,
    pub environment: ApiKeyEnvironment,
    pub name: String,
    pub grant: Grant,
    /// Counts the changes; the `sequence` of the key's events. Being used is no change.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// To the minute or so.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The key that was made to replace this one.
    pub replaced_by: Option<ApiKeyId>,
    pub revoked: Option<Revoked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    pub at: DateTime<Utc>,
    pub reason: Reason,
}

/// Why a key was revoked; the texts are part of the event's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its owner or an admin said so.
    Revoked,
    /// Its successor is in force, and the grace is over.
    Rotated,
    OwnerDisabled,
    /// The owner left the organization, or was made to.
    OwnerRemoved,
    OrganizationDeleted,
}

impl Reason {
    const ALL: [Self; 5] =
        [Self::Revoked, Self::Rotated, Self::OwnerDisabled, Self::OwnerRemoved, Self::OrganizationDeleted];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Rotated => "rotated",
            Self::OwnerDisabled => "owner_disabled",
            Self::OwnerRemoved => "owner_removed",
            Self::OrganizationDeleted => "organization_deleted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Why what a key allows has changed; the texts are part of the event's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Edited,
    Replaced,
    /// What the key says is as it was; what its owner may do is not.
    RoleChanged,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Replaced => "replaced",
            Self::RoleChanged => "role_changed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Expired,
    Revoked,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// What somebody asks a key for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWish {
    pub name: String,
    pub environment: ApiKeyEnvironment,
    pub grant: Grant,
}

/// What somebody wants changed; `None` leaves a member as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyEdit {
    pub name: Option<String>,
    pub scopes: Option<ScopeSet>,
    pub expires_at: Option<Option<DateTime<Utc>>>,
    pub networks: Option<Networks>,
}

/// The key was revoked, has expired or was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not work any more, or has a successor")]
pub struct NotActive;

/// A key cannot end then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExpiry {
    #[error("must be in the future")]
    Past,
    #[error("must be within ten years")]
    Far,
}

/// What rotating a key made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    pub before: ApiKey,
    pub told: Told,
    pub after: ApiKey,
    pub created: ApiKeyCreated,
}

/// The event about the key before.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// It works on for a while.
    Updated(ApiKeyUpdated),
    Revoked(ApiKeyRevoked),
}

/// Checks the end that somebody wishes for a key.
pub fn check_expiry(expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), BadExpiry> {
    match expires_at {
        Some(end) if end <= now => Err(BadExpiry::Past),
        Some(end) if end > now + MAX_LIFE => Err(BadExpiry::Far),
        _ => Ok(()),
    }
}

/// When every token exists no more that was exchanged for a key before now.
pub fn key_tokens_expire_at(now: DateTime<Utc>) -> DateTime<Utc> {
    now + KEY_TOKEN + LEEWAY
}

impl ApiKey {
    pub fn create(id: ApiKeyId, org: OrgId, owner: UserId, wish: KeyWish, now: DateTime<Utc>) -> (Self, ApiKeyCreated) {
        let KeyWish { name, environment, grant } = wish;
        let key = Self {
            id,
            org,
            owner,
            environment,
            name,
            grant,
            version: 1,
            created_at: now,
            updated_at: now,
            last_used_at: None,
            replaced_by: None,
            revoked: None,
        };
        let event = key.created();
        (key, event)
    }

    pub fn status(&self, now: DateTime<Utc>) -> Status {
        match self.grant.expires_at {
            _ if self.revoked.is_some() => Status::Revoked,
            Some(end) if end <= now => Status::Expired,
            _ => Status::Active,
        }
    }

    /// What the key would allow after an edit.
    pub fn edited(&self, edit: &KeyEdit) -> Grant {
        Grant {
            scopes: edit.scopes.unwrap_or(self.grant.scopes),
            expires_at: edit.expires_at.unwrap_or(self.grant.expires_at),
            networks: edit.networks.clone().unwrap_or_else(|| self.grant.networks.clone()),
        }
    }

    /// Changes a key that works and was not replaced. No event when nothing is different.
    pub fn edit(self, edit: KeyEdit, now: DateTime<Utc>) -> Result<(Self, Option<ApiKeyUpdated>), NotActive> {
        self.changeable(now)?;
        let grant = self.edited(&edit);
        let name = edit.name.unwrap_or_else(|| self.name.clone());
        if (&name, &grant) == (&self.name, &self.grant) {
            return Ok((self, None));
        }
        let key = Self { name, grant, version: self.version + 1, updated_at: now, ..self };
        let event = key.updated(Cause::Edited);
        Ok((key, Some(event)))
    }

    /// Makes a successor that allows the same, until `expires_at` if that is given; this key works on for `grace`.
    pub fn rotate(
        self,
        successor: ApiKeyId,
        expires_at: Option<Option<DateTime<Utc>>>,
        grace: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Rotation, NotActive> {
        self.changeable(now)?;
        let edit = KeyEdit { expires_at, ..KeyEdit::default() };
        let wish = KeyWish { name: self.name.clone(), environment: self.environment, grant: self.edited(&edit) };
        let (after, created) = Self::create(successor, self.org, self.owner, wish, now);
        let replaced = Self { replaced_by: Some(successor), ..self };
        let (before, told) = if grace <= TimeDelta::zero() {
            let (before, event) = replaced.revoke(Reason::Rotated, now).map_err(|AlreadyRevoked| NotActive)?;
            (before, Told::Revoked(event))
        } else {
            let end = replaced.grant.expires_at.map_or(now + grace, |end| end.min(now + grace));
            let grant = Grant { expires_at: Some(end), ..replaced.grant };
            let before = Self { grant, version: replaced.version + 1, updated_at: now, ..replaced };
            let event = before.updated(Cause::Replaced);
            (before, Told::Updated(event))
        };
        Ok(Rotation { before, told, after, created })
    }

    /// Ends a key. Of one that was revoked before nothing happens again.
    pub fn revoke(self, reason: Reason, now: DateTime<Utc>) -> Result<(Self, ApiKeyRevoked), AlreadyRevoked> {
        if self.revoked.is_some() {
            return Err(AlreadyRevoked);
        }
        let event = ApiKeyRevoked {
            api_key_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            reason: reason.as_str().to_owned(),
            revoked_at: Some(now.into()),
            tokens_expire_at: Some(key_tokens_expire_at(now).into()),
        };
        let revoked = Some(Revoked { at: now, reason });
        Ok((Self { revoked, version: self.version + 1, updated_at: now, ..self }, event))
    }

    /// The owner has another role from now on.
    pub fn owner_changed(self) -> (Self, ApiKeyUpdated) {
        let key = Self { version: self.version + 1, ..self };
        let event = key.updated(Cause::RoleChanged);
        (key, event)
    }

    fn changeable(&self, now: DateTime<Utc>) -> Result<(), NotActive> {
        if self.status(now) == Status::Active && self.replaced_by.is_none() { Ok(()) } else { Err(NotActive) }
    }

    fn scope_names(&self) -> Vec<String> {
        self.grant.scopes.iter().map(|scope| scope.to_string()).collect()
    }

    fn created(&self) -> ApiKeyCreated {
        ApiKeyCreated {
            api_key_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            user_id: Some(self.owner.to_string()),
            service_account_id: None,
            name: self.name.clone(),
            scopes: self.scope_names(),
            created_at: Some(self.created_at.into()),
            expires_at: self.grant.expires_at.map(Into::into),
        }
    }

    fn updated(&self, cause: Cause) -> ApiKeyUpdated {
        ApiKeyUpdated {
            api_key_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            user_id: Some(self.owner.to_string()),
            service_account_id: None,
            reason: cause.as_str().to_owned(),
            name: self.name.clone(),
            scopes: self.scope_names(),
            network_restricted: !self.grant.networks.is_unrestricted(),
            updated_at: Some(self.updated_at.into()),
            expires_at: self.grant.expires_at.map(Into::into),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key had been revoked before")]
pub struct AlreadyRevoked;

/// Which keys of an organization a list shows; `None` does not ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub owner: Option<UserId>,
    pub status: Option<Status>,
    pub environment: Option<ApiKeyEnvironment>,
}

#[cfg(test)]
mod tests;
