//! What a handler answers when it could not do its work. It is decided where the error happens:
//! `users.get(id).await.map_err(Failure::retry)?`.

use std::fmt;

/// Why a message was not handled, and what should become of it.
pub enum Failure {
    /// This message failed now and may succeed later: it waits in a delay queue while others go on.
    Retry(anyhow::Error),
    /// It will never succeed: it goes to the dead letters at once.
    Fail(anyhow::Error),
    /// A whole dependency is down, every message would fail: the consumer keeps the message in hand and tries it again in
    /// place, without using up an attempt.
    Pause(anyhow::Error),
}

impl Failure {
    /// For `map_err`: try again later.
    pub fn retry(error: impl Into<anyhow::Error>) -> Self {
        Self::Retry(error.into())
    }

    /// For `map_err`: give up.
    pub fn fail(error: impl Into<anyhow::Error>) -> Self {
        Self::Fail(error.into())
    }

    /// For `map_err`: wait for the dependency.
    pub fn pause(error: impl Into<anyhow::Error>) -> Self {
        Self::Pause(error.into())
    }

    /// The error inside.
    pub fn error(&self) -> &anyhow::Error {
        match self {
            Self::Retry(error) | Self::Fail(error) | Self::Pause(error) => error,
        }
    }
}

/// A database that cannot be reached or is overloaded pauses the consumer; every other error of it concerns this message
/// alone and is tried again.
impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Busy | db::Error::Unavailable(_) => Self::pause(error),
            _ => Self::retry(error),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Retry(_) => "Retry",
            Self::Fail(_) => "Fail",
            Self::Pause(_) => "Pause",
        };
        write!(f, "{what}({:#})", self.error())
    }
}
