//! The forms in which an error leaves. Ours is a problem document (RFC 9457); routes that speak another vendor's protocol
//! answer errors in that vendor's form, because its client libraries read nothing else.
//!
//! The table of routes is here, and not in the service behind them, so that the gateway's own refusals and the
//! framework's (404, 405, 413, a panic) have the same form as the service's.
//!
//! Sources: OpenAI, "Error codes", <https://platform.openai.com/docs/guides/error-codes>; Anthropic, "Errors",
//! <https://docs.anthropic.com/en/api/errors>.
use actix_web::http::header::{HeaderMap, HeaderName};
use serde_json::json;

use super::problem::{PROBLEM_JSON, ProblemBody};

/// Anthropic's clients send it with every request; OpenAI's never do.
pub static ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// In which form a route answers errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorForm {
    /// `application/problem+json`.
    Problem,
    /// `{"error": {"message", "type", "param", "code"}}`.
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`.
    Anthropic,
    /// The members of a problem document as plain JSON: mem0's clients read `detail`, and of no other media type.
    Mem0,
}

/// Below it mem0's protocol is spoken.
const MEM0: &str = "/v1/memory/compat/mem0";

/// The form of the route that `path` belongs to, whether or not there is anything at the path itself.
pub fn error_form(path: &str, headers: &HeaderMap) -> ErrorForm {
    let first = path.strip_prefix("/v1/").map(|rest| rest.split_once('/').map_or(rest, |(first, _)| first));
    match first {
        Some("messages") => ErrorForm::Anthropic,
        // Both vendors list their models here.
        Some("models") if headers.contains_key(&ANTHROPIC_VERSION) => ErrorForm::Anthropic,
        Some("chat" | "completions" | "embeddings" | "models" | "responses") => ErrorForm::OpenAi,
        Some("memory") if path.strip_prefix(MEM0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) => {
            ErrorForm::Mem0
        }
        _ => ErrorForm::Problem,
    }
}

impl ErrorForm {
    /// The media type of its bodies.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Problem => PROBLEM_JSON,
            Self::OpenAi | Self::Anthropic | Self::Mem0 => "application/json",
        }
    }

    /// The body that says what `problem` says.
    pub fn render(self, problem: &ProblemBody) -> Vec<u8> {
        let body = match self {
            Self::Problem => return problem.to_json(),
            Self::Mem0 => return ProblemBody { detail: message(problem), ..problem.clone() }.to_json(),
            Self::OpenAi => json!({"error": {
                "message": message(problem),
                "type": openai_type(problem),
                "param": problem.errors.first().map(|error| &error.field).filter(|field| !field.is_empty()),
                "code": problem.code,
            }}),
            Self::Anthropic => json!({
                "type": "error",
                "error": {"type": anthropic_type(problem.status), "message": message(problem)},
                "request_id": problem.request_id,
            }),
        };
        body.to_string().into_bytes()
    }
}

/// The clients of these forms show no list of fields, so the one sentence names them all.
fn message(problem: &ProblemBody) -> String {
    let mut message = problem.detail.clone();
    for (index, error) in problem.errors.iter().enumerate() {
        message.push_str(if index == 0 { ": " } else { "; " });
        if !error.field.is_empty() {
            message.push_str(&error.field);
            message.push(' ');
        }
        message.push_str(&error.message);
    }
    message
}

fn openai_type(problem: &ProblemBody) -> &'static str {
    match problem.status {
        401 => "authentication_error",
        403 => "permission_error",
        // Its clients stop trying when a budget is used up, and wait when it is only the rate.
        429 if problem.code == "insufficient_quota" => "insufficient_quota",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use serde_json::Value;

    use super::*;
    use crate::{ErrorCode, FieldError, Problem, http::codes};

    fn form(path: &str) -> ErrorForm {
        error_form(path, &HeaderMap::new())
    }

    #[test]
    fn the_route_decides_by_whole_segments() {
        for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/models/a/b"] {
            assert_eq!(form(path), ErrorForm::OpenAi, "{path}");
        }
        assert_eq!(form("/v1/responses/resp_1/cancel"), ErrorForm::OpenAi);
        assert_eq!(form("/v1/messages"), ErrorForm::Anthropic);
        assert_eq!(form("/v1/messages/count_tokens"), ErrorForm::Anthropic);
        for path in
            ["/", "", "/v1", "/v1/", "/v1/modelsx", "/v1/ai/models", "/v1/users/messages", "/V1/chat", "/v1//chat"]
        {
            assert_eq!(form(path), ErrorForm::Problem, "{path}");
        }
    }

    #[test]
    fn mem0_has_a_corner_of_the_memory_service() {
        for path in ["/v1/memory/compat/mem0", "/v1/memory/compat/mem0/v1/ping/", "/v1/memory/compat/mem0/nothing"] {
            assert_eq!(form(path), ErrorForm::Mem0, "{path}");
        }
        for path in ["/v1/memory", "/v1/memory/memories", "/v1/memory/compat/mem0x", "/v1/memory/compat"] {
            assert_eq!(form(path), ErrorForm::Problem, "{path}");
        }
    }

    #[test]
    fn models_are_anthropics_for_anthropics_clients_and_chat_never_is() {
        let mut headers = HeaderMap::new();
        headers.insert(ANTHROPIC_VERSION.clone(), HeaderValue::from_static("2023-06-01"));
        assert_eq!(error_form("/v1/models/x", &headers), ErrorForm::Anthropic);
        assert_eq!(error_form("/v1/chat/completions", &headers), ErrorForm::OpenAi);
        assert_eq!(error_form("/v1/users/me", &headers), ErrorForm::Problem);
    }

    fn rendered(form: ErrorForm, problem: &Problem) -> Value {
        serde_json::from_slice(&form.render(&problem.body("req-12345", "/v1/x"))).unwrap()
    }

    #[test]
    fn fields_are_in_the_message_and_the_first_is_the_param() {
        let problem = Problem::new(&codes::VALIDATION_FAILED)
            .field(FieldError::new("max_tokens", "range", "must be at least 1"))
            .field(FieldError::new("", "unknown", "is odd"));
        let message = "Some fields are not acceptable: max_tokens must be at least 1; is odd";
        assert_eq!(
            rendered(ErrorForm::OpenAi, &problem),
            json!({"error": {
                "message": message, "type": "invalid_request_error", "param": "max_tokens", "code": "validation_failed",
            }})
        );
        assert_eq!(
            rendered(ErrorForm::Anthropic, &problem),
            json!({
                "type": "error",
                "error": {"type": "invalid_request_error", "message": message},
                "request_id": "req-12345",
            })
        );
        assert_eq!(rendered(ErrorForm::OpenAi, &Problem::new(&codes::NOT_FOUND))["error"]["param"], Value::Null);
        let plain = rendered(ErrorForm::Mem0, &problem);
        assert_eq!((&plain["detail"], &plain["code"]), (&json!(message), &json!("validation_failed")));
        assert_eq!(plain["errors"][0]["field"], "max_tokens");
    }

    #[test]
    fn every_status_has_its_type() {
        static NO_BUDGET: ErrorCode = ErrorCode::new("insufficient_quota", 429, "The quota is used up");
        for (code, openai, anthropic) in [
            (&codes::BAD_REQUEST, "invalid_request_error", "invalid_request_error"),
            (&codes::UNAUTHENTICATED, "authentication_error", "authentication_error"),
            (&codes::FORBIDDEN, "permission_error", "permission_error"),
            (&codes::NOT_FOUND, "invalid_request_error", "not_found_error"),
            (&codes::METHOD_NOT_ALLOWED, "invalid_request_error", "invalid_request_error"),
            (&codes::PAYLOAD_TOO_LARGE, "invalid_request_error", "request_too_large"),
            (&codes::VALIDATION_FAILED, "invalid_request_error", "invalid_request_error"),
            (&codes::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_error"),
            (&NO_BUDGET, "insufficient_quota", "rate_limit_error"),
            (&codes::INTERNAL_ERROR, "server_error", "api_error"),
            (&codes::BAD_GATEWAY, "server_error", "api_error"),
            (&codes::UNAVAILABLE, "server_error", "overloaded_error"),
            (&codes::TIMEOUT, "server_error", "timeout_error"),
        ] {
            let problem = Problem::new(code);
            assert_eq!(rendered(ErrorForm::OpenAi, &problem)["error"]["type"], openai, "{}", code.code);
            assert_eq!(rendered(ErrorForm::Anthropic, &problem)["error"]["type"], anthropic, "{}", code.code);
        }
    }

    #[test]
    fn a_500_stays_opaque() {
        let problem = Problem::new(&codes::INTERNAL_ERROR).detail("SELECT * FROM secrets");
        for form in [ErrorForm::OpenAi, ErrorForm::Anthropic, ErrorForm::Mem0] {
            assert!(!rendered(form, &problem).to_string().contains("secrets"));
        }
    }
}
