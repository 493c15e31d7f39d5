//! Sessions: one sign-in on one device, from login to logout.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{
    OrgId, SessionId, TokenFamilyId, UserId,
    auth::v1::{SessionRevoked, SessionStarted},
};

/// A session that nobody used for so long is over.
pub const IDLE: TimeDelta = TimeDelta::days(14);
/// A session is over at last, however much it is used.
pub const ABSOLUTE: TimeDelta = TimeDelta::days(90);
/// Life of an access token.
pub const ACCESS_TOKEN: TimeDelta = TimeDelta::minutes(10);
/// How much longer than `exp` a verifier may accept a token (its leeway for clocks).
pub const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// Where a session is used, as it is shown to its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `User-Agent`, cut to 256 characters.
    pub user_agent: Option<String>,
    /// The client's network address.
    pub address: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names the line of refresh tokens for as long as the session lives.
    pub family: TokenFamilyId,
    /// The `sid` of its access tokens.
    pub id: SessionId,
    pub user: UserId,
    /// The organization that the next access token acts in.
    pub org: OrgId,
    pub started_at: DateTime<Utc>,
    /// When the person last proved who they are.
    pub authenticated_at: DateTime<Utc>,
    /// When the last access token was issued.
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub device: Device,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Why a session ended; the texts are part of the event's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Logout,
    LogoutAll,
    UserRevoked,
    PasswordChanged,
    RefreshTokenReuse,
    UserDisabled,
    /// The session goes on under a new id, with the new role.
    RoleChanged,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::UserRevoked => "user_revoked",
            Self::PasswordChanged => "password_changed",
            Self::RefreshTokenReuse => "refresh_token_reuse",
            Self::UserDisabled => "user_disabled",
            Self::RoleChanged => "role_changed",
        }
    }
}

/// Where a session begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub family: TokenFamilyId,
    pub id: SessionId,
    pub user: UserId,
    pub org: OrgId,
    pub device: Device,
}

impl Session {
    pub fn start(new: NewSession, now: DateTime<Utc>) -> (Self, SessionStarted) {
        let NewSession { family, id, user, org, device } = new;
        let session = Self {
            family,
            id,
            user,
            org,
            started_at: now,
            authenticated_at: now,
            last_seen_at: now,
            expires_at: now + ABSOLUTE,
            device,
            revoked_at: None,
        };
        let started = session.started();
        (session, started)
    }

    fn started(&self) -> SessionStarted {
        SessionStarted {
            session_id: self.id.to_string(),
            user_id: self.user.to_string(),
            organization_id: self.org.to_string(),
            started_at: Some(self.started_at.into()),
            expires_at: Some(self.expires_at.into()),
        }
    }

    /// Whether it may still give out tokens.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && now < self.last_seen_at + IDLE
    }

    /// Ends a session. Of one that ended before nothing happens again.
    pub fn revoke(self, reason: Reason, now: DateTime<Utc>) -> Result<(Self, SessionRevoked), AlreadyRevoked> {
        if self.revoked_at.is_some() {
            return Err(AlreadyRevoked);
        }
        let event = self.revoked(reason, now);
        Ok((Self { revoked_at: Some(now), ..self }, event))
    }

    /// Goes on under another id, so that every access token with the old one is void: the person stays signed in, what
    /// their old tokens said about their role does not. Needs no comparison of clocks.
    pub fn renew(self, id: SessionId, now: DateTime<Utc>) -> (Self, SessionRevoked, SessionStarted) {
        let revoked = self.revoked(Reason::RoleChanged, now);
        let session = Self { id, ..self };
        let started = session.started();
        (session, revoked, started)
    }

    fn revoked(&self, reason: Reason, now: DateTime<Utc>) -> SessionRevoked {
        SessionRevoked {
            session_id: self.id.to_string(),
            user_id: self.user.to_string(),
            reason: reason.as_str().to_owned(),
            revoked_at: Some(now.into()),
            tokens_expire_at: Some(tokens_expire_at(now).into()),
        }
    }
}

/// When every access token that exists now has expired for every verifier.
pub fn tokens_expire_at(now: DateTime<Utc>) -> DateTime<Utc> {
    now + ACCESS_TOKEN + LEEWAY
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session had ended before")]
pub struct AlreadyRevoked;

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn session() -> Session {
        let id = Uuid::from_u128;
        let new = NewSession {
            family: TokenFamilyId::from_uuid(id(1)),
            id: SessionId::from_uuid(id(2)),
            user: UserId::from_uuid(id(3)),
            org: OrgId::from_uuid(id(4)),
            device: Device::default(),
        };
        Session::start(new, DateTime::UNIX_EPOCH).0
    }

    #[test]
    fn a_session_ends_idle_after_14_days_and_at_last_after_90() {
        let day = |n| DateTime::UNIX_EPOCH + TimeDelta::days(n);
        assert!(session().is_live(day(13)));
        assert!(!session().is_live(day(14)));
        let used = Session { last_seen_at: day(89), ..session() };
        assert!(used.is_live(day(90) - TimeDelta::seconds(1)));
        assert!(!used.is_live(day(90)));
    }

    #[test]
    fn a_session_ends_once() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let (ended, event) = session().revoke(Reason::Logout, now).unwrap();
        assert!(!ended.is_live(now));
        assert_eq!(event.reason, "logout");
        assert_eq!(ended.revoke(Reason::LogoutAll, now), Err(AlreadyRevoked));
    }

    #[test]
    fn a_renewed_session_lives_on_and_its_old_id_does_not() {
        let id = SessionId::from_uuid(Uuid::from_u128(9));
        let before = session();
        let (after, revoked, started) = before.clone().renew(id, DateTime::UNIX_EPOCH);
        assert_eq!(revoked.session_id, before.id.to_string());
        assert_eq!(started.session_id, id.to_string());
        assert_eq!(after, Session { id, ..before });
    }
}
