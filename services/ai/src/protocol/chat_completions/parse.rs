//! Requests.

use serde_json::{Map, Value};

use super::messages;
use crate::{
    domain::{
        chat::{ChatRequest, Dialect, Echo, Logprobs, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice},
        warnings::Warnings,
    },
    protocol::{
        ApiError,
        read::{
            Fields, Kind, Path, Reading, brainops, check_body,
            fields::{invalid, missing, object, unknown_word, wrong_type},
            limits, metadata, stop_sequences, tools,
        },
    },
};

/// Fields that only the provider acts on.
const PASSED: [(&str, Kind); 13] = [
    ("audio", Kind::Object),
    ("modalities", Kind::List),
    ("moderation", Kind::Object),
    ("prediction", Kind::Object),
    ("prompt_cache_key", Kind::String),
    ("prompt_cache_options", Kind::Object),
    ("prompt_cache_retention", Kind::String),
    ("safety_identifier", Kind::String),
    ("service_tier", Kind::String),
    ("store", Kind::Boolean),
    ("verbosity", Kind::String),
    ("web_search_options", Kind::Object),
    ("chat_template_kwargs", Kind::Object),
];

pub fn parse(body: Value) -> Result<(ChatRequest, Warnings), ApiError> {
    check_body(&body)?;
    let mut reading = Reading::default();
    let mut fields = Fields::new(body, &Path::Root)?;
    let brainops = brainops::take(&mut fields)?;
    let model = fields.need_string("model", limits::MODEL_BYTES)?;
    let messages = messages::read(&mut fields, &mut reading)?;
    let legacy_functions = fields.has("functions") && !fields.has("tools");
    let tools = read_tools(&mut fields, &mut reading)?;
    let tool_choice = read_tool_choice(&mut fields, &tools)?;
    let stream = fields.flag("stream")?.unwrap_or(false);
    let stop = match fields.take("stop") {
        Some(stop) => stop_sequences(stop, &fields.at("stop"), 4)?,
        None => Vec::new(),
    };
    let request = ChatRequest {
        dialect: Dialect::ChatCompletions,
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        max_tokens: max_tokens(&mut fields)?,
        sampling: sampling(&mut fields)?,
        stop,
        response_format: response_format(&mut fields)?,
        reasoning: reasoning(&mut fields)?,
        n: fields.integer("n", 1..=limits::ANSWERS)?,
        logprobs: logprobs(&mut fields)?,
        user: fields.string("user", limits::NAME_BYTES)?,
        metadata: match fields.take("metadata") {
            Some(value) => metadata(value, &fields.at("metadata"))?,
            None => Map::new(),
        },
        stream,
        include_usage: include_usage(&mut fields, &mut reading)? && stream,
        brainops,
        echo: Echo { legacy_functions, ..Echo::default() },
        extra: {
            fields.check(&PASSED)?;
            fields.rest()
        },
    };
    Ok((request, reading.warnings))
}

/// The older name and the newer one mean the same, so they may not disagree.
fn max_tokens(fields: &mut Fields<'_>) -> Result<Option<u32>, ApiError> {
    let older = fields.integer("max_tokens", 1..=i64::from(u32::MAX))?;
    let newer = fields.integer("max_completion_tokens", 1..=i64::from(u32::MAX))?;
    match (older, newer) {
        (Some(older), Some(newer)) if older != newer => {
            Err(invalid(&fields.at("max_tokens"), "must not differ from max_completion_tokens; send only the latter."))
        }
        _ => Ok(newer.or(older)),
    }
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, ApiError> {
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0..=2.0)?,
        top_p: fields.number("top_p", 0.0..=1.0)?,
        // vLLM writes "all of them" as -1.
        top_k: fields.integer::<i64>("top_k", -1..=i64::from(u32::MAX))?.and_then(|top_k| u32::try_from(top_k).ok()),
        frequency_penalty: fields.number("frequency_penalty", -2.0..=2.0)?,
        presence_penalty: fields.number("presence_penalty", -2.0..=2.0)?,
        seed: fields.integer("seed", i64::MIN..=i64::MAX)?,
        logit_bias: match fields.take("logit_bias") {
            Some(value) => logit_bias(value, &fields.at("logit_bias"))?,
            None => Map::new(),
        },
    })
}

fn logit_bias(value: Value, at: &Path<'_>) -> Result<Map<String, Value>, ApiError> {
    let map = object(value, at)?;
    if map.len() > limits::BIASES {
        return Err(invalid(at, format!("has {} entries; {} is the limit.", map.len(), limits::BIASES)));
    }
    for (token, bias) in &map {
        let here = at.field(token);
        if token.parse::<u32>().is_err() {
            return Err(invalid(&here, "must be named by the id of a token."));
        }
        let number = bias.as_f64().ok_or_else(|| wrong_type(&here, "a number", bias))?;
        if !(-100.0..=100.0).contains(&number) {
            return Err(invalid(&here, format!("must be between -100 and 100, not {bias}.")));
        }
    }
    Ok(map)
}

fn logprobs(fields: &mut Fields<'_>) -> Result<Option<Logprobs>, ApiError> {
    let wanted = fields.flag("logprobs")?.unwrap_or(false);
    let top = fields.integer("top_logprobs", 0..=20)?;
    match (wanted, top) {
        (true, top) => Ok(Some(Logprobs { top })),
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => Err(invalid(&fields.at("top_logprobs"), "needs logprobs to be true.")),
    }
}

