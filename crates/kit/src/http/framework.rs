//! What the framework's own errors are in our terms: it answers them in plain text and mostly with 400.
use std::io;

use actix_web::{
    Error,
    error::{JsonPayloadError, PathError, PayloadError, QueryPayloadError, UrlencodedError},
};

use super::{Problem, codes};

/// The problem for an error that one of actix's own extractors made; `None` for anything else.
pub(super) fn problem(error: &Error) -> Option<Problem> {
    error
        .as_error::<PayloadError>()
        .map(payload)
        .or_else(|| error.as_error::<JsonPayloadError>().map(json))
        .or_else(|| error.as_error::<UrlencodedError>().map(form))
        .or_else(|| error.as_error::<PathError>().map(|_| Problem::new(&codes::NOT_FOUND)))
        .or_else(|| error.as_error::<QueryPayloadError>().map(|_| Problem::new(&codes::INVALID_PARAMETER)))
}

/// A body that could not be read to its end.
pub(super) fn payload(error: &PayloadError) -> Problem {
    match error {
        PayloadError::Overflow => Problem::new(&codes::PAYLOAD_TOO_LARGE),
        PayloadError::Io(io) if io.kind() == io::ErrorKind::TimedOut => {
            Problem::new(&codes::REQUEST_TIMEOUT).detail("The body took too long to arrive")
        }
        _ => Problem::new(&codes::BAD_REQUEST).detail("The body could not be read to its end"),
    }
}

/// More bytes than the route takes.
pub(super) fn too_large(limit: usize) -> Problem {
    Problem::new(&codes::PAYLOAD_TOO_LARGE).detail(format!("The body may have at most {limit} bytes"))
}

fn json(error: &JsonPayloadError) -> Problem {
    match error {
        JsonPayloadError::OverflowKnownLength { limit, .. } | JsonPayloadError::Overflow { limit } => too_large(*limit),
        JsonPayloadError::ContentType => Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE),
        JsonPayloadError::Deserialize(error) if error.is_data() => Problem::new(&codes::VALIDATION_FAILED),
        JsonPayloadError::Deserialize(_) => Problem::new(&codes::MALFORMED_JSON),
        JsonPayloadError::Payload(error) => payload(error),
        _ => Problem::internal(error.to_string()),
    }
}

fn form(error: &UrlencodedError) -> Problem {
    match error {
        UrlencodedError::Overflow { limit, .. } => too_large(*limit),
        UrlencodedError::ContentType => Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE),
        UrlencodedError::Payload(error) => payload(error),
        UrlencodedError::Parse(_) => Problem::new(&codes::VALIDATION_FAILED),
        UrlencodedError::Serialize(_) => Problem::internal(error.to_string()),
        _ => Problem::new(&codes::BAD_REQUEST).detail("The form could not be read"),
    }
}
