//! Every way in which this service refuses, once for machines and once for people.

use std::time::Duration;

use contracts::{CompletionId, ModelId, ProviderId, QuotaId};
use kit::{Coded, ErrorCode, FieldError, VersionMismatch, http::codes};

use crate::domain::{access::Refused, provider::KeyWouldMove};

kit::error_codes! {
    /// The codes that this service adds to those of kit and db.
    pub static CODES;

    ARRAY_ABOVE_MAX_LENGTH = "array_above_max_length", 400, "A list is too long";
    CONTENT_FILTERED = "content_filtered", 400, "The provider's safety system refused the request";
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded", 400, "The input does not fit the model's context window";
    IMAGE_TOO_LARGE = "image_too_large", 400, "An image is too large";
    INVALID_IMAGE = "invalid_image", 400, "An image cannot be used";
    INVALID_RESPONSE_SCHEMA = "invalid_response_schema", 400, "The schema of the answer is not a JSON Schema";
    INVALID_TOOL_SCHEMA = "invalid_tool_schema", 400, "The parameters of a tool are not a JSON Schema";
    INVALID_TYPE = "invalid_type", 400, "A field has the wrong type";
    INVALID_VALUE = "invalid_value", 400, "A field has a value that cannot be";
    MISSING_REQUIRED_PARAMETER = "missing_required_parameter", 400, "A required field is missing";
    PROVIDER_REFUSED = "provider_refused", 400, "The provider refused the request";
    STRING_ABOVE_MAX_LENGTH = "string_above_max_length", 400, "A text is too long";
    UNKNOWN_PARAMETER = "unknown_parameter", 400, "A field is not known";
    UNSUPPORTED_PARAMETER = "unsupported_parameter", 400, "A field asks for what is not offered here";
    MODEL_NOT_ALLOWED = "model_not_allowed", 403, "You may not use this model";
    OPERATOR_REQUIRED = "operator_required", 403, "Only the operators of the installation may change this";
    MODEL_NOT_FOUND = "model_not_found", 404, "There is no such model";
    PROVIDER_NOT_FOUND = "provider_not_found", 404, "There is no such provider";
    QUOTA_NOT_FOUND = "quota_not_found", 404, "There is no such quota";
    TURN_NOT_FOUND = "turn_not_found", 404, "There is no such turn";
    ALIAS_TAKEN = "alias_taken", 409, "Another model has this alias";
    BUILT_IN = "built_in", 409, "This comes with the installation";
    LIMIT_REACHED = "limit_reached", 409, "There are as many of these as may be";
    PROVIDER_IN_USE = "provider_in_use", 409, "Models have routes to this provider";
    PROVIDER_NAME_TAKEN = "provider_name_taken", 409, "Another provider has this name";
    QUOTA_EXISTS = "quota_exists", 409, "There is a quota of the same kind";
    INSUFFICIENT_QUOTA = "insufficient_quota", 429, "A quota is used up";
    PROVIDER_RATE_LIMITED = "provider_rate_limited", 429, "The provider allows no more calls just now";
    PROVIDER_FAILED = "provider_failed", 502, "The provider failed";
    STREAM_INTERRUPTED = "stream_interrupted", 502, "The answer ended early";
    PROVIDER_UNAVAILABLE = "provider_unavailable", 503, "The provider cannot take the call";
    TOO_MANY_CALLS = "too_many_calls", 503, "The service is working on as many calls as it can";
    PROVIDER_TIMEOUT = "provider_timeout", 504, "The provider did not answer in time";
}

/// Why a use case that manages something gives up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("model {0} is unknown or not the caller's to see")]
    ModelNotFound(ModelId),
    #[error("provider {0} is unknown or not the caller's to see")]
    ProviderNotFound(ProviderId),
    #[error("quota {0} is unknown or not the caller's to see")]
    QuotaNotFound(QuotaId),
    #[error("the turn of {0} is not there")]
    TurnNotFound(CompletionId),
    #[error("there is a quota of the same kind")]
    QuotaExists,
    #[error("the caller may not change this")]
    Refused(#[from] Refused),
    #[error("the alias belongs to another model")]
    AliasTaken,
    #[error("the name belongs to another provider")]
    ProviderNameTaken,
    #[error("models have routes to the provider")]
    ProviderInUse,
    #[error("it comes with the installation")]
    BuiltIn,
    #[error("there are {limit} already")]
    LimitReached { limit: i64 },
    #[error("the provider's key would go to another server")]
    KeyWouldMove(#[from] KeyWouldMove),
    #[error("{} fields are not acceptable", .0.len())]
    Fields(Vec<FieldError>),
    #[error(transparent)]
    VersionMismatch(#[from] VersionMismatch),
    #[error("a key could not be sealed or opened")]
    Seal(#[from] kit::seal::SealError),
    #[error("the database failed")]
    Db(#[from] db::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::ModelNotFound(_) => &MODEL_NOT_FOUND,
            Self::ProviderNotFound(_) => &PROVIDER_NOT_FOUND,
            Self::QuotaNotFound(_) => &QUOTA_NOT_FOUND,
            Self::TurnNotFound(_) => &TURN_NOT_FOUND,
            Self::QuotaExists => &QUOTA_EXISTS,
            Self::Refused(Refused::Scope(_)) => &codes::INSUFFICIENT_SCOPE,
            Self::Refused(Refused::NotOperator) => &OPERATOR_REQUIRED,
            Self::AliasTaken => &ALIAS_TAKEN,
            Self::ProviderNameTaken => &PROVIDER_NAME_TAKEN,
            Self::ProviderInUse => &PROVIDER_IN_USE,
            Self::BuiltIn => &BUILT_IN,
            Self::LimitReached { .. } => &LIMIT_REACHED,
            Self::KeyWouldMove(_) | Self::Fields(_) => &codes::VALIDATION_FAILED,
            Self::VersionMismatch(_) => &codes::PRECONDITION_FAILED,
            Self::Seal(_) => &codes::INTERNAL_ERROR,
            Self::Db(e) => e.code(),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Refused(Refused::Scope(scope)) => Some(format!("This needs the scope {scope}")),
            Self::QuotaExists => {
                Some("One with the same subject, model, window and metric exists: change its limit instead.".to_owned())
            }
            Self::LimitReached { limit } => Some(format!("There are {limit} already, and no more may be made.")),
            Self::VersionMismatch(mismatch) => Some(mismatch.to_string()),
            Self::Db(e) => e.detail(),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::AliasTaken => vec![FieldError::new("alias", "taken", "Choose another alias.")],
            Self::ProviderNameTaken => vec![FieldError::new("name", "taken", "Choose another name.")],
            Self::KeyWouldMove(_) => {
                let message = "Send the key again, or null to remove it: it was given for another base_url.";
                vec![FieldError::new("key", "required", message)]
            }
            Self::Fields(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Db(e) => e.retry_after(),
            _ => None,
        }
    }
}

impl From<db::diesel::result::Error> for Error {
    fn from(error: db::diesel::result::Error) -> Self {
        match db::Error::from(error) {
            db::Error::Conflict { constraint } if constraint == "models_alias_key" => Self::AliasTaken,
            db::Error::Conflict { constraint } if constraint == "providers_name_key" => Self::ProviderNameTaken,
            db::Error::Conflict { constraint } if constraint == "quotas_key" => Self::QuotaExists,
            db::Error::Reference { constraint }
                if ["routes_provider_fkey", "routes_own_provider_fkey"].contains(&constraint.as_str()) =>
            {
                Self::ProviderInUse
            }
            other => Self::Db(other),
        }
    }
}
