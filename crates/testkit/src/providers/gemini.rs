//! Gemini.
use super::{
    Seen,
    render::Operation,
    reply::{Answer, Error},
};
use serde_json::Value;
pub(super) fn violations(_: Operation, _: &Seen) -> Vec<String> {
    Vec::new()
}
pub(super) fn whole(_: &Answer, _: &Seen) -> Value {
    Value::Null
}
pub(super) fn events(_: &Answer, _: &Seen) -> Vec<String> {
    Vec::new()
}
pub(super) fn models() -> Value {
    Value::Null
}
pub(super) fn error(_: u16, _: &Error) -> Value {
    Value::Null
}
pub(super) fn embeddings(_: &Seen) -> Value {
    Value::Null
}
