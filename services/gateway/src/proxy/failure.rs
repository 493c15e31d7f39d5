//! Why there is no answer from a service.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use kit::http::codes;
use kit::{Coded, ErrorCode};

use super::upload::UploadFault;
use crate::error;
use crate::upstream::Replica;

/// Why a call ended without an answer, or in the middle of one.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no replica to try.
    #[error("no replica is known")]
    NoReplica,
    /// No connection could be opened.
    #[error("no connection to the replica")]
    Unreachable(#[source] io::Error),
    /// The deadline passed, or the replica fell silent.
    #[error("the replica did not answer in time")]
    TooSlow,
    /// The replica closed the connection early, or its answer is not HTTP.
    #[error("the replica broke off or answered nonsense")]
    Broken(#[source] hyper::Error),
    /// The replica speaks another protocol from here on, which nobody asked it for.
    #[error("the replica switched protocols unasked")]
    Switched,
    /// The request itself could not be read from the client.
    #[error(transparent)]
    Upload(UploadFault),
    /// The request cannot be passed on in HTTP/1.1.
    #[error("the request cannot be written again")]
    Unwritable(#[source] http::Error),
}

impl Failure {
    /// A fault of the client's body comes back from hyper as the failure of the connection it was sent on.
    pub fn from_hyper(cause: hyper::Error) -> Self {
        let fault = cause.source().and_then(|source| source.downcast_ref::<UploadFault>());
        fault.copied().map_or_else(|| Self::Broken(cause), Self::Upload)
    }

    /// Logs a failure in the middle of an answer, where no status can tell of it any more.
    pub fn report(&self, replica: &Replica) {
        let cause = self.source().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(upstream.replica = %replica.addr, error = %self, error.cause = cause, "An answer was cut off");
    }
}

impl Coded for Failure {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::NoReplica | Self::Unreachable(_) => &error::UPSTREAM_UNAVAILABLE,
            Self::TooSlow => &error::UPSTREAM_TIMEOUT,
            Self::Broken(_) | Self::Switched => &error::UPSTREAM_FAILED,
            Self::Upload(UploadFault::Broken) | Self::Unwritable(_) => &codes::BAD_REQUEST,
            Self::Upload(UploadFault::Stalled) => &codes::REQUEST_TIMEOUT,
            Self::Upload(UploadFault::TooLarge) => &codes::PAYLOAD_TOO_LARGE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::NoReplica | Self::Unreachable(_) => {
                "The service behind this route cannot be reached; try again".into()
            }
            Self::TooSlow => "The service behind this route did not answer in time".into(),
            Self::Broken(_) | Self::Switched => {
                "The service behind this route broke off its answer; it may have acted on the request".into()
            }
            Self::Upload(fault) => match fault {
                UploadFault::Broken => "The body ended early or is framed wrongly".into(),
                UploadFault::Stalled => "The body did not arrive in time".into(),
                UploadFault::TooLarge => "The body is larger than the gateway passes on".into(),
            },
            Self::Unwritable(_) => "The request target or a header cannot be passed on".into(),
        })
    }

    fn retry_after(&self) -> Option<Duration> {
        let ours = !matches!(self, Self::Upload(_) | Self::Unwritable(_));
        ours.then(|| Duration::from_secs(1))
    }
}
