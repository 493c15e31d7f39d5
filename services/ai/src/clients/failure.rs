//! Why a provider gave no answer, or not the whole of it.

use std::{error::Error as StdError, fmt, time::Duration};

/// What went wrong, as far as it decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No connection, or it broke before the answer began.
    Unreachable,
    /// No first byte, no next event, or no end in time.
    Timeout,
    /// 429.
    RateLimited,
    /// 503, 529 and the like: too busy right now.
    Overloaded,
    /// Any other 5xx.
    ServerError,
    /// 401 and 403: our key is wrong; nothing that the caller can mend.
    Unauthenticated,
    /// 402, or the provider's own quota is used up.
    OutOfCredit,
    /// The provider does not know the model.
    ModelNotFound,
    /// The input does not fit the model's context.
    ContextTooLong,
    /// The provider's safety system refused the request.
    ContentFiltered,
    /// Any other 4xx: the request is at fault.
    BadRequest,
    /// The answer is not what the protocol says.
    Malformed,
    /// The answer is larger than anybody may send. It would be the next time too, and costs as much each time.
    TooLarge,
    /// A stream ended, or its connection broke, before its end.
    Cut,
    /// The adapter or the provider cannot do this at all.
    Unsupported,
}

impl Kind {
    /// In metrics, headers and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Unauthenticated => "unauthenticated",
            Self::OutOfCredit => "out_of_credit",
            Self::ModelNotFound => "model_not_found",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFiltered => "content_filtered",
            Self::BadRequest => "bad_request",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Cut => "cut",
            Self::Unsupported => "unsupported",
        }
    }

    /// Whether another attempt at the same route may succeed.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Timeout
                | Self::RateLimited
                | Self::Overloaded
                | Self::ServerError
                | Self::Malformed
                | Self::Cut
        )
    }

    /// Whether another provider may succeed: everything but what is the request's own fault, as is an answer too large to
    /// take.
    pub fn may_fall_back(self) -> bool {
        !matches!(self, Self::BadRequest | Self::ContextTooLong | Self::ContentFiltered | Self::TooLarge)
    }

    /// Whether it says that the route is ill.
    pub fn counts_against_the_route(self) -> bool {
        self.is_transient() || matches!(self, Self::Unauthenticated | Self::OutOfCredit | Self::ModelNotFound)
    }
}

/// Why there is no answer. Displays without anything that the provider sent.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    /// The provider's HTTP status, when there was one.
    pub status: Option<u16>,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
    /// What the provider said, for the caller whose request is at fault. At most 1,000 characters; never shown for
    /// [`Kind::Unauthenticated`], where it may quote a key.
    pub message: Option<String>,
    /// The field at fault, as the provider names it.
    pub param: Option<String>,
    /// The provider's own code of the error.
    pub code: Option<String>,
    pub(super) source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Failure {
    pub fn new(kind: Kind) -> Self {
        Self { kind, status: None, retry_after: None, message: None, param: None, code: None, source: None }
    }

    pub fn unsupported(what: &str) -> Self {
        Self { message: Some(format!("The provider has no {what}.")), ..Self::new(Kind::Unsupported) }
    }

    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the provider failed: {}", self.kind.as_str())?;
        self.status.map_or(Ok(()), |status| write!(f, " (status {status})"))
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_too_large_is_asked_for_once_and_is_no_illness() {
        let kind = Kind::TooLarge;
        assert_eq!((kind.is_transient(), kind.may_fall_back(), kind.counts_against_the_route()), (false, false, false));
    }
}