fn include_usage(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<bool, ApiError> {
    let Some(value) = fields.take("stream_options") else { return Ok(false) };
    let here = fields.at("stream_options");
    let mut options = Fields::new(value, &here)?;
    let include = options.flag("include_usage")?.unwrap_or(false);
    options.drop_rest(&[], reading);
    Ok(include)
}

fn reasoning(fields: &mut Fields<'_>) -> Result<Option<Reasoning>, ApiError> {
    let effort = fields.string("reasoning_effort", 32)?;
    Ok(effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }))
}

fn response_format(fields: &mut Fields<'_>) -> Result<Option<ResponseFormat>, ApiError> {
    let Some(value) = fields.take("response_format") else { return Ok(None) };
    let here = fields.at("response_format");
    let mut format = Fields::new(value, &here)?;
    let kind =
        format.word("type", &["text", "json_object", "json_schema"])?.ok_or_else(|| missing(&here.field("type")))?;
    Ok(Some(match kind {
        "text" => ResponseFormat::Text,
        "json_object" => ResponseFormat::JsonObject,
        _ => {
            let inner = here.field("json_schema");
            json_schema(Fields::new(format.need("json_schema")?, &inner)?)?
        }
    }))
}

/// `{name, description, schema, strict}`, which responses have in another place.
pub fn json_schema(mut fields: Fields<'_>) -> Result<ResponseFormat, ApiError> {
    let name = fields.need_string("name", limits::NAME_BYTES)?;
    tools::check_name(&name, tools::OPENAI_NAME, &fields.at("name"))?;
    let schema = fields.take("schema").unwrap_or_else(|| Value::Object(Map::new()));
    tools::check_response_schema(&schema, &fields.at("schema"))?;
    Ok(ResponseFormat::JsonSchema {
        name,
        description: fields.string("description", limits::TEXT_BYTES)?,
        schema,
        strict: fields.flag("strict")?,
    })
}

/// `tools`, and `functions` as they were called before.
fn read_tools(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Vec<Tool>, ApiError> {
    let (name, listed, legacy) = match (fields.list("tools", limits::TOOLS)?, fields.list("functions", limits::TOOLS)?)
    {
        (Some(_), Some(_)) => return Err(invalid(&fields.at("functions"), "must not be sent together with tools.")),
        (Some(listed), None) => ("tools", listed, false),
        (None, Some(listed)) => ("functions", listed, true),
        (None, None) => return Ok(Vec::new()),
    };
    let here = fields.at(name);
    let mut tools = Vec::with_capacity(listed.len());
    for (index, value) in listed.into_iter().enumerate() {
        let at = here.item(index);
        tools.push(if legacy { function(value, None, &at, reading)? } else { tool(value, &at, reading)? });
    }
    tools::check_unique(&tools, &here)?;
    Ok(tools)
}

fn tool(value: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Tool, ApiError> {
    let untouched = value.clone();
    let mut fields = Fields::new(value, at)?;
    let kind = fields.need_string("type", limits::NAME_BYTES)?;
    if kind != "function" {
        return Ok(Tool::Other(untouched));
    }
    let cache = fields.take("cache_control");
    let tool = function(fields.need("function")?, cache, &at.field("function"), reading)?;
    fields.drop_rest(&[], reading);
    Ok(tool)
}

fn function(value: Value, cache: Option<Value>, at: &Path<'_>, reading: &mut Reading) -> Result<Tool, ApiError> {
    let mut fields = Fields::new(value, at)?;
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
        cache,
    };
    fields.drop_rest(&[], reading);
    Ok(tool)
}

/// `tool_choice`, and `function_call` as it was called before.
fn read_tool_choice(fields: &mut Fields<'_>, tools: &[Tool]) -> Result<Option<ToolChoice>, ApiError> {
    let (name, choice) = match (fields.take("tool_choice"), fields.take("function_call")) {
        (Some(value), _) => ("tool_choice", tool_choice(value, &fields.at("tool_choice"))?),
        (None, Some(value)) => ("function_call", function_call(value, &fields.at("function_call"))?),
        (None, None) => return Ok(None),
    };
    tools::check_choice(Some(&choice), tools, &fields.at(name))?;
    Ok(Some(choice))
}

fn tool_choice(value: Value, at: &Path<'_>) -> Result<ToolChoice, ApiError> {
    if let Value::String(word) = &value {
        return choice_word(word, at);
    }
    let untouched = value.clone();
    let mut fields = Fields::new(value, at)?;
    match fields.need_string("type", limits::NAME_BYTES)?.as_str() {
        "function" => {
            let here = at.field("function");
            let name = Fields::new(fields.need("function")?, &here)?.need_string("name", limits::NAME_BYTES)?;
            Ok(ToolChoice::Function(name))
        }
        _ => Ok(ToolChoice::Other(untouched)),
    }
}

fn function_call(value: Value, at: &Path<'_>) -> Result<ToolChoice, ApiError> {
    if let Value::String(word) = &value {
        return choice_word(word, at);
    }
    Ok(ToolChoice::Function(Fields::new(value, at)?.need_string("name", limits::NAME_BYTES)?))
}

/// The words that chat completions and responses share.
pub fn choice_word(word: &str, at: &Path<'_>) -> Result<ToolChoice, ApiError> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Required),
        other => Err(unknown_word(at, other, &["auto", "none", "required"])),
    }
}
