//! Protocol.
use super::{ApiError, Encoder, Envelope};
use crate::domain::{
    chat::{ChatRequest, Completion},
    warnings::Warnings,
};
use serde_json::Value;

pub(super) fn parse(_: Value) -> Result<(ChatRequest, Warnings), ApiError> {
    Err(ApiError::invalid("invalid_request", "", ""))
}
pub(super) fn render(_: &ChatRequest, _: &Completion, _: &Envelope) -> Value {
    Value::Null
}
struct Nothing;
impl Encoder for Nothing {
    fn encode(&mut self, _: &crate::domain::chat::ChatEvent) -> bytes::Bytes {
        bytes::Bytes::new()
    }
    fn fail(&mut self, _: &ApiError) -> bytes::Bytes {
        bytes::Bytes::new()
    }
}
pub(super) fn encoder(_: &ChatRequest, _: Envelope) -> Box<dyn Encoder> {
    Box::new(Nothing)
}
