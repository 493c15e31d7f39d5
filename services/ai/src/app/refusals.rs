//! What callers of the model routes read when something goes wrong, whichever part of the service says no.

use std::{error::Error as StdError, time::Duration};

use kit::{Clock, Coded as _, ErrorCode, http::codes};

use crate::{
    catalog::Denied,
    clients::{Failure, Kind},
    domain::{chat::Dialect, fit::Unfit, model::Capability},
    error,
    ledger::Refusal,
    protocol::{ApiError, ErrorType},
    routing::Exhausted,
};

/// An error with a row in the table of codes.
pub fn refuse(code: &'static ErrorCode, kind: ErrorType, message: impl Into<String>) -> ApiError {
    ApiError { status: code.status, kind, code: code.code, message: message.into(), param: None, retry_after: None }
}

/// The service has as many calls as it can serve.
pub fn busy() -> ApiError {
    let message = "The service is working on as many calls as it can. Try again in a moment.";
    ApiError {
        retry_after: Some(Duration::from_secs(1)),
        ..refuse(&error::TOO_MANY_CALLS, ErrorType::Overloaded, message)
    }
}

/// A defect of ours.
pub fn broken(cause: &(dyn StdError + 'static)) -> ApiError {
    tracing::error!(error.chain = chain(cause), "A call of a model failed");
    refuse(&codes::INTERNAL_ERROR, ErrorType::Server, "Something went wrong on our side.")
}

/// No model for this caller under `alias`.
pub fn denied(denied: Denied, alias: &str) -> ApiError {
    let about = |error: ApiError| ApiError { param: Some("model".to_owned()), ..error };
    match denied {
        Denied::NotFound => about(refuse(
            &error::MODEL_NOT_FOUND,
            ErrorType::NotFound,
            format!("The model `{alias}` does not exist. GET /v1/models lists those that you may use."),
        )),
        Denied::NotAllowed => about(refuse(
            &error::MODEL_NOT_ALLOWED,
            ErrorType::Permission,
            format!("You may not use the model `{alias}`. GET /v1/models lists those that you may use."),
        )),
        Denied::Unavailable(cause) => database(&cause),
    }
}

/// The model cannot do what is asked of it.
pub fn unfit(unfit: Unfit, alias: &str, dialect: Dialect) -> ApiError {
    match unfit {
        Unfit::Lacks { capability: Capability::Chat, .. } => {
            ApiError::invalid(error::UNSUPPORTED_PARAMETER.code, "model", format!("The model `{alias}` cannot chat."))
        }
        Unfit::Lacks { capability, param } => {
            let message = format!("The model `{alias}` does not support {}.", spoken(capability));
            ApiError::invalid(error::UNSUPPORTED_PARAMETER.code, param, message)
        }
        Unfit::AnswerTooLong { asked, most } => {
            let message =
                format!("{asked} tokens are too many: an answer of the model `{alias}` has {most} tokens at most.");
            ApiError::invalid(error::INVALID_VALUE.code, answer_field(dialect), message)
        }
        Unfit::ContextExceeded { window, input, answer } => ApiError::invalid(
            error::CONTEXT_LENGTH_EXCEEDED.code,
            input_field(dialect),
            format!(
                "The context window of the model `{alias}` has {window} tokens, but the input has at least {input} and \
                 {answer} are asked for as answer."
            ),
        ),
    }
}

fn spoken(capability: Capability) -> &'static str {
    match capability {
        Capability::Chat => "chat",
        Capability::Embeddings => "embeddings",
        Capability::Streaming => "streaming",
        Capability::Tools => "tools",
        Capability::ParallelToolCalls => "parallel tool calls",
        Capability::Vision => "images",
        Capability::Audio => "audio",
        Capability::Files => "files",
        Capability::JsonObject => "JSON mode",
        Capability::JsonSchema => "answers by a JSON schema",
        Capability::Logprobs => "log probabilities",
        Capability::Reasoning => "reasoning",
        Capability::PromptCaching => "prompt caching",
    }
}

fn answer_field(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::ChatCompletions | Dialect::Messages => "max_tokens",
        Dialect::Responses => "max_output_tokens",
    }
}

fn input_field(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::ChatCompletions | Dialect::Messages => "messages",
        Dialect::Responses => "input",
    }
}

/// A quota is used up, or nobody can say.
pub fn over_quota(refusal: Refusal, clock: &dyn Clock) -> ApiError {
    match refusal {
        Refusal::Exceeded { metric, limit, used, resets_at } => {
            let (limit, used, unit) = match metric {
                "cost_nano_usd" => (dollars(limit), dollars(used), "of cost"),
                other => (limit.to_string(), used.to_string(), other),
            };
            let message = format!("The quota is used up: {used} of {limit} {unit}. It starts anew at {resets_at:?}.");
            let wait = (resets_at - clock.now()).to_std().unwrap_or_default();
            ApiError {
                retry_after: Some(wait.max(Duration::from_secs(1))),
                ..refuse(&error::INSUFFICIENT_QUOTA, ErrorType::InsufficientQuota, message)
            }
        }
        Refusal::Unavailable(cause) => database(&cause),
    }
}

fn dollars(nano_usd: i64) -> String {
    let sign = if nano_usd < 0 { "-" } else { "" };
    let (whole, rest) = (nano_usd.unsigned_abs() / 1_000_000_000, nano_usd.unsigned_abs() % 1_000_000_000);
    format!("{sign}${whole}.{:06}", rest / 1_000)
}

