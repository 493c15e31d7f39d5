//! What goes over the wire of what is managed here. Requests get their form here and their rules in `domain`.

pub mod models;
pub mod prices;
pub mod providers;
pub mod quotas;
pub mod turns;
pub mod usage;
pub mod usage_query;

use kit::http::Patch;
use validator::ValidationError;

/// Validation has refused `null` for this member.
fn value<T>(patch: Patch<T>) -> Option<T> {
    patch.apply_to(None)
}

fn not_null<T>(patch: &Patch<T>) -> Result<(), ValidationError> {
    check(!matches!(patch, Patch::Null), "not_nullable", "It cannot be null.")
}

fn check(fine: bool, code: &'static str, message: &'static str) -> Result<(), ValidationError> {
    if fine { Ok(()) } else { Err(ValidationError::new(code).with_message(message.into())) }
}
