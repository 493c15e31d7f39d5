//! What a translation between protocols could not carry.

use std::fmt;

/// Names of request fields that did not reach the provider, or of answer fields that did not reach the caller; sent as
/// `x-brainops-warnings: dropped logit_bias, top_k`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings(Vec<String>);

impl Warnings {
    /// `field` was dropped: a path in the caller's dialect, such as `logit_bias` or `messages.content.input_audio`.
    pub fn dropped(&mut self, field: impl Into<String>) {
        let field = field.into();
        if !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    /// Adds another translation's.
    pub fn merge(&mut self, other: Self) {
        for field in other.0 {
            self.dropped(field);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields, in the order in which they were found.
    pub fn fields(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dropped {}", self.0.join(", "))
    }
}
