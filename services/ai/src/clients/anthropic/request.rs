//! The body of `POST /messages`.

use serde_json::{Map, Value, json};

use super::messages;
use crate::{
    clients::{
        Attempt, Failure,
        encode::{Fields, type_of},
    },
    domain::{
        chat::{ChatRequest, Dialect, Reasoning, ResponseFormat, Tool, ToolChoice},
        warnings::Warnings,
    },
};

/// When neither the caller nor the catalogue says how long an answer may be.
const MAX_TOKENS: u32 = 4_096;
/// The least that Anthropic takes for thinking.
const LEAST_BUDGET: u32 = 1_024;
/// Fields of `extra` that are ours to decide.
const OURS: &[&str] = &["model", "messages", "stream", "system", "max_tokens"];

pub(super) fn encode(
    attempt: Attempt<'_>,
    request: &ChatRequest,
    stream: bool,
) -> Result<(Map<String, Value>, Warnings), Failure> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(Failure::unsupported("more than one answer to a request"));
    }
    let mut warnings = Warnings::default();
    let mut body = Fields::default();
    body.put("model", attempt.model);
    body.put("max_tokens", request.max_tokens.or(attempt.max_output_tokens).unwrap_or(MAX_TOKENS));
    let mut system = messages::encode(request, &mut body, &mut warnings)?;
    tools(request, &mut body, &mut warnings);
    reasoning(request, &mut body, &mut warnings);
    sampling(request, &mut body, &mut warnings);
    if !request.stop.is_empty() {
        body.put("stop_sequences", request.stop.clone());
    }
    match &request.response_format {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            output_config(&mut body, "format", json!({"type": "json_schema", "schema": schema}));
        }
        Some(ResponseFormat::JsonObject) => {
            warnings.dropped("response_format");
            system.push(json!({"type": "text", "text": "Answer with one JSON object and nothing else."}));
        }
    }
    if !system.is_empty() {
        body.put("system", system);
    }
    if let Some(user) = &request.user {
        body.put("metadata", json!({"user_id": user}));
    }
    if !request.metadata.is_empty() {
        warnings.dropped("metadata");
    }
    extra(request, &mut body, &mut warnings);
    if stream {
        body.put("stream", true);
    }
    Ok((body.0, warnings))
}

/// Whether the caller speaks this dialect itself.
pub(super) fn is_family(request: &ChatRequest) -> bool {
    request.dialect == Dialect::Messages
}

fn sampling(request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) {
    let sampling = &request.sampling;
    let thinks =
        ["enabled", "adaptive"].iter().any(|kind| body.0.get("thinking").is_some_and(|it| it["type"] == *kind));
    if thinks && !is_family(request) {
        // A model that thinks cannot be tuned, and refuses the request; whoever speaks its dialect knows.
        for (name, set) in [
            ("temperature", sampling.temperature.is_some()),
            ("top_p", sampling.top_p.is_some()),
            ("top_k", sampling.top_k.is_some()),
        ] {
            if set {
                warnings.dropped(name);
            }
        }
    } else {
        // OpenAI's scale goes to 2, Anthropic's ends at 1.
        let hottest = if is_family(request) { f64::INFINITY } else { 1.0 };
        if sampling.temperature.is_some_and(|temperature| temperature > hottest) {
            warnings.dropped("temperature");
        }
        body.maybe("temperature", sampling.temperature.map(|temperature| temperature.min(hottest)));
        body.maybe("top_p", sampling.top_p);
        body.maybe("top_k", sampling.top_k);
    }
    for (name, set) in [
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
        ("seed", sampling.seed.is_some()),
        ("logit_bias", !sampling.logit_bias.is_empty()),
        ("logprobs", request.logprobs.is_some()),
    ] {
        if set {
            warnings.dropped(name);
        }
    }
}

fn tools(request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) {
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                let mut tool = Fields::default();
                tool.put("name", name.as_str());
                tool.maybe("description", description.as_deref());
                tool.put("input_schema", parameters.clone().unwrap_or_else(|| json!({"type": "object"})));
                tool.maybe("strict", *strict);
                tool.maybe("cache_control", cache.clone());
                tools.push(tool.into());
            }
            Tool::Other(tool) if is_family(request) => tools.push(tool.clone()),
            Tool::Other(tool) => warnings.dropped(format!("tools.{}", type_of(tool))),
        }
    }
    if tools.is_empty() {
        return;
    }
    body.put("tools", tools);
    let choice = match &request.tool_choice {
        Some(ToolChoice::Other(choice)) if is_family(request) => return body.put("tool_choice", choice.clone()),
        Some(ToolChoice::None) => return body.put("tool_choice", json!({"type": "none"})),
        Some(ToolChoice::Other(_)) => {
            warnings.dropped("tool_choice");
            None
        }
        Some(ToolChoice::Auto) => Some(json!({"type": "auto"})),
        Some(ToolChoice::Required) => Some(json!({"type": "any"})),
        Some(ToolChoice::Function(name)) => Some(json!({"type": "tool", "name": name})),
        None => None,
    };
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    if let Some(mut choice) = choice.or_else(|| one_at_a_time.then(|| json!({"type": "auto"}))) {
        if one_at_a_time {
            choice["disable_parallel_tool_use"] = true.into();
        }
        body.put("tool_choice", choice);
    }
}

/// An effort is how hard the model tries, and comes with thinking as it sees fit; a budget is thinking by the token.
fn reasoning(request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) {
    let Some(Reasoning { effort, budget_tokens, summary }) = &request.reasoning else { return };
    if summary.is_some() {
        warnings.dropped("reasoning.summary");
    }
    let off = effort.as_deref() == Some("none") || *budget_tokens == Some(0);
    if let Some(effort) = effort.as_deref().filter(|_| !off) {
        let effort = if effort == "minimal" { "low" } else { effort };
        output_config(body, "effort", effort.into());
    }
    // The API has no thinking before a tool that must be called.
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)));
    let thinking = match budget_tokens {
        _ if off => json!({"type": "disabled"}),
        _ if forced && !is_family(request) => return warnings.dropped("reasoning_effort"),
        Some(budget) => json!({"type": "enabled", "budget_tokens": (*budget).max(LEAST_BUDGET)}),
        None => json!({"type": "adaptive"}),
    };
    body.put("thinking", thinking);
}

fn output_config(body: &mut Fields, name: &str, value: Value) {
    let config = body.0.entry("output_config").or_insert_with(|| json!({}));
    config[name] = value;
}

/// What the caller says in Anthropic's own words. Where we have set some fields of an object, the others are the caller's.
fn extra(request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) {
    for (name, value) in &request.extra {
        if !is_family(request) {
            warnings.dropped(name.as_str());
            continue;
        }
        if OURS.contains(&name.as_str()) {
            continue;
        }
        match (body.0.get_mut(name), value) {
            (None, value) => body.put(name, value.clone()),
            (Some(Value::Object(ours)), Value::Object(theirs)) => {
                for (name, value) in theirs {
                    ours.entry(name.as_str()).or_insert_with(|| value.clone());
                }
            }
            (Some(_), _) => {}
        }
    }
}
