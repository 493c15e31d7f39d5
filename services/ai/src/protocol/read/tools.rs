//! Names and schemas of tools and of structured answers.

use kit::ErrorCode;
use serde_json::Value;

use super::{
    Path,
    fields::{invalid, wrong_type},
};
use crate::{
    domain::chat::{Tool, ToolChoice},
    error::{INVALID_RESPONSE_SCHEMA, INVALID_TOOL_SCHEMA},
    protocol::ApiError,
};

/// Bytes of a function's name: OpenAI's limit.
pub const OPENAI_NAME: usize = 64;
/// Bytes of a tool's name: Anthropic's limit.
pub const ANTHROPIC_NAME: usize = 128;

/// Letters, digits, `_` and `-`, as both vendors want names of tools.
pub fn check_name(name: &str, max: usize, at: &Path<'_>) -> Result<(), ApiError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=max).contains(&name.len()) && name.bytes().all(good) {
        return Ok(());
    }
    Err(invalid(at, format!("must be 1 to {max} letters, digits, underscores or dashes.")))
}

/// A function's parameters: a JSON Schema of an object.
pub fn check_parameters(schema: &Value, at: &Path<'_>) -> Result<(), ApiError> {
    check_schema(schema, &INVALID_TOOL_SCHEMA, at)?;
    match schema.get("type") {
        None => Ok(()),
        Some(Value::String(kind)) if kind == "object" => Ok(()),
        Some(_) => Err(ApiError::invalid(
            INVALID_TOOL_SCHEMA.code,
            at.field("type").to_string(),
            format!("{at}.type must be \"object\": a function takes named arguments."),
        )),
    }
}

/// The shape of a structured answer.
pub fn check_response_schema(schema: &Value, at: &Path<'_>) -> Result<(), ApiError> {
    check_schema(schema, &INVALID_RESPONSE_SCHEMA, at)
}

fn check_schema(schema: &Value, code: &ErrorCode, at: &Path<'_>) -> Result<(), ApiError> {
    if !schema.is_object() {
        return Err(wrong_type(at, "an object, a JSON Schema", schema));
    }
    jsonschema::meta::validate(schema).map_err(|error| {
        let place = error.instance_path().to_string();
        // The validator's words quote the schema, which may be long.
        let why: String = error.to_string().chars().take(200).collect();
        let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
        ApiError::invalid(code.code, at.to_string(), format!("{at} is not a valid JSON Schema{place}: {why}."))
    })
}

/// Whether what is chosen is there to be chosen.
pub fn check_choice(choice: Option<&ToolChoice>, tools: &[Tool], at: &Path<'_>) -> Result<(), ApiError> {
    match choice {
        Some(ToolChoice::Required | ToolChoice::Other(_)) if tools.is_empty() => {
            Err(invalid(at, "needs tools to choose from."))
        }
        Some(ToolChoice::Function(wanted)) => {
            let named = |tool: &Tool| matches!(tool, Tool::Function { name, .. } if name == wanted);
            // A tool that only its provider knows may have any name.
            let unknown = |tool: &Tool| matches!(tool, Tool::Other(_));
            if tools.iter().any(|tool| named(tool) || unknown(tool)) {
                return Ok(());
            }
            Err(invalid(at, "names a function that is not among the tools."))
        }
        _ => Ok(()),
    }
}

/// Two functions of one name could not be told apart in an answer.
pub fn check_unique(tools: &[Tool], at: &Path<'_>) -> Result<(), ApiError> {
    let mut seen = std::collections::HashSet::new();
    for (index, tool) in tools.iter().enumerate() {
        if let Tool::Function { name, .. } = tool
            && !seen.insert(name)
        {
            return Err(invalid(&at.item(index), "has the name of another tool."));
        }
    }
    Ok(())
}
