//! The body of `generateContent`.

use serde_json::{Map, Value, json};

use super::contents;
use crate::{
    clients::{
        Failure,
        encode::{Fields, type_of},
    },
    domain::{
        chat::{ChatRequest, Reasoning, ResponseFormat, Tool, ToolChoice},
        warnings::Warnings,
    },
};

pub(super) fn encode(model: &str, request: &ChatRequest) -> Result<(Map<String, Value>, Warnings), Failure> {
    let mut warnings = Warnings::default();
    let mut body = Fields::default();
    let system = contents::encode(model, request, &mut body, &mut warnings)?;
    if !system.is_empty() {
        body.put("systemInstruction", json!({"parts": system}));
    }
    tools(request, &mut body, &mut warnings);
    let config = config(model, request, &mut warnings);
    if !config.0.is_empty() {
        body.put("generationConfig", config);
    }
    for (name, set) in [
        ("logit_bias", !request.sampling.logit_bias.is_empty()),
        ("user", request.user.is_some()),
        ("metadata", !request.metadata.is_empty()),
    ] {
        if set {
            warnings.dropped(name);
        }
    }
    // No dialect of ours is Google's.
    for name in request.extra.keys() {
        warnings.dropped(name.as_str());
    }
    Ok((body.0, warnings))
}

fn config(model: &str, request: &ChatRequest, warnings: &mut Warnings) -> Fields {
    let sampling = &request.sampling;
    let mut config = Fields::default();
    config.maybe("maxOutputTokens", request.max_tokens);
    config.maybe("temperature", sampling.temperature);
    config.maybe("topP", sampling.top_p);
    config.maybe("topK", sampling.top_k);
    config.maybe("frequencyPenalty", sampling.frequency_penalty);
    config.maybe("presencePenalty", sampling.presence_penalty);
    match sampling.seed.map(i32::try_from) {
        Some(Err(_)) => warnings.dropped("seed"),
        seed => config.maybe("seed", seed.and_then(Result::ok)),
    }
    config.maybe("candidateCount", request.n);
    if !request.stop.is_empty() {
        config.put("stopSequences", request.stop.clone());
    }
    if let Some(logprobs) = request.logprobs {
        config.put("responseLogprobs", true);
        config.maybe("logprobs", logprobs.top.filter(|top| *top > 0));
    }
    match &request.response_format {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => config.put("responseMimeType", "application/json"),
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            config.put("responseMimeType", "application/json");
            config.put("responseJsonSchema", schema.clone());
        }
    }
    config.maybe("thinkingConfig", request.reasoning.as_ref().map(|reasoning| thinking(model, reasoning, warnings)));
    config
}

/// Whether the model is of a generation before 3: it takes a budget and no level, and does not check signatures.
pub(super) fn is_old(model: &str) -> bool {
    ["gemini-1", "gemini-2"].iter().any(|old| super::resource(model).starts_with(old))
}

/// Level and budget exclude each other; budgets of levels as Google's own OpenAI-compatible endpoint has them
/// (<https://ai.google.dev/gemini-api/docs/openai#thinking>).
fn thinking(model: &str, reasoning: &Reasoning, warnings: &mut Warnings) -> Fields {
    let Reasoning { effort, budget_tokens, summary } = reasoning;
    if summary.is_some() {
        warnings.dropped("reasoning.summary");
    }
    let mut config = Fields::default();
    let old = is_old(model);
    match (budget_tokens, effort.as_deref()) {
        (Some(budget), _) => config.put("thinkingBudget", *budget),
        (None, None) => {}
        (None, Some("none")) if old => config.put("thinkingBudget", 0),
        (None, Some("none" | "minimal")) if !old => config.put("thinkingLevel", "MINIMAL"),
        (None, Some("medium")) if old => config.put("thinkingBudget", 8_192),
        (None, Some("minimal" | "low")) if old => config.put("thinkingBudget", 1_024),
        (None, Some(_)) if old => config.put("thinkingBudget", 24_576),
        (None, Some("max")) => config.put("thinkingLevel", "XHIGH"),
        (None, Some(effort)) => config.put("thinkingLevel", effort.to_ascii_uppercase()),
    }
    let off = *budget_tokens == Some(0) || effort.as_deref() == Some("none");
    config.put("includeThoughts", !off);
    config
}

fn tools(request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) {
    let mut functions = Vec::with_capacity(request.tools.len());
    let mut checked = false;
    for tool in &request.tools {
        match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                if cache.is_some() {
                    warnings.dropped("tools.cache_control");
                }
                checked |= *strict == Some(true);
                let function = Fields::default()
                    .with("name", Some(name.as_str()))
                    .with("description", description.as_deref())
                    .with("parametersJsonSchema", parameters.clone());
                functions.push(Value::from(function));
            }
            Tool::Other(tool) => warnings.dropped(format!("tools.{}", type_of(tool))),
        }
    }
    if functions.is_empty() {
        return;
    }
    body.put("tools", json!([{"functionDeclarations": functions}]));
    if request.parallel_tool_calls == Some(false) {
        warnings.dropped("parallel_tool_calls");
    }
    let mode = match &request.tool_choice {
        Some(ToolChoice::None) => Some(json!({"mode": "NONE"})),
        Some(ToolChoice::Required) => Some(json!({"mode": "ANY"})),
        Some(ToolChoice::Function(name)) => Some(json!({"mode": "ANY", "allowedFunctionNames": [name]})),
        other => {
            if matches!(other, Some(ToolChoice::Other(_))) {
                warnings.dropped("tool_choice");
            }
            // AUTO whose calls fit their schemas.
            checked.then(|| json!({"mode": "VALIDATED"}))
        }
    };
    body.maybe("toolConfig", mode.map(|mode| json!({"functionCallingConfig": mode})));
}