fn database(cause: &db::Error) -> ApiError {
    let code = cause.code();
    tracing::error!(error.code = code.code, error.chain = chain(cause), "A call of a model was refused");
    let kind = if code.status == 503 { ErrorType::Overloaded } else { ErrorType::Server };
    ApiError { retry_after: cause.retry_after(), ..refuse(code, kind, code.title) }
}

/// No route gave an answer.
pub fn exhausted(exhausted: Exhausted, dialect: Dialect) -> ApiError {
    let Exhausted { failure, retry_after, attempts, .. } = exhausted;
    if attempts == 0 && retry_after.is_none() {
        let message = "The model has no route that takes calls. An administrator can give it one.";
        return refuse(&error::PROVIDER_UNAVAILABLE, ErrorType::Overloaded, message);
    }
    ApiError { retry_after, ..failed(failure, dialect) }
}

/// A stream broke off after its first byte.
pub fn interrupted(failure: &Failure) -> ApiError {
    let why = match failure.kind {
        Kind::Timeout => "The provider sent nothing for too long.",
        Kind::Malformed => "The provider sent something that cannot be understood.",
        Kind::TooLarge => "It is larger than an answer may be.",
        Kind::Overloaded | Kind::RateLimited => "The provider became too busy.",
        Kind::ContentFiltered => "The provider's safety system ended the answer.",
        _ => "The connection to the provider broke.",
    };
    refuse(&error::STREAM_INTERRUPTED, ErrorType::Server, format!("The answer ended early. {why}"))
}

/// The service ends before the stream did.
pub fn shutting_down() -> ApiError {
    refuse(&error::STREAM_INTERRUPTED, ErrorType::Overloaded, "The answer ended early: the server is being restarted.")
}

/// A provider refused or failed. Its own words are passed on only when the request is at fault.
fn failed(failure: Failure, dialect: Dialect) -> ApiError {
    let Failure { kind, message, param, retry_after, .. } = failure;
    let theirs = |otherwise: &str| message.unwrap_or_else(|| otherwise.to_owned());
    let error = match kind {
        Kind::BadRequest => ApiError {
            param,
            ..refuse(&error::PROVIDER_REFUSED, ErrorType::InvalidRequest, theirs("The provider refused the request."))
        },
        Kind::ContextTooLong => ApiError {
            param: Some(input_field(dialect).to_owned()),
            ..refuse(
                &error::CONTEXT_LENGTH_EXCEEDED,
                ErrorType::InvalidRequest,
                theirs("The input does not fit the model's context window."),
            )
        },
        Kind::ContentFiltered => refuse(
            &error::CONTENT_FILTERED,
            ErrorType::InvalidRequest,
            theirs("The provider's safety system refused the request."),
        ),
        Kind::Unsupported => ApiError {
            param,
            ..refuse(
                &error::UNSUPPORTED_PARAMETER,
                ErrorType::InvalidRequest,
                theirs("The provider does not support this."),
            )
        },
        Kind::RateLimited => refuse(
            &error::PROVIDER_RATE_LIMITED,
            ErrorType::RateLimit,
            "The provider allows no more calls just now. Try again later.",
        ),
        Kind::Overloaded => refuse(
            &error::PROVIDER_UNAVAILABLE,
            ErrorType::Overloaded,
            "The provider is overloaded. Try again in a moment.",
        ),
        Kind::Unreachable => refuse(
            &error::PROVIDER_UNAVAILABLE,
            ErrorType::Overloaded,
            "The provider cannot be reached. Try again in a moment.",
        ),
        Kind::Timeout => refuse(&error::PROVIDER_TIMEOUT, ErrorType::Timeout, "The provider did not answer in time."),
        Kind::Unauthenticated => refuse(
            &error::PROVIDER_FAILED,
            ErrorType::Server,
            "The provider does not accept our key. An administrator has to look at its configuration.",
        ),
        Kind::OutOfCredit => refuse(
            &error::PROVIDER_FAILED,
            ErrorType::Server,
            "The account at the provider is used up. An administrator has to look at it.",
        ),
        Kind::ModelNotFound => refuse(
            &error::PROVIDER_FAILED,
            ErrorType::Server,
            "The provider does not know the model that this one stands for. An administrator has to look at its routes.",
        ),
        Kind::TooLarge => refuse(
            &error::PROVIDER_FAILED,
            ErrorType::Server,
            "The provider's answer is too large to be passed on. Ask for less, or for a stream.",
        ),
        Kind::ServerError => refuse(&error::PROVIDER_FAILED, ErrorType::Server, "The provider failed."),
        Kind::Malformed | Kind::Cut => refuse(
            &error::PROVIDER_FAILED,
            ErrorType::Server,
            "The provider's answer could not be understood or was not whole.",
        ),
    };
    ApiError { retry_after, ..error }
}

fn chain(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_own_words_reach_the_caller_only_when_the_request_is_at_fault() {
        for kind in [Kind::ServerError, Kind::Unauthenticated, Kind::Unreachable, Kind::RateLimited, Kind::Malformed] {
            let mut failure = Failure::new(kind);
            failure.message = Some("Incorrect API key provided: sk-secret".into());
            let error = failed(failure, Dialect::ChatCompletions);
            assert!(error.status >= 429 && !error.message.contains("secret"), "{error:?}");
        }
        let mut failure = Failure::new(Kind::BadRequest);
        failure.message = Some("top_k is too large".into());
        assert_eq!(failed(failure, Dialect::Messages).message, "top_k is too large");
    }

    #[test]
    fn money_is_told_in_dollars() {
        assert_eq!(dollars(1_234_567_891), "$1.234567");
        assert_eq!(dollars(-5_000), "-$0.000005");
        assert_eq!(dollars(i64::MIN), "-$9223372036.854775");
    }
}
