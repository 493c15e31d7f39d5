//! People with an account.

use chrono::{DateTime, Utc};
use contracts::{
    OrgId, UserId,
    auth::v1::{UserDisabled, UserRegistered},
};

use super::{email::Email, session::tokens_expire_at};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// As the person wrote it.
    pub email: String,
    /// As given at registration; the profile in the users service is where it changes.
    pub display_name: String,
    pub personal_org: OrgId,
    pub disabled_at: Option<DateTime<Utc>>,
    /// Counts the changes; the `sequence` of the events about this person.
    pub version: i64,
    pub created_at: DateTime<Utc>,
}

/// Why an administrator closes an account; the texts are part of the event's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisableReason {
    /// The organization's or operator's own decision.
    Admin,
    /// Misuse.
    Abuse,
    /// The person asked to be erased.
    Erasure,
}

impl DisableReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Abuse => "abuse",
            Self::Erasure => "erasure",
        }
    }
}

impl User {
    pub fn register(
        id: UserId,
        personal_org: OrgId,
        email: &Email,
        display_name: String,
        now: DateTime<Utc>,
    ) -> (Self, UserRegistered) {
        let event = UserRegistered {
            user_id: id.to_string(),
            organization_id: personal_org.to_string(),
            email: email.as_str().to_owned(),
            display_name: display_name.clone(),
            registered_at: Some(now.into()),
        };
        let user = Self {
            id,
            email: email.as_str().to_owned(),
            display_name,
            personal_org,
            disabled_at: None,
            version: 1,
            created_at: now,
        };
        (user, event)
    }

    /// `None` when it was closed before.
    pub fn disable(self, reason: DisableReason, now: DateTime<Utc>) -> Option<(Self, UserDisabled)> {
        if self.disabled_at.is_some() {
            return None;
        }
        let event = UserDisabled {
            user_id: self.id.to_string(),
            reason: reason.as_str().to_owned(),
            disabled_at: Some(now.into()),
            tokens_expire_at: Some(tokens_expire_at(now).into()),
        };
        Some((Self { disabled_at: Some(now), version: self.version + 1, ..self }, event))
    }
}
