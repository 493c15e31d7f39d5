//! How providers say no, read into one [`Kind`].
//!
//! Their error documents differ little, and no word means two things: OpenAI's `{"error": {message, type, param, code}}`
//! (and what servers of its family make of it), Anthropic's `{"type": "error", "error": {type, message}}`, Google's
//! `{"error": {code, message, status, details}}` (google.rpc.Status). So one table reads them all, words before status.

use std::time::Duration;

use chrono::DateTime;
use http::{HeaderMap, header};
use kit::Secret;
use serde_json::Value;

use super::{Failure, Kind};
use crate::domain::provider::Provider;

/// Longest message that is kept, in characters.
const MESSAGE_CHARS: usize = 1_000;
/// Nobody waits longer; a larger number is a mistake or malice.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Words of error documents (`code`, `type`, `status`, a detail's `reason`), most telling first.
const WORDS: &[(&str, Kind)] = &[
    ("context_length_exceeded", Kind::ContextTooLong),
    ("exceed_context_size_error", Kind::ContextTooLong),
    ("insufficient_quota", Kind::OutOfCredit),
    ("billing_hard_limit_reached", Kind::OutOfCredit),
    ("billing_not_active", Kind::OutOfCredit),
    ("billing_error", Kind::OutOfCredit),
    ("content_filter", Kind::ContentFiltered),
    ("content_policy_violation", Kind::ContentFiltered),
    ("invalid_api_key", Kind::Unauthenticated),
    ("API_KEY_INVALID", Kind::Unauthenticated),
    ("authentication_error", Kind::Unauthenticated),
    ("permission_error", Kind::Unauthenticated),
    ("UNAUTHENTICATED", Kind::Unauthenticated),
    ("PERMISSION_DENIED", Kind::Unauthenticated),
    ("model_not_found", Kind::ModelNotFound),
    ("not_found_error", Kind::ModelNotFound),
    ("NOT_FOUND", Kind::ModelNotFound),
    ("rate_limit_exceeded", Kind::RateLimited),
    ("rate_limit_error", Kind::RateLimited),
    ("RESOURCE_EXHAUSTED", Kind::RateLimited),
    ("overloaded_error", Kind::Overloaded),
    ("UNAVAILABLE", Kind::Overloaded),
    ("timeout_error", Kind::Timeout),
    ("DEADLINE_EXCEEDED", Kind::Timeout),
    ("api_error", Kind::ServerError),
    ("server_error", Kind::ServerError),
    ("INTERNAL", Kind::ServerError),
];

/// What only the text tells, in lower case. Asked of requests that are called bad without a reason.
const PHRASES: &[(&str, Kind)] = &[
    ("maximum context length", Kind::ContextTooLong),
    ("context length", Kind::ContextTooLong),
    ("context window", Kind::ContextTooLong),
    ("context limit", Kind::ContextTooLong),
    ("prompt is too long", Kind::ContextTooLong),
    ("maximum number of tokens allowed", Kind::ContextTooLong),
    ("credit balance is too low", Kind::OutOfCredit),
    ("api key not valid", Kind::Unauthenticated),
];

/// What keys and account ids of known providers begin with.
const SECRET_PREFIXES: &[&str] = &["sk-", "sk_", "AIza", "gsk_", "xai-", "hf_", "bo_", "org-", "proj_", "eyJ"];

/// Reads the refusals of one provider, and keeps its key out of them.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    key: Option<Secret<String>>,
}

impl Refusals {
    pub(super) fn of(provider: &Provider) -> Self {
        Self { key: provider.key.clone() }
    }

    /// An answer whose status is not 2xx.
    pub(super) fn of_answer(&self, status: u16, headers: &HeaderMap, document: &[u8]) -> Failure {
        let failure = self.in_document(Some(status), document);
        let mut failure =
            failure.unwrap_or_else(|| Failure { status: Some(status), ..Failure::new(by_status(status)) });
        failure.retry_after = retry_after(headers).or(failure.retry_after);
        failure
    }

    /// An error document, or `None` when it is none.
    pub(super) fn in_document(&self, status: Option<u16>, document: &[u8]) -> Option<Failure> {
        let document: Value = serde_json::from_slice(document).ok()?;
        // Google wraps it in an array where it expected to stream.
        let document = document.get(0).unwrap_or(&document);
        Some(self.of_error(status, document.get("error").filter(|error| !error.is_null())?))
    }

