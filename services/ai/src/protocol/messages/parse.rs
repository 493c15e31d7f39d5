//! Requests.

use serde_json::{Map, Value};

use super::blocks;
use crate::{
    domain::{
        chat::{
            ChatRequest, Dialect, Echo, Message, MessageRole, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice,
        },
        warnings::Warnings,
    },
    protocol::{
        ApiError,
        read::{
            Fields, Kind, Path, Reading, brainops, check_body,
            fields::{invalid, list, missing, unknown_word},
            limits, stop_sequences, tools,
        },
    },
};

/// Fields that only the provider acts on.
const PASSED: [(&str, Kind); 6] = [
    ("cache_control", Kind::Object),
    ("context_management", Kind::Object),
    ("inference_geo", Kind::String),
    ("mcp_servers", Kind::List),
    ("service_tier", Kind::String),
    ("speed", Kind::String),
];

/// Anthropic takes thousands; no one means that many.
const STOP_SEQUENCES: usize = 64;

pub fn parse(body: Value) -> Result<(ChatRequest, Warnings), ApiError> {
    let (request, warnings) = parse_count(body)?;
    if request.max_tokens.is_none() {
        return Err(missing(&Path::Root.field("max_tokens")));
    }
    Ok((request, warnings))
}

/// `/v1/messages/count_tokens`: the same, but there is no answer that `max_tokens` could bound.
pub fn parse_count(body: Value) -> Result<(ChatRequest, Warnings), ApiError> {
    check_body(&body)?;
    let mut reading = Reading::default();
    let mut fields = Fields::new(body, &Path::Root)?;
    let brainops = brainops::take(&mut fields)?;
    let model = fields.need_string("model", limits::MODEL_BYTES)?;
    let max_tokens = fields.integer("max_tokens", 1..=i64::from(u32::MAX))?;
    let messages = read_messages(&mut fields, &mut reading)?;
    let tools = read_tools(&mut fields, &mut reading)?;
    let (tool_choice, parallel_tool_calls) = read_tool_choice(&mut fields, &tools)?;
    let (response_format, effort) = output_config(&mut fields)?;
    let request = ChatRequest {
        dialect: Dialect::Messages,
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        max_tokens,
        sampling: Sampling {
            temperature: fields.number("temperature", 0.0..=1.0)?,
            top_p: fields.number("top_p", 0.0..=1.0)?,
            top_k: fields.integer("top_k", 0..=i64::from(u32::MAX))?,
            ..Sampling::default()
        },
        stop: match fields.list("stop_sequences", STOP_SEQUENCES)? {
            Some(stop) => stop_sequences(stop.into(), &fields.at("stop_sequences"), STOP_SEQUENCES)?,
            None => Vec::new(),
        },
        response_format,
        reasoning: thinking(&mut fields, effort, &mut reading)?,
        n: None,
        logprobs: None,
        user: user(&mut fields, &mut reading)?,
        metadata: Map::new(),
        stream: fields.flag("stream")?.unwrap_or(false),
        include_usage: true,
        brainops,
        echo: Echo::default(),
        extra: {
            fields.check(&PASSED)?;
            fields.rest()
        },
    };
    Ok((request, reading.warnings))
}

