//! Optimistic concurrency: a change that is meant for one version of a resource.

/// The version that a caller means to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedVersion(Option<i64>);

/// It is at another version by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The current version is {current}; read it and try again.")]
pub struct VersionMismatch {
    pub current: i64,
}

impl ExpectedVersion {
    /// Whichever it is.
    pub const ANY: Self = Self(None);

    /// This one only.
    pub const fn exactly(version: i64) -> Self {
        Self(Some(version))
    }

    /// Compares with the stored one, which the caller has locked.
    pub fn check(self, stored: i64) -> Result<(), VersionMismatch> {
        match self.0 {
            Some(expected) if expected != stored => Err(VersionMismatch { current: stored }),
            _ => Ok(()),
        }
    }
}
