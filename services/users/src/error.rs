//! Every way in which this service refuses, once for machines and once for people.

use std::time::Duration;

use contracts::OrgId;
use events::Failure;
use kit::{Coded, ErrorCode, FieldError, VersionMismatch};

use crate::domain::access::Refused;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("organization {0} is unknown or not the caller's")]
    OrganizationNotFound(OrgId),
    #[error("the role does not suffice")]
    Refused(#[from] Refused),
    #[error("the slug belongs to another organization")]
    SlugTaken,
    #[error(transparent)]
    VersionMismatch(#[from] VersionMismatch),
    #[error("preferences of {bytes} bytes")]
    PreferencesTooLarge { bytes: usize, max: usize },
    #[error("the profile is not made yet and auth did not say what to make it of")]
    ProfileNotReady,
    #[error("auth did not answer")]
    Auth(#[from] kit::outbound::CallError),
    #[error("the database failed")]
    Db(#[from] db::Error),
}

kit::error_codes! {
    /// The codes that this service adds to those of kit and db.
    pub static CODES;

    ORGANIZATION_NOT_FOUND = "organization_not_found", 404, "There is no such organization";
    ROLE_INSUFFICIENT = "role_insufficient", 403, "Your role in this organization does not allow this";
    SLUG_TAKEN = "slug_taken", 409, "Another organization has this slug";
    PREFERENCES_TOO_LARGE = "preferences_too_large", 422, "The preferences are too large";
    PROFILE_NOT_READY = "profile_not_ready", 503, "The profile is still being made";
}

impl Coded for Error {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::OrganizationNotFound(_) => &ORGANIZATION_NOT_FOUND,
            Self::Refused(_) => &ROLE_INSUFFICIENT,
            Self::SlugTaken => &SLUG_TAKEN,
            Self::VersionMismatch(_) => &kit::http::codes::PRECONDITION_FAILED,
            Self::PreferencesTooLarge { .. } => &PREFERENCES_TOO_LARGE,
            Self::ProfileNotReady | Self::Auth(_) => &PROFILE_NOT_READY,
            Self::Db(e) => e.code(),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Refused(refused) => Some(refused.to_string()),
            Self::VersionMismatch(mismatch) => Some(mismatch.to_string()),
            Self::PreferencesTooLarge { bytes, max } => {
                Some(format!("Merged they would take {bytes} bytes; {max} is the limit."))
            }
            Self::Db(e) => e.detail(),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::SlugTaken => vec![FieldError::new("slug", "taken", "Choose another slug.")],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ProfileNotReady | Self::Auth(_) => Some(Duration::from_secs(1)),
            Self::Db(e) => e.retry_after(),
            _ => None,
        }
    }
}

impl From<db::diesel::result::Error> for Error {
    fn from(error: db::diesel::result::Error) -> Self {
        match db::Error::from(error) {
            db::Error::Conflict { constraint } if constraint == "organizations_slug_key" => Self::SlugTaken,
            other => Self::Db(other),
        }
    }
}

/// A consumer waits for a database that is down; everything else concerns the one message.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Db(error) => error.into(),
            other => Self::retry(other),
        }
    }
}
