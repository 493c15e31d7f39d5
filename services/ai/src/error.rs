//! Every way in which this service refuses, once for machines and once for people.

kit::error_codes! {
    /// The codes that this service adds to those of kit and db.
    pub static CODES;

    ARRAY_ABOVE_MAX_LENGTH = "array_above_max_length", 400, "A list is too long";
    IMAGE_TOO_LARGE = "image_too_large", 400, "An image is too large";
    INVALID_IMAGE = "invalid_image", 400, "An image cannot be used";
    INVALID_RESPONSE_SCHEMA = "invalid_response_schema", 400, "The schema of the answer is not a JSON Schema";
    INVALID_TOOL_SCHEMA = "invalid_tool_schema", 400, "The parameters of a tool are not a JSON Schema";
    INVALID_TYPE = "invalid_type", 400, "A field has the wrong type";
    INVALID_VALUE = "invalid_value", 400, "A field has a value that cannot be";
    MISSING_REQUIRED_PARAMETER = "missing_required_parameter", 400, "A required field is missing";
    STRING_ABOVE_MAX_LENGTH = "string_above_max_length", 400, "A text is too long";
    UNKNOWN_PARAMETER = "unknown_parameter", 400, "A field is not known";
    UNSUPPORTED_PARAMETER = "unsupported_parameter", 400, "A field asks for what is not offered here";
    MODEL_NOT_FOUND = "model_not_found", 404, "There is no such model";
}
