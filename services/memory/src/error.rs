//! Every way in which this service refuses, once for machines and once for people.

use std::time::Duration;

use contracts::{MemoryId, MemorySessionId};
use kit::{Coded, ErrorCode, FieldError, http::codes};

use crate::domain::{access::Refused, memory::EndsBeforeItBegins};

kit::error_codes! {
    /// The codes that this service adds to those of kit and db.
    pub static CODES;

    NOT_YOURS = "not_yours", 403, "This belongs to somebody else";
    MEMORY_NOT_FOUND = "memory_not_found", 404, "There is no such memory";
    SESSION_NOT_FOUND = "session_not_found", 404, "There is no such session";
    SESSION_EXISTS = "session_exists", 409, "There is a session of this external id";
    SCOPE_REQUIRED = "scope_required", 422, "It must be said whose memories are meant";
}

/// Why a use case gives up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("session {0} is unknown or not the caller's to see")]
    SessionNotFound(MemorySessionId),
    #[error("memory {0} is unknown or not the caller's to see")]
    MemoryNotFound(MemoryId),
    #[error("the subject has a session of this external id")]
    SessionExists,
    #[error("no scope was given")]
    ScopeRequired,
    #[error("the caller may not do this")]
    Refused(#[from] Refused),
    #[error("{} fields are not acceptable", .0.len())]
    Fields(Vec<FieldError>),
    #[error("it is at version {current}")]
    VersionMismatch { current: i64 },
    #[error("the database failed")]
    Db(#[from] db::Error),
}

impl Error {
    /// One field that is not acceptable.
    pub fn field(name: &str, code: &'static str, message: &'static str) -> Self {
        Self::Fields(vec![FieldError::new(name, code, message)])
    }
}

impl Coded for Error {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::SessionNotFound(_) => &SESSION_NOT_FOUND,
            Self::MemoryNotFound(_) => &MEMORY_NOT_FOUND,
            Self::SessionExists => &SESSION_EXISTS,
            Self::ScopeRequired => &SCOPE_REQUIRED,
            Self::Refused(Refused::Scope(_)) => &codes::INSUFFICIENT_SCOPE,
            Self::Refused(Refused::Subject) => &NOT_YOURS,
            Self::Fields(_) => &codes::VALIDATION_FAILED,
            Self::VersionMismatch { .. } => &codes::PRECONDITION_FAILED,
            Self::Db(e) => e.code(),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Refused(Refused::Scope(scope)) => Some(format!("This needs the scope {scope}")),
            Self::Refused(Refused::Subject) => {
                Some("Members reach their own memories and what the organization shares; admins also those of an application's users.".to_owned())
            }
            Self::SessionExists => Some("Use that session, or another external_id.".to_owned()),
            Self::ScopeRequired => Some(
                "Name at least one of user, agent, session_id, project_id and collections, or say organization: true for everything that you reach.".to_owned(),
            ),
            Self::VersionMismatch { current } => {
                Some(format!("The current version is {current}; read it and try again."))
            }
            Self::Db(e) => e.detail(),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Fields(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Db(e) => e.retry_after(),
            _ => None,
        }
    }
}

impl From<EndsBeforeItBegins> for Error {
    fn from(_: EndsBeforeItBegins) -> Self {
        Self::field("valid_to", "before_valid_from", "Must not be before valid_from.")
    }
}

impl From<db::diesel::result::Error> for Error {
    fn from(error: db::diesel::result::Error) -> Self {
        match db::Error::from(error) {
            db::Error::Conflict { constraint } if constraint == "sessions_external_key" => Self::SessionExists,
            other => Self::Db(other),
        }
    }
}
