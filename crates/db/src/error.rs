//! What can go wrong at the database, told apart as far as somebody reacts to it.

use std::{error::Error as StdError, time::Duration};

use diesel::{
    ConnectionError,
    result::{DatabaseErrorKind, Error as DieselError},
};
use kit::{Coded, ErrorCode, http::codes};

use crate::probe::lost_race;

/// A failure at the database. Its [`Coded`] side is for clients and says nothing about tables; the sources are for
/// operators.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Every connection was in use for as long as a request may wait.
    #[error("no database connection was free in time")]
    Busy,
    /// Postgres cannot be reached, or was lost in the middle. Whether a commit in flight took place is unknown then.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// A statement or a wait for a lock took longer than it may.
    #[error("the database took too long")]
    Timeout(#[source] DieselError),
    /// A unique or exclusion constraint: such a row is there already.
    #[error("a row conflicts under {constraint}")]
    Conflict {
        /// The constraint or unique index, by its name in the migration.
        constraint: String,
    },
    /// A foreign key: the row that is referred to is not there, or the row that goes is still referred to.
    #[error("a reference does not hold under {constraint}")]
    Reference {
        /// The constraint, by its name in the migration.
        constraint: String,
    },
    /// A check or not-null constraint: validation let through what the table refuses.
    #[error("a row is refused under {constraint}")]
    Check {
        /// The constraint, or the column that was null.
        constraint: String,
    },
    /// The row that was asked for is not there, or not visible in this scope.
    #[error("no such row")]
    NotFound,
    /// Lost against a transaction that ran at the same time (serialization failure or deadlock). Running it again helps;
    /// [`Scope::tx_retrying`](crate::Scope::tx_retrying) does.
    #[error("the transaction lost against another one")]
    Serialization(#[source] DieselError),
    /// The transaction gave a result although one of its statements had failed; nothing was committed.
    #[error("the transaction went on after a failed statement")]
    Aborted(#[source] DieselError),
    /// The `Idempotency-Key` was used for a request with another body.
    #[error("the idempotency key was used with another body")]
    IdempotencyMismatch,
    /// A request with this `Idempotency-Key` is being worked on.
    #[error("a request with this idempotency key is in flight")]
    IdempotencyInFlight,
    /// A page cursor is not one of ours, or not of this list.
    #[error("the cursor is not valid here")]
    InvalidCursor,
    /// A schema, role or migration is not as it must be.
    #[error("the database is not set up: {0}")]
    Setup(String),
    /// A migration failed.
    #[error("migration failed")]
    Migration(#[source] Box<dyn StdError + Send + Sync>),
    /// A value that goes into or comes out of a JSON column does not fit.
    #[error("a stored document does not fit")]
    Json(#[from] serde_json::Error),
    /// Anything else that diesel or Postgres said.
    #[error("a query failed")]
    Query(#[source] DieselError),
}

kit::error_codes! {
    /// The codes that this crate adds to those of kit.
    pub static CODES;

    INVALID_CURSOR = "invalid_cursor", 400, "The cursor is not valid for this list";
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight", 409, "A request with this Idempotency-Key is being processed";
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch", 422, "The Idempotency-Key was used for another request";
    DATABASE_BUSY = "database_busy", 503, "The service is too busy";
    DATABASE_UNAVAILABLE = "database_unavailable", 503, "The service cannot reach its database";
}

/// The codes that this crate adds to those of kit, for [`kit::Service::error_codes`].
pub fn error_codes() -> Vec<ErrorCode> {
    CODES.iter().map(|code| **code).collect()
}

impl Coded for Error {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Busy | Self::Timeout(_) | Self::Serialization(_) => &DATABASE_BUSY,
            Self::Unavailable(_) => &DATABASE_UNAVAILABLE,
            Self::Conflict { .. } | Self::Reference { .. } => &codes::CONFLICT,
            Self::NotFound => &codes::NOT_FOUND,
            Self::IdempotencyMismatch => &IDEMPOTENCY_MISMATCH,
            Self::IdempotencyInFlight => &IDEMPOTENCY_IN_FLIGHT,
            Self::InvalidCursor => &INVALID_CURSOR,
            Self::Check { .. }
            | Self::Aborted(_)
            | Self::Setup(_)
            | Self::Migration(_)
            | Self::Json(_)
            | Self::Query(_) => &codes::INTERNAL_ERROR,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy | Self::Timeout(_) | Self::Serialization(_) | Self::IdempotencyInFlight => {
                Some(Duration::from_secs(1))
            }
            Self::Unavailable(_) => Some(Duration::from_secs(2)),
            _ => None,
        }
    }
}

impl Error {
    /// Whether the same work may do better in a moment, without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable(_) | Self::Timeout(_) | Self::Serialization(_))
    }

    pub(crate) fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        if lost_race(&error) {
            return Self::Serialization(error);
        }
        match &error {
            DieselError::NotFound => Self::NotFound,
            DieselError::BrokenTransactionManager => Self::unavailable(error),
            DieselError::DatabaseError(kind, info) => match kind {
                DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::ExclusionViolation => {
                    Self::Conflict { constraint: name(info.constraint_name()) }
                }
                DatabaseErrorKind::ForeignKeyViolation | DatabaseErrorKind::RestrictViolation => {
                    Self::Reference { constraint: name(info.constraint_name()) }
                }
                DatabaseErrorKind::CheckViolation => Self::Check { constraint: name(info.constraint_name()) },
                DatabaseErrorKind::NotNullViolation => Self::Check { constraint: name(info.column_name()) },
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                    Self::unavailable(error)
                }
                _ if is_timeout(info.message()) => Self::Timeout(error),
                _ if is_loss(info.message()) => Self::unavailable(error),
                _ => Self::Query(error),
            },
            _ => Self::Query(error),
        }
    }
}

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        Self::unavailable(error)
    }
}

fn name(given: Option<&str>) -> String {
    given.unwrap_or("an unnamed constraint").to_owned()
}

// diesel does not pass SQLSTATE on, so these are told by the server's words; provisioning sets them to English.

/// SQLSTATE 57014 and 55P03.
fn is_timeout(message: &str) -> bool {
    message.starts_with("canceling statement due to statement timeout")
        || message.starts_with("canceling statement due to lock timeout")
}

/// SQLSTATE 57P01 to 57P05, 25P03, and what libpq itself says when the other side is gone.
fn is_loss(message: &str) -> bool {
    const SIGNS: [&str; 12] = [
        "terminating connection",
        "the database system is",
        "server closed the connection",
        "could not receive data",
        "could not send data",
        "connection not open",
        "no connection to the server",
        "SSL connection has been closed",
        "SSL SYSCALL error",
        "SSL error",
        "connection to server",
        "connection pointer is NULL",
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}
