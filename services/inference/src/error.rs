//! Every way in which this service refuses, once for machines and once for people.

use std::time::Duration;

use kit::{Coded, ErrorCode, FieldError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{param}: {message}")]
    InvalidRequest { param: String, message: String },
    #[error("{param} is not supported")]
    Unsupported { param: String, message: String },
    #[error("{param}: {message}")]
    UnsupportedSchema { param: String, message: String },
    #[error("a prompt of {prompt} tokens in a context of {context}")]
    ContextLengthExceeded { param: &'static str, prompt: usize, context: u32 },
    #[error("there is no model of this name")]
    ModelNotFound { model: String },
    #[error("the API key is missing or wrong")]
    InvalidApiKey,
    #[error("the model is still being loaded")]
    ModelLoading,
    #[error("the model could not be loaded")]
    ModelUnavailable,
    #[error("as many requests wait as may")]
    Busy,
    #[error("the chat template refuses these messages: {0}")]
    Template(String),
    #[error("the model failed: {0}")]
    Failed(String),
}

kit::error_codes! {
    /// The codes that this service adds to those of kit.
    pub static CODES;

    INVALID_VALUE = "invalid_value", 400, "A field has a value that cannot be";
    UNSUPPORTED_PARAMETER = "unsupported_parameter", 400, "A field asks for what is not offered here";
    UNSUPPORTED_SCHEMA = "unsupported_schema", 400, "The JSON schema cannot be followed";
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded", 400, "The input does not fit the model's context window";
    MODEL_NOT_FOUND = "model_not_found", 404, "There is no such model";
    MODEL_LOADING = "model_loading", 503, "The model is being loaded";
    MODEL_UNAVAILABLE = "model_unavailable", 503, "The model could not be loaded";
    MODEL_BUSY = "model_busy", 503, "Too many requests are waiting for the model";
}

impl Error {
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidRequest { param: param.into(), message: message.into() }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::InvalidRequest { .. } | Self::Template(_) => &INVALID_VALUE,
            Self::Unsupported { .. } => &UNSUPPORTED_PARAMETER,
            Self::UnsupportedSchema { .. } => &UNSUPPORTED_SCHEMA,
            Self::ContextLengthExceeded { .. } => &CONTEXT_LENGTH_EXCEEDED,
            Self::ModelNotFound { .. } => &MODEL_NOT_FOUND,
            Self::InvalidApiKey => &kit::http::codes::INVALID_API_KEY,
            Self::ModelLoading => &MODEL_LOADING,
            Self::ModelUnavailable => &MODEL_UNAVAILABLE,
            Self::Busy => &MODEL_BUSY,
            Self::Failed(_) => &kit::http::codes::INTERNAL_ERROR,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::ContextLengthExceeded { prompt, context, .. } => Some(format!(
                "The prompt has {prompt} tokens. The context of this model holds {context} for prompt and answer together."
            )),
            Self::ModelNotFound { model } => {
                Some(format!("The model {model:?} does not exist here; GET /v1/models lists those that do."))
            }
            Self::ModelUnavailable => Some("The model could not be loaded; the log of the service says why.".into()),
            Self::Template(reason) => Some(format!("The model's chat template refuses these messages: {reason}")),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::InvalidRequest { param, message } => vec![FieldError::new(param, "invalid", message)],
            Self::Unsupported { param, message } => vec![FieldError::new(param, "unsupported", message)],
            Self::UnsupportedSchema { param, message } => vec![FieldError::new(param, "unsupported_schema", message)],
            Self::ContextLengthExceeded { param, .. } => {
                vec![FieldError::new(*param, "too_long", "must be shorter")]
            }
            Self::ModelNotFound { .. } => vec![FieldError::new("model", "unknown", "must name a model of this server")],
            Self::Template(_) => vec![FieldError::new("messages", "invalid", "must suit the model's chat template")],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ModelLoading | Self::Busy => Some(Duration::from_secs(1)),
            Self::ModelUnavailable => Some(Duration::from_secs(30)),
            _ => None,
        }
    }
}