    /// The `error` of a document or of a stream's event.
    pub(super) fn of_error(&self, status: Option<u16>, error: &Value) -> Failure {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let details = error.get("details").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let reason = details.iter().find_map(|detail| detail.get("reason")?.as_str());
        let words = [text("code"), reason, text("type"), text("status")];
        let message = text("message").or(error.as_str()).unwrap_or_default();
        let status = status.or_else(|| u16::try_from(error.get("code")?.as_u64()?).ok());
        let kind = kind(status, &words.map(Option::unwrap_or_default), message);
        let message = (kind != Kind::Unauthenticated && !message.is_empty()).then(|| self.redacted(message));
        let violation = || details.iter().find_map(|detail| detail.pointer("/fieldViolations/0/field")?.as_str());
        Failure {
            status,
            message,
            retry_after: details
                .iter()
                .find_map(|detail| seconds(detail.get("retryDelay")?.as_str()?.strip_suffix('s')?)),
            param: text("param").or_else(violation).map(|param| self.redacted(param)),
            code: words.into_iter().flatten().next().map(|code| self.redacted(code)),
            ..Failure::new(kind)
        }
    }

    /// `text` without the key, without anything that looks like one, without control characters, and not too long.
    fn redacted(&self, text: &str) -> String {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let text = match &self.key {
            Some(key) if !key.expose().is_empty() => text.replace(key.expose().as_str(), "[redacted]"),
            _ => text,
        };
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find(is_part) {
            let word = &rest[start..];
            let word = &word[..word.find(|c| !is_part(c)).unwrap_or(word.len())];
            let secret = word.len() >= 12 && SECRET_PREFIXES.iter().any(|prefix| word.starts_with(prefix));
            redacted.push_str(&rest[..start]);
            redacted.push_str(if secret { "[redacted]" } else { word });
            rest = &rest[start + word.len()..];
        }
        redacted.push_str(rest);
        redacted.chars().take(MESSAGE_CHARS).collect()
    }
}

fn kind(status: Option<u16>, words: &[&str], message: &str) -> Kind {
    let told = words.iter().find_map(|word| Some(WORDS.iter().find(|(known, _)| known == word)?.1));
    let by_status = match status {
        Some(status) => by_status(status),
        // An event of a stream has no status, and these words say little more.
        None if words.iter().any(|word| ["invalid_request_error", "INVALID_ARGUMENT"].contains(word)) => {
            Kind::BadRequest
        }
        None => Kind::ServerError,
    };
    let kind = told.unwrap_or(by_status);
    if kind != Kind::BadRequest {
        return kind;
    }
    let message = message.to_ascii_lowercase();
    PHRASES.iter().find(|(phrase, _)| message.contains(phrase)).map_or(kind, |(_, kind)| *kind)
}

fn by_status(status: u16) -> Kind {
    match status {
        401 | 403 => Kind::Unauthenticated,
        402 => Kind::OutOfCredit,
        // A wrong base URL looks the same, and is as little the caller's fault.
        404 => Kind::ModelNotFound,
        408 | 504 => Kind::Timeout,
        429 => Kind::RateLimited,
        400..=499 => Kind::BadRequest,
        503 | 529 => Kind::Overloaded,
        500..=599 => Kind::ServerError,
        // A redirect, or no status of an answer at all.
        _ => Kind::Malformed,
    }
}

/// `retry-after-ms` (OpenAI), or `retry-after` (RFC 9110 10.2.3) in seconds, fractions too, or as a date. A date is read
/// by the clock of the server that wrote it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(wait) = text("retry-after-ms").and_then(|ms| ms.trim().parse::<f64>().ok()) {
        return wait_of(wait / 1_000.0);
    }
    let value = text(header::RETRY_AFTER.as_str())?.trim();
    seconds(value).or_else(|| {
        let at = DateTime::parse_from_rfc2822(value).ok()?;
        let now = DateTime::parse_from_rfc2822(text(header::DATE.as_str())?).ok()?;
        Some((at - now).to_std().unwrap_or_default().min(LONGEST_WAIT))
    })
}

fn seconds(text: &str) -> Option<Duration> {
    wait_of(text.parse().ok()?)
}

fn wait_of(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(LONGEST_WAIT))
}
