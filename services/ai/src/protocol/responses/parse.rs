//! Requests.

use serde_json::{Map, Value};

use super::{input, tools, unsupported};
use crate::{
    domain::{
        chat::{ChatRequest, Dialect, Echo, Logprobs, Message, MessageRole, Part, Reasoning, ResponseFormat, Sampling},
        warnings::Warnings,
    },
    protocol::{
        ApiError,
        chat_completions::json_schema,
        read::{
            Fields, Kind, Path, Reading, brainops, check_body,
            fields::{missing, string},
            limits, metadata,
        },
    },
};

/// Fields that only the provider acts on, under the same names in chat completions.
const PASSED: [(&str, Kind); 6] = [
    ("moderation", Kind::Object),
    ("prompt_cache_key", Kind::String),
    ("prompt_cache_options", Kind::Object),
    ("prompt_cache_retention", Kind::String),
    ("safety_identifier", Kind::String),
    ("service_tier", Kind::String),
];

/// Fields that chat completions, which is what providers are spoken to in, have no place for.
const DROPPED: [&str; 6] =
    ["access_programs", "background_options", "context_management", "image", "max_tool_calls", "store"];

/// The parts of `include` that are understood; thinking always leaves with its signature.
const LOGPROBS: &str = "message.output_text.logprobs";
const ENCRYPTED: &str = "reasoning.encrypted_content";

pub fn parse(body: Value) -> Result<(ChatRequest, Warnings), ApiError> {
    check_body(&body)?;
    let mut reading = Reading::default();
    let mut fields = Fields::new(body, &Path::Root)?;
    let brainops = brainops::take(&mut fields)?;
    let model = fields.need_string("model", limits::MODEL_BYTES)?;
    refuse_what_needs_a_store(&mut fields)?;
    let instructions = fields.string("instructions", limits::TEXT_BYTES)?;
    let mut messages = Vec::new();
    if let Some(text) = &instructions {
        messages.push(Message { role: MessageRole::System, parts: vec![Part::text(text.as_str())], name: None });
    }
    input::read(&mut fields, &mut messages, &mut reading)?;
    let tools = tools::read(&mut fields, &mut reading)?;
    let tool_choice = tools::read_choice(&mut fields, &tools)?;
    let (response_format, verbosity) = text(&mut fields, &mut reading)?;
    let logprobs = logprobs(&mut fields, &mut reading)?;
    if let Some("auto") = fields.word("truncation", &["auto", "disabled"])? {
        reading.warnings.dropped("truncation");
    }
    drop_known(&mut fields, &mut reading)?;
    let request = ChatRequest {
        dialect: Dialect::Responses,
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        max_tokens: fields.integer("max_output_tokens", 1..=i64::from(u32::MAX))?,
        sampling: Sampling {
            temperature: fields.number("temperature", 0.0..=2.0)?,
            top_p: fields.number("top_p", 0.0..=1.0)?,
            ..Sampling::default()
        },
        stop: Vec::new(),
        response_format,
        reasoning: reasoning(&mut fields, &mut reading)?,
        n: None,
        logprobs,
        user: fields.string("user", limits::NAME_BYTES)?,
        metadata: match fields.take("metadata") {
            Some(value) => metadata(value, &fields.at("metadata"))?,
            None => Map::new(),
        },
        stream: fields.flag("stream")?.unwrap_or(false),
        include_usage: true,
        brainops,
        echo: Echo { instructions, ..Echo::default() },
        extra: {
            fields.check(&PASSED)?;
            let mut extra = fields.rest();
            extra.extend(verbosity.map(|verbosity| ("verbosity".to_owned(), verbosity.into())));
            extra
        },
    };
    Ok((request, reading.warnings))
}

fn refuse_what_needs_a_store(fields: &mut Fields<'_>) -> Result<(), ApiError> {
    let kept = "is not supported: answers are not kept. Send the whole conversation as input.";
    for name in ["previous_response_id", "conversation"] {
        if fields.take(name).is_some() {
            return Err(unsupported(&fields.at(name), kept));
        }
    }
    if fields.take("prompt").is_some() {
        return Err(unsupported(&fields.at("prompt"), "is not supported: prompts kept at OpenAI are not known here."));
    }
    if fields.flag("background")? == Some(true) {
        let why = "is not supported: answers are not kept. Wait for the answer, or stream it.";
        return Err(unsupported(&fields.at("background"), why));
    }
    Ok(())
}

fn drop_known(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<(), ApiError> {
    fields.check(&[("store", Kind::Boolean)])?;
    for name in DROPPED {
        if fields.take(name).is_some_and(|value| value != Value::Bool(false)) {
            reading.warnings.dropped(name);
        }
    }
    let here = fields.at("stream_options");
    if let Some(value) = fields.take("stream_options") {
        Fields::new(value, &here)?.drop_rest(&[], reading);
    }
    Ok(())
}

/// `text`: the form of the answer, and its verbosity.
fn text(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<(Option<ResponseFormat>, Option<String>), ApiError> {
    let here = fields.at("text");
    let Some(value) = fields.take("text") else { return Ok((None, None)) };
    let mut text = Fields::new(value, &here)?;
    let verbosity = text.string("verbosity", 32)?;
    let format = match text.take("format") {
        None => None,
        Some(value) => {
            let here = here.field("format");
            let mut format = Fields::new(value, &here)?;
            let kind = format.word("type", &["text", "json_object", "json_schema"])?;
            Some(match kind.ok_or_else(|| missing(&here.field("type")))? {
                "text" => ResponseFormat::Text,
                "json_object" => ResponseFormat::JsonObject,
                _ if !format.has("schema") => return Err(missing(&here.field("schema"))),
                _ => json_schema(format)?,
            })
        }
    };
    text.drop_rest(&[], reading);
    Ok((format, verbosity))
}

fn reasoning(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Option<Reasoning>, ApiError> {
    let here = fields.at("reasoning");
    let Some(value) = fields.take("reasoning") else { return Ok(None) };
    let mut config = Fields::new(value, &here)?;
    let effort = config.string("effort", 32)?;
    let older = config.string("generate_summary", 32)?;
    let summary = config.string("summary", 32)?.or(older);
    config.drop_rest(&[], reading);
    // An object that says nothing asks for nothing.
    Ok((effort.is_some() || summary.is_some()).then_some(Reasoning { effort, budget_tokens: None, summary }))
}

/// Wanted by name in `include`, or by how many.
fn logprobs(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Option<Logprobs>, ApiError> {
    let here = fields.at("include");
    let mut wanted = false;
    for (index, value) in fields.list("include", limits::PARTS)?.unwrap_or_default().into_iter().enumerate() {
        match string(value, &here.item(index), limits::NAME_BYTES)?.as_str() {
            LOGPROBS => wanted = true,
            ENCRYPTED => {}
            _ => reading.warnings.dropped("include"),
        }
    }
    let top = fields.integer("top_logprobs", 0..=20)?.filter(|top| *top > 0);
    Ok((wanted || top.is_some()).then_some(Logprobs { top }))
}
