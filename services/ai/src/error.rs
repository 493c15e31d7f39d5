//! Every way in which this service refuses, once for machines and once for people.

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
    MODEL_NOT_FOUND = "model_not_found", 404, "There is no such model";
    INSUFFICIENT_QUOTA = "insufficient_quota", 429, "A quota is used up";
    PROVIDER_RATE_LIMITED = "provider_rate_limited", 429, "The provider allows no more calls just now";
    PROVIDER_FAILED = "provider_failed", 502, "The provider failed";
    STREAM_INTERRUPTED = "stream_interrupted", 502, "The answer ended early";
    PROVIDER_UNAVAILABLE = "provider_unavailable", 503, "The provider cannot take the call";
    TOO_MANY_CALLS = "too_many_calls", 503, "The service is working on as many calls as it can";
    PROVIDER_TIMEOUT = "provider_timeout", 504, "The provider did not answer in time";
}
