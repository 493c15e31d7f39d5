//! Errors of the model routes, in the words of each protocol.

use std::{borrow::Cow, time::Duration};

use serde_json::{Value, json};

use crate::domain::chat::Dialect;

/// OpenAI's `type` (and its Anthropic counterpart). Credentials and the size of bodies are checked before a request gets
/// here; `kit::http::dialect` writes those errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    InvalidRequest,
    Permission,
    NotFound,
    RateLimit,
    /// OpenAI's `insufficient_quota`, a 429 as well.
    InsufficientQuota,
    /// Ours or the provider's.
    Server,
    /// Nobody could answer just now; trying again may help.
    Overloaded,
    Timeout,
}

/// An error before it is put into a protocol's form.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    pub status: u16,
    pub kind: ErrorType,
    /// Stable, `snake_case`: `model_not_found`, `context_length_exceeded`. A row of [`crate::error::CODES`].
    pub code: &'static str,
    /// For people; never names a provider's address or key.
    pub message: String,
    /// The field at fault: `messages[2].content`.
    pub param: Option<String>,
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// 400 about one field.
    pub fn invalid(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            kind: ErrorType::InvalidRequest,
            code,
            message: message.into(),
            param: Some(param.into()),
            retry_after: None,
        }
    }

    /// The body in the form of the dialect.
    pub fn body(&self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::ChatCompletions | Dialect::Responses => json!({"error": {
                "message": self.message,
                "type": self.openai_type(),
                "param": self.param,
                "code": self.code,
            }}),
            Dialect::Messages => {
                json!({"type": "error", "error": {"type": self.anthropic_type(), "message": self.with_param()}})
            }
        }
    }

    /// The message, which in Anthropic's form is the only place to name the field.
    fn with_param(&self) -> Cow<'_, str> {
        match &self.param {
            Some(param) if !self.message.contains(param.as_str()) => format!("{param}: {}", self.message).into(),
            _ => self.message.as_str().into(),
        }
    }

    fn openai_type(&self) -> &'static str {
        match self.kind {
            ErrorType::InvalidRequest | ErrorType::NotFound => "invalid_request_error",
            ErrorType::Permission => "permission_error",
            ErrorType::RateLimit => "rate_limit_error",
            ErrorType::InsufficientQuota => "insufficient_quota",
            ErrorType::Server | ErrorType::Overloaded | ErrorType::Timeout => "server_error",
        }
    }

    fn anthropic_type(&self) -> &'static str {
        match self.kind {
            ErrorType::InvalidRequest => "invalid_request_error",
            ErrorType::Permission => "permission_error",
            ErrorType::NotFound => "not_found_error",
            ErrorType::RateLimit | ErrorType::InsufficientQuota => "rate_limit_error",
            ErrorType::Server => "api_error",
            ErrorType::Overloaded => "overloaded_error",
            ErrorType::Timeout => "timeout_error",
        }
    }
}