/// `system` first, then `messages`. The results of tools, which stand in messages of the user here, become messages of
/// their own.
fn read_messages(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Vec<Message>, ApiError> {
    let mut messages = Vec::new();
    if let Some(system) = fields.take("system") {
        let parts = blocks::read(system, &fields.at("system"), reading)?;
        if !parts.is_empty() {
            messages.push(Message { role: MessageRole::System, parts, name: None });
        }
    }
    let here = fields.at("messages");
    let listed = list(fields.need("messages")?, &here, limits::MESSAGES)?;
    if listed.is_empty() {
        return Err(invalid(&here, "must hold at least one message."));
    }
    for (index, value) in listed.into_iter().enumerate() {
        message(value, &here.item(index), &mut messages, reading)?;
    }
    Ok(messages)
}

fn message(value: Value, at: &Path<'_>, messages: &mut Vec<Message>, reading: &mut Reading) -> Result<(), ApiError> {
    let mut fields = Fields::new(value, at)?;
    let role = fields.word("role", &["user", "assistant", "system"])?.ok_or_else(|| missing(&at.field("role")))?;
    let parts = blocks::read(fields.need("content")?, &at.field("content"), reading)?;
    fields.drop_rest(&[], reading);
    let role = match role {
        "user" => MessageRole::User,
        "assistant" => MessageRole::Assistant,
        _ => MessageRole::System,
    };
    if role == MessageRole::User {
        blocks::split_results(parts, messages);
    } else {
        messages.push(Message { role, parts, name: None });
    }
    Ok(())
}

fn read_tools(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Vec<Tool>, ApiError> {
    let here = fields.at("tools");
    let Some(listed) = fields.list("tools", limits::TOOLS)? else { return Ok(Vec::new()) };
    let mut tools = Vec::with_capacity(listed.len());
    for (index, value) in listed.into_iter().enumerate() {
        tools.push(tool(value, &here.item(index), reading)?);
    }
    tools::check_unique(&tools, &here)?;
    Ok(tools)
}

fn tool(value: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Tool, ApiError> {
    let untouched = value.clone();
    let mut fields = Fields::new(value, at)?;
    if fields.string("type", limits::NAME_BYTES)?.is_some_and(|kind| kind != "custom") {
        return Ok(Tool::Other(untouched));
    }
    let name = fields.need_string("name", limits::NAME_BYTES)?;
    tools::check_name(&name, tools::ANTHROPIC_NAME, &fields.at("name"))?;
    let schema = fields.need("input_schema")?;
    tools::check_parameters(&schema, &fields.at("input_schema"))?;
    let tool = Tool::Function {
        name,
        description: fields.string("description", limits::TEXT_BYTES)?,
        parameters: Some(schema),
        strict: fields.flag("strict")?,
        cache: fields.take("cache_control"),
    };
    fields.drop_rest(&[], reading);
    Ok(tool)
}

/// What to choose, and whether several at once.
fn read_tool_choice(fields: &mut Fields<'_>, tools: &[Tool]) -> Result<(Option<ToolChoice>, Option<bool>), ApiError> {
    let Some(value) = fields.take("tool_choice") else { return Ok((None, None)) };
    let here = fields.at("tool_choice");
    let mut choice = Fields::new(value, &here)?;
    let parallel = choice.flag("disable_parallel_tool_use")?.map(|disabled| !disabled);
    let kind = choice.need_string("type", limits::NAME_BYTES)?;
    let chosen = match kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Function(choice.need_string("name", limits::NAME_BYTES)?),
        other => return Err(unknown_word(&here.field("type"), other, &["auto", "any", "tool", "none"])),
    };
    tools::check_choice(Some(&chosen), tools, &here)?;
    Ok((Some(chosen), parallel))
}

/// `thinking`, and the effort from `output_config`, which may stand alone.
fn thinking(
    fields: &mut Fields<'_>,
    effort: Option<String>,
    reading: &mut Reading,
) -> Result<Option<Reasoning>, ApiError> {
    let alone =
        |effort: Option<String>| effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() });
    let here = fields.at("thinking");
    let Some(value) = fields.object("thinking")?.map(Value::Object) else { return Ok(alone(effort)) };
    let untouched = value.clone();
    let mut config = Fields::new(value, &here)?;
    let reasoning = match config.need_string("type", limits::NAME_BYTES)?.as_str() {
        "enabled" => {
            let budget = config.integer("budget_tokens", 1..=i64::from(u32::MAX))?;
            let budget_tokens = Some(budget.ok_or_else(|| missing(&here.field("budget_tokens")))?);
            Reasoning { effort, budget_tokens, summary: None }
        }
        "disabled" => {
            if effort.is_some() {
                reading.warnings.dropped("output_config.effort");
            }
            Reasoning { effort: Some("none".into()), ..Reasoning::default() }
        }
        "adaptive" => Reasoning { effort, ..Reasoning::default() },
        // Newer than this; Anthropic will know.
        _ => {
            fields.put_back("thinking", untouched);
            return Ok(alone(effort));
        }
    };
    config.drop_rest(&[], reading);
    Ok(Some(reasoning))
}

/// The form of the answer and the effort; what else there is stays.
fn output_config(fields: &mut Fields<'_>) -> Result<(Option<ResponseFormat>, Option<String>), ApiError> {
    let here = fields.at("output_config");
    let Some(value) = fields.take("output_config") else { return Ok((None, None)) };
    let mut config = Fields::new(value, &here)?;
    let effort = config.string("effort", 32)?;
    let format = match config.take("format") {
        None => None,
        Some(value) => {
            let here = here.field("format");
            let mut format = Fields::new(value, &here)?;
            format.word("type", &["json_schema"])?.ok_or_else(|| missing(&here.field("type")))?;
            let schema = format.need("schema")?;
            tools::check_response_schema(&schema, &here.field("schema"))?;
            // The other dialects want a name, and Anthropic always means it strictly.
            Some(ResponseFormat::JsonSchema { name: "answer".into(), description: None, schema, strict: Some(true) })
        }
    };
    let rest = config.rest();
    if !rest.is_empty() {
        fields.put_back("output_config", rest.into());
    }
    Ok((format, effort))
}

fn user(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Option<String>, ApiError> {
    let here = fields.at("metadata");
    let Some(value) = fields.take("metadata") else { return Ok(None) };
    let mut metadata = Fields::new(value, &here)?;
    let user = metadata.string("user_id", limits::NAME_BYTES)?;
    metadata.drop_rest(&[], reading);
    Ok(user)
}
