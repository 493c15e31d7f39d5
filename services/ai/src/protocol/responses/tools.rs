//! Tools of requests. Those that only OpenAI knows are rewritten to the words of chat completions, and back for the
//! answer, which repeats them.

use serde_json::{Map, Value, json};

use crate::{
    domain::chat::{Tool, ToolChoice},
    protocol::{
        ApiError,
        chat_completions::choice_word,
        read::{Fields, Path, Reading, fields::missing, limits, tools},
    },
};

/// Takes `tools` out of a body.
pub fn read(body: &mut Fields<'_>, reading: &mut Reading) -> Result<Vec<Tool>, ApiError> {
    let here = body.at("tools");
    let mut read = Vec::new();
    for (index, value) in body.list("tools", limits::TOOLS)?.unwrap_or_default().into_iter().enumerate() {
        read.push(tool(value, &here.item(index), reading)?);
    }
    tools::check_unique(&read, &here)?;
    Ok(read)
}

fn tool(value: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Tool, ApiError> {
    let untouched = value.clone();
    let mut fields = Fields::new(value, at)?;
    match fields.need_string("type", limits::NAME_BYTES)?.as_str() {
        "function" => {}
        "custom" => return Ok(Tool::Other(custom_for_chat(fields.rest()))),
        _ => return Ok(Tool::Other(untouched)),
    }
    let name = fields.need_string("name", limits::NAME_BYTES)?;
    tools::check_name(&name, tools::OPENAI_NAME, &fields.at("name"))?;
    let parameters = fields.take("parameters");
    if let Some(schema) = &parameters {
        tools::check_parameters(schema, &fields.at("parameters"))?;
    }
    let tool = Tool::Function {
        name,
        description: fields.string("description", limits::TEXT_BYTES)?,
        parameters,
        strict: fields.flag("strict")?,
        cache: fields.take("cache_control"),
    };
    fields.drop_rest(&[], reading);
    Ok(tool)
}

/// Chat completions put a tool's fields, and those of a grammar, one level deeper.
fn custom_for_chat(mut custom: Map<String, Value>) -> Value {
    if let Some(Value::Object(format)) = custom.get_mut("format")
        && format.get("type").is_some_and(|kind| kind == "grammar")
    {
        format.remove("type");
        let grammar = std::mem::take(format);
        custom.insert("format".into(), json!({"type": "grammar", "grammar": grammar}));
    }
    json!({"type": "custom", "custom": custom})
}

fn custom_for_responses(custom: &Map<String, Value>) -> Value {
    let mut custom = custom.clone();
    if let Some(Value::Object(grammar)) = custom.get_mut("format").and_then(|format| format.get_mut("grammar")) {
        let mut format = std::mem::take(grammar);
        format.insert("type".into(), "grammar".into());
        custom.insert("format".into(), format.into());
    }
    custom.insert("type".into(), "custom".into());
    custom.into()
}

/// Takes `tool_choice` out of a body.
pub fn read_choice(body: &mut Fields<'_>, among: &[Tool]) -> Result<Option<ToolChoice>, ApiError> {
    let here = body.at("tool_choice");
    let Some(value) = body.take("tool_choice") else { return Ok(None) };
    let choice = choice(value, &here)?;
    tools::check_choice(Some(&choice), among, &here)?;
    Ok(Some(choice))
}

fn choice(value: Value, at: &Path<'_>) -> Result<ToolChoice, ApiError> {
    if let Value::String(word) = &value {
        return choice_word(word, at);
    }
    let untouched = value.clone();
    let mut fields = Fields::new(value, at)?;
    Ok(match fields.need_string("type", limits::NAME_BYTES)?.as_str() {
        "function" => ToolChoice::Function(fields.need_string("name", limits::NAME_BYTES)?),
        "custom" => {
            let name = fields.need_string("name", limits::NAME_BYTES)?;
            ToolChoice::Other(json!({"type": "custom", "custom": {"name": name}}))
        }
        "allowed_tools" => {
            let mode = fields.word("mode", &["auto", "required"])?.ok_or_else(|| missing(&at.field("mode")))?;
            let listed = fields.list("tools", limits::TOOLS)?.ok_or_else(|| missing(&at.field("tools")))?;
            let tools: Vec<Value> = listed.into_iter().map(named_for_chat).collect();
            ToolChoice::Other(json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}))
        }
        _ => ToolChoice::Other(untouched),
    })
}

/// `{"type": "function", "name": "f"}` as `{"type": "function", "function": {"name": "f"}}`.
fn named_for_chat(tool: Value) -> Value {
    match (tool.get("type").and_then(Value::as_str), tool.get("name")) {
        (Some(kind @ ("function" | "custom")), Some(name)) => json!({"type": kind, kind: {"name": name}}),
        _ => tool,
    }
}

fn named_for_responses(tool: &Value) -> Value {
    let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
    match tool.get(kind).and_then(|inner| inner.get("name")) {
        Some(name) => json!({"type": kind, "name": name}),
        None => tool.clone(),
    }
}

/// `tools` of an answer.
pub fn write(tool: &Tool) -> Value {
    match tool {
        Tool::Function { name, description, parameters, strict, .. } => json!({
            "type": "function",
            "name": name,
            "description": description,
            "parameters": parameters,
            "strict": strict.unwrap_or(false),
        }),
        Tool::Other(tool) => match tool.get("custom") {
            Some(Value::Object(custom)) => custom_for_responses(custom),
            _ => tool.clone(),
        },
    }
}

/// `tool_choice` of an answer.
pub fn write_choice(choice: Option<&ToolChoice>) -> Value {
    match choice {
        None | Some(ToolChoice::Auto) => "auto".into(),
        Some(ToolChoice::None) => "none".into(),
        Some(ToolChoice::Required) => "required".into(),
        Some(ToolChoice::Function(name)) => json!({"type": "function", "name": name}),
        Some(ToolChoice::Other(choice)) => match choice.get("allowed_tools") {
            Some(allowed) => {
                let listed = allowed.get("tools").and_then(Value::as_array);
                let tools: Vec<Value> = listed.into_iter().flatten().map(named_for_responses).collect();
                json!({"type": "allowed_tools", "mode": allowed.get("mode"), "tools": tools})
            }
            None => named_for_responses(choice),
        },
    }
}
