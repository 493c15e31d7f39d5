//! The codes of errors that any endpoint can answer, whatever the service.
//!
//! A service adds its own beside these; `docs/errors/<code>` has a page for each.
use super::problem::ErrorCode;

crate::error_codes! {
    /// Every code of this module, in order of status.
    pub static ALL;

    /// The request cannot be understood: a bad header, parameter or encoding.
    BAD_REQUEST = "bad_request", 400, "The request is malformed";
    /// The body is not JSON.
    MALFORMED_JSON = "malformed_json", 400, "The body is not valid JSON";
    /// A query parameter is unknown, repeated or out of range.
    INVALID_PARAMETER = "invalid_parameter", 400, "A query parameter is not acceptable";
    /// No credentials were sent.
    UNAUTHENTICATED = "unauthenticated", 401, "Authentication is required";
    /// Credentials were sent and are not good (RFC 6750).
    INVALID_TOKEN = "invalid_token", 401, "The access token is not valid";
    /// An API key was sent and is not good: malformed, unknown, revoked, expired, or from a place it does not work from.
    /// Never says which.
    INVALID_API_KEY = "invalid_api_key", 401, "The API key is not valid";
    /// Known caller, not allowed.
    FORBIDDEN = "forbidden", 403, "This is not allowed";
    /// The token lacks a scope (RFC 6750).
    INSUFFICIENT_SCOPE = "insufficient_scope", 403, "The access token lacks a scope";
    /// Nothing at this path, or nothing that the caller may know of.
    NOT_FOUND = "not_found", 404, "Nothing was found here";
    /// The path exists, the method does not; `Allow` lists those that do.
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "The method is not allowed here";
    /// No acceptable representation.
    NOT_ACCEPTABLE = "not_acceptable", 406, "No acceptable representation";
    /// The client took too long to send its request.
    REQUEST_TIMEOUT = "request_timeout", 408, "The request took too long to arrive";
    /// The state of the resource forbids it.
    CONFLICT = "conflict", 409, "The request conflicts with the current state";
    /// `If-Match` names another version than the stored one.
    PRECONDITION_FAILED = "precondition_failed", 412, "The resource has changed";
    /// The body is larger than this route takes.
    PAYLOAD_TOO_LARGE = "payload_too_large", 413, "The body is too large";
    /// The URL is longer than the server takes.
    URI_TOO_LONG = "uri_too_long", 414, "The URL is too long";
    /// Wrong media type or content coding.
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, "The media type is not supported";
    /// Well-formed JSON with unacceptable content; `errors` names the fields.
    VALIDATION_FAILED = "validation_failed", 422, "Some fields are not acceptable";
    /// `Idempotency-Key` is empty, too long or not visible ASCII.
    INVALID_IDEMPOTENCY_KEY = "invalid_idempotency_key", 422, "The Idempotency-Key is not acceptable";
    /// A rate limit or quota is used up; `Retry-After` says for how long.
    TOO_MANY_REQUESTS = "too_many_requests", 429, "Too many requests";
    /// The header section is larger than the server takes.
    HEADERS_TOO_LARGE = "header_fields_too_large", 431, "The request headers are too large";
    /// A defect or an unexpected failure on our side.
    INTERNAL_ERROR = "internal_error", 500, "Something went wrong on our side";
    /// An upstream answered nonsense or could not be reached.
    BAD_GATEWAY = "bad_gateway", 502, "An upstream service failed";
    /// Overloaded or a dependency is down; try again after `Retry-After`.
    UNAVAILABLE = "unavailable", 503, "The service is temporarily unavailable";
    /// The answer was not ready in time.
    TIMEOUT = "timeout", 504, "The answer was not ready in time";
}

/// The code for a bare status, as the framework answers it.
pub fn for_status(status: u16) -> &'static ErrorCode {
    ALL.iter().find(|code| code.status == status).copied().unwrap_or(if status >= 500 {
        &INTERNAL_ERROR
    } else {
        &BAD_REQUEST
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ordered_by_status() {
        for (index, code) in ALL.iter().enumerate() {
            assert!(ALL.iter().skip(index + 1).all(|other| other.code != code.code), "{}", code.code);
        }
        assert!(ALL.is_sorted_by_key(|code| code.status));
    }

    #[test]
    fn a_status_without_a_code_of_its_own_falls_back_to_its_class() {
        assert_eq!(for_status(404).code, "not_found");
        assert_eq!(for_status(418).code, "bad_request");
        assert_eq!(for_status(507).code, "internal_error");
    }
}
