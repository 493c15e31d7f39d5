//! The body of `POST /chat/completions`.

use serde_json::{Map, Value, json};

use super::{Flavor, messages};
use crate::{
    clients::{
        Failure,
        encode::{Fields, type_of},
    },
    domain::{
        chat::{ChatRequest, Dialect, Reasoning, ResponseFormat, Tool, ToolChoice},
        warnings::Warnings,
    },
};

/// Fields of `extra` that are ours to decide.
const OURS: &[&str] = &["model", "messages", "stream", "stream_options"];

pub(super) fn encode(
    flavor: Flavor,
    model: &str,
    request: &ChatRequest,
    stream: bool,
) -> Result<(Map<String, Value>, Warnings), Failure> {
    let mut warnings = Warnings::default();
    let mut body = Fields::default();
    body.put("model", model);
    body.put("messages", messages::encode(flavor, request, &mut warnings)?);
    tools(request, &mut body, &mut warnings);
    let limit = if flavor == Flavor::Original { "max_completion_tokens" } else { "max_tokens" };
    body.maybe(limit, request.max_tokens);
    sampling(flavor, request, &mut body, &mut warnings);
    if !request.stop.is_empty() {
        body.put("stop", request.stop.clone());
    }
    body.maybe("response_format", request.response_format.as_ref().map(response_format));
    if let Some(reasoning) = &request.reasoning {
        body.maybe("reasoning_effort", effort(reasoning, &mut warnings));
    }
    body.maybe("n", request.n);
    if let Some(logprobs) = request.logprobs {
        body.put("logprobs", true);
        body.maybe("top_logprobs", logprobs.top);
    }
    body.maybe("user", request.user.clone());
    if !request.metadata.is_empty() {
        body.put("metadata", request.metadata.clone());
    }
    extra(request, &mut body, &mut warnings);
    if stream {
        body.put("stream", true);
        let asked = request.extra.get("stream_options").and_then(Value::as_object).filter(|_| is_family(request));
        let mut options = asked.cloned().unwrap_or_default();
        options.insert("include_usage".into(), true.into());
        body.put("stream_options", options);
    }
    Ok((body.0, warnings))
}

/// Whether the caller speaks one of OpenAI's dialects.
pub(super) fn is_family(request: &ChatRequest) -> bool {
    request.dialect != Dialect::Messages
}

/// Whether a part or tool that we do not know is chat completions': the caller speaks them, or it has their form
/// `{"type": "custom", "custom": {…}}`, which those of responses have not.
pub(super) fn is_ours(request: &ChatRequest, value: &Value) -> bool {
    match request.dialect {
        Dialect::ChatCompletions => true,
        Dialect::Responses => value.get(type_of(value)).is_some(),
        Dialect::Messages => false,
    }
}

fn sampling(flavor: Flavor, request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) {
    let sampling = &request.sampling;
    body.maybe("temperature", sampling.temperature);
    body.maybe("top_p", sampling.top_p);
    body.maybe("frequency_penalty", sampling.frequency_penalty);
    body.maybe("presence_penalty", sampling.presence_penalty);
    body.maybe("seed", sampling.seed);
    if !sampling.logit_bias.is_empty() {
        body.put("logit_bias", sampling.logit_bias.clone());
    }
    match (flavor, sampling.top_k) {
        (Flavor::Original, Some(_)) => warnings.dropped("top_k"),
        (Flavor::Compatible, top_k) => body.maybe("top_k", top_k),
        (Flavor::Original, None) => {}
    }
}

fn tools(request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) {
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                if cache.is_some() {
                    warnings.dropped("tools.cache_control");
                }
                let mut function = Fields::default();
                function.put("name", name.as_str());
                function.maybe("description", description.as_deref());
                function.maybe("parameters", parameters.clone());
                function.maybe("strict", *strict);
                tools.push(json!({"type": "function", "function": Value::from(function)}));
            }
            Tool::Other(tool) if is_ours(request, tool) => tools.push(tool.clone()),
            Tool::Other(tool) => warnings.dropped(format!("tools.{}", type_of(tool))),
        }
    }
    // Without tools the provider refuses what is about them.
    if tools.is_empty() {
        return;
    }
    body.put("tools", tools);
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => body.put("tool_choice", "auto"),
        Some(ToolChoice::None) => body.put("tool_choice", "none"),
        Some(ToolChoice::Required) => body.put("tool_choice", "required"),
        Some(ToolChoice::Function(name)) => {
            body.put("tool_choice", json!({"type": "function", "function": {"name": name}}));
        }
        Some(ToolChoice::Other(choice)) if is_family(request) => body.put("tool_choice", choice.clone()),
        Some(ToolChoice::Other(_)) => warnings.dropped("tool_choice"),
    }
    body.maybe("parallel_tool_calls", request.parallel_tool_calls);
}

fn response_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            let mut format = Fields::default();
            format.put("name", name.as_str());
            format.maybe("description", description.as_deref());
            format.put("schema", schema.clone());
            format.maybe("strict", *strict);
            json!({"type": "json_schema", "json_schema": Value::from(format)})
        }
    }
}

/// The effort, or the one that is near a budget. Anthropic's `adaptive` is what the model does by itself.
fn effort(reasoning: &Reasoning, warnings: &mut Warnings) -> Option<String> {
    if reasoning.summary.is_some() {
        warnings.dropped("reasoning.summary");
    }
    if reasoning.budget_tokens.is_some() {
        warnings.dropped("thinking.budget_tokens");
    }
    let by_budget = reasoning.budget_tokens.map(|tokens| match tokens {
        0 => "none",
        1..4_096 => "low",
        4_096..16_384 => "medium",
        _ => "high",
    });
    reasoning.effort.clone().or(by_budget.map(str::to_owned))
}

fn extra(request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) {
    for (name, value) in &request.extra {
        if !is_family(request) {
            warnings.dropped(name.as_str());
        } else if !OURS.contains(&name.as_str()) && !body.0.contains_key(name) {
            body.put(name, value.clone());
        }
    }
}
