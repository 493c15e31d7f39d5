//! Every way in which this service refuses, once for machines and once for people.

use std::time::Duration;

use contracts::WidgetId;
use kit::{Coded, ErrorCode};

use crate::domain::access::Refused;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("widget {0} is unknown in the caller's organization")]
    WidgetNotFound(WidgetId),
    #[error("the role does not suffice")]
    Refused(#[from] Refused),
    #[error("the database failed")]
    Db(#[from] db::Error),
}

static WIDGET_NOT_FOUND: ErrorCode = ErrorCode::new("widget_not_found", 404, "There is no such widget");
static ROLE_INSUFFICIENT: ErrorCode =
    ErrorCode::new("role_insufficient", 403, "Your role in this organization does not allow this");

/// Every code of this service's own.
pub static CODES: [&ErrorCode; 2] = [&WIDGET_NOT_FOUND, &ROLE_INSUFFICIENT];

impl Coded for Error {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::WidgetNotFound(_) => &WIDGET_NOT_FOUND,
            Self::Refused(_) => &ROLE_INSUFFICIENT,
            Self::Db(error) => error.code(),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::WidgetNotFound(_) => None,
            Self::Refused(refused) => Some(refused.to_string()),
            Self::Db(error) => error.detail(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Db(error) => error.retry_after(),
            Self::WidgetNotFound(_) | Self::Refused(_) => None,
        }
    }
}

impl From<db::diesel::result::Error> for Error {
    fn from(error: db::diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}
