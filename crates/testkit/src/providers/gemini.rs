//! Google's generateContent, batchEmbedContents and models, as published: <https://ai.google.dev/api>.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{
    Seen,
    render::{Operation, data, embedding, input_tokens, pieces, tokens},
    reply::{Answer, Error},
    shape::{
        Field,
        Shape::{self, Any, Bool, Int, Map as MapOf, Num, Object, Text, Word},
        list, may, must, or_null, some,
    },
};

static GENERATE: LazyLock<Shape> = LazyLock::new(|| {
    let mode = Word(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]);
    let calling = Object(vec![may("mode", mode), may("allowedFunctionNames", some(Text))]);
    Object(vec![
        must("contents", some(content(Word(&["user", "model"])))),
        may("systemInstruction", content(Word(&["system", "user"]))),
        may("tools", some(tool())),
        may("toolConfig", Object(vec![may("functionCallingConfig", calling), may("retrievalConfig", Any)])),
        may("safetySettings", list(Object(vec![must("category", Text), must("threshold", Text)]))),
        may("generationConfig", generation_config()),
        may("cachedContent", Text),
        may("serviceTier", Text),
        may("store", Bool),
    ])
});

static EMBED: LazyLock<Shape> = LazyLock::new(|| {
    let request = Object(vec![
        must("model", Text),
        must("content", content(Word(&["user"]))),
        may("taskType", Text),
        may("title", Text),
        may("outputDimensionality", Int(1, 65_536)),
    ]);
    Object(vec![must("requests", Shape::List(Box::new(request), 1, 100))])
});

fn content(role: Shape) -> Shape {
    Object(vec![may("role", role), must("parts", some(Object(part())))])
}

fn part() -> Vec<Field> {
    let function_response = Object(vec![
        may("id", Text),
        must("name", Text),
        must("response", MapOf(Box::new(Any))),
        may("parts", list(Object(media()))),
        may("willContinue", Bool),
        may("scheduling", Text),
    ]);
    let call = Object(vec![may("id", Text), must("name", Text), may("args", MapOf(Box::new(Any)))]);
    let mut fields = vec![
        may("text", Text),
        may("thought", Bool),
        may("thoughtSignature", Text),
        may("functionCall", call),
        may("functionResponse", function_response),
        may("executableCode", Any),
        may("codeExecutionResult", Any),
        may("videoMetadata", Any),
        may("mediaResolution", Any),
    ];
    fields.extend(media());
    fields
}

fn media() -> Vec<Field> {
    vec![
        may("inlineData", Object(vec![must("mimeType", Text), must("data", Text), may("displayName", Text)])),
        may("fileData", Object(vec![may("mimeType", Text), must("fileUri", Text), may("displayName", Text)])),
    ]
}

fn tool() -> Shape {
    let declaration = Object(vec![
        must("name", Text),
        may("description", Text),
        may("parameters", MapOf(Box::new(Any))),
        may("parametersJsonSchema", MapOf(Box::new(Any))),
        may("response", Any),
        may("responseJsonSchema", Any),
        may("behavior", Text),
    ]);
    Object(vec![
        may("functionDeclarations", some(declaration)),
        may("googleSearch", Any),
        may("codeExecution", Any),
        may("urlContext", Any),
    ])
}

fn generation_config() -> Shape {
    let level = Word(&["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"]);
    let thinking =
        vec![may("includeThoughts", Bool), may("thinkingBudget", Int(-1, 65_536)), may("thinkingLevel", level)];
    Object(vec![
        may("stopSequences", Shape::List(Box::new(Text), 0, 5)),
        may("responseMimeType", Word(&["text/plain", "application/json", "text/x.enum"])),
        may("responseSchema", MapOf(Box::new(Any))),
        may("responseJsonSchema", MapOf(Box::new(Any))),
        may("responseModalities", list(Text)),
        may("candidateCount", Int(1, 8)),
        may("maxOutputTokens", Int(1, i64::MAX)),
        may("temperature", Num(0.0, 2.0)),
        may("topP", Num(0.0, 1.0)),
        may("topK", Int(1, i64::MAX)),
        may("seed", Int(i64::from(i32::MIN), i64::from(i32::MAX))),
        may("presencePenalty", Num(-2.0, 2.0)),
        may("frequencyPenalty", Num(-2.0, 2.0)),
        may("responseLogprobs", Bool),
        may("logprobs", Int(1, 20)),
        may("thinkingConfig", Object(thinking)),
        may("speechConfig", or_null(Any)),
        may("mediaResolution", Text),
    ])
}

pub(super) fn violations(operation: Operation, seen: &Seen) -> Vec<String> {
    let mut wrong = match operation {
        Operation::Chat { .. } => chat_violations(&seen.body),
        Operation::Embeddings => {
            let mut wrong = EMBED.violations(&seen.body);
            let model = seen.path.strip_prefix("/v1beta/").and_then(|path| path.split(':').next()).unwrap_or_default();
            for (i, request) in seen.body["requests"].as_array().into_iter().flatten().enumerate() {
                if request["model"] != model {
                    wrong.push(format!("requests[{i}].model: another than the path's"));
                }
            }
            wrong
        }
        Operation::Models => Vec::new(),
        Operation::Unknown => vec!["unknown path".into()],
    };
    let query = match operation {
        Operation::Chat { stream: true } => "alt=sse",
        Operation::Models => "pageSize=1000",
        _ => "",
    };
    if seen.query != query && !(operation == Operation::Models && seen.query.is_empty()) {
        wrong.push(format!("query {:?} where {query:?} is due", seen.query));
    }
    wrong
}

/// What is wrong with the body of generateContent, by the tables above and the rules between fields.
pub(super) fn chat_violations(body: &Value) -> Vec<String> {
    let mut wrong = GENERATE.violations(body);
    let config = &body["generationConfig"];
    let has = |value: &Value, name: &str| value.get(name).is_some();
    if has(config, "responseJsonSchema") && config["responseMimeType"] != "application/json" {
        wrong.push("generationConfig.responseJsonSchema: only with responseMimeType application/json".into());
    }
    if has(config, "responseJsonSchema") && has(config, "responseSchema") {
        wrong.push("generationConfig.responseSchema: not with responseJsonSchema".into());
    }
    if has(config, "logprobs") && config["responseLogprobs"] != true {
        wrong.push("generationConfig.logprobs: only with responseLogprobs".into());
    }
    if has(&config["thinkingConfig"], "thinkingBudget") && has(&config["thinkingConfig"], "thinkingLevel") {
        wrong.push("generationConfig.thinkingConfig: a budget and a level".into());
    }
    let mut open = 0;
    for (i, content) in body["contents"].as_array().into_iter().flatten().enumerate() {
        let parts: Vec<_> = content["parts"].as_array().into_iter().flatten().collect();
        for (j, part) in parts.iter().enumerate() {
            let kinds = ["text", "functionCall", "functionResponse", "inlineData", "fileData"];
            let kinds = kinds.iter().filter(|kind| has(part, kind)).count();
            if kinds != 1 {
                wrong.push(format!("contents[{i}].parts[{j}]: {kinds} kinds of data"));
            }
        }
        let count = |kind: &str| parts.iter().filter(|part| has(part, kind)).count();
        if count("functionResponse") != open {
            wrong.push(format!("contents[{i}]: {} results of {open} calls", count("functionResponse")));
        }
        open = count("functionCall");
    }
    wrong
}

fn usage(answer: &Answer, seen: &Seen) -> Value {
    let (thinking, output) = answer.output_tokens();
    let candidates = seen.body["generationConfig"]["candidateCount"].as_u64().unwrap_or(1);
    let input = input_tokens(&seen.body);
    let mut usage = json!({
        "promptTokenCount": input,
        "candidatesTokenCount": (output - thinking) * candidates,
        "totalTokenCount": input + output * candidates,
    });
    if thinking > 0 {
        usage["thoughtsTokenCount"] = (thinking * candidates).into();
    }
    if let Some((read, _)) = answer.cached {
        usage["cachedContentTokenCount"] = read.into();
    }
    usage
}

fn parts(answer: &Answer) -> Vec<Value> {
    let mut parts = Vec::new();
    parts.extend(answer.thinking.iter().map(|(thought, _)| json!({"text": thought, "thought": true})));
    parts.extend(answer.text.iter().chain(&answer.refusal).map(|text| json!({"text": text})));
    for (i, (name, args)) in answer.calls.iter().enumerate() {
        let mut part = json!({"functionCall": {"id": format!("call_{i}"), "name": name, "args": args}});
        if i == 0 {
            part["thoughtSignature"] = "c2lnbmF0dXJl".into();
        }
        parts.push(part);
    }
    parts
}

fn logprobs(text: &str, seen: &Seen) -> Option<Value> {
    let config = &seen.body["generationConfig"];
    if config["responseLogprobs"] != true || text.is_empty() {
        return None;
    }
    let top = usize::try_from(config["logprobs"].as_u64().unwrap_or(0)).unwrap_or(0);
    let chosen: Vec<_> =
        pieces(text).map(|token| json!({"token": token, "tokenId": 1, "logProbability": -0.25})).collect();
    let others: Vec<_> = chosen.iter().map(|token| json!({"candidates": vec![token; top]})).collect();
    Some(json!({"chosenCandidates": chosen, "topCandidates": others}))
}

fn response(seen: &Seen, candidates: &[Value], usage: &Value) -> Value {
    let model = seen.path.rsplit('/').next().and_then(|model| model.split(':').next());
    json!({"candidates": candidates, "usageMetadata": usage, "modelVersion": model, "responseId": "fake"})
}

fn candidate(index: u64, parts: &[Value], finish: Option<&str>, logprobs: Option<Value>) -> Value {
    let mut candidate = Map::new();
    candidate.insert("index".into(), index.into());
    candidate.insert("content".into(), json!({"role": "model", "parts": parts}));
    if let Some(finish) = finish {
        candidate.insert("finishReason".into(), finish.into());
    }
    if let Some(logprobs) = logprobs {
        candidate.insert("logprobsResult".into(), logprobs);
    }
    candidate.into()
}

pub(super) fn whole(answer: &Answer, seen: &Seen) -> Value {
    let candidates = seen.body["generationConfig"]["candidateCount"].as_u64().unwrap_or(1);
    let text = answer.text.as_deref().unwrap_or_default();
    let one = |index| candidate(index, &parts(answer), Some(answer.stop.unwrap_or("STOP")), logprobs(text, seen));
    response(seen, &(0..candidates).map(one).collect::<Vec<_>>(), &usage(answer, seen))
}

pub(super) fn events(answer: &Answer, seen: &Seen) -> Vec<String> {
    let mut deltas = Vec::new();
    for part in parts(answer) {
        let Some(text) = part["text"].as_str() else {
            deltas.push((part, None));
            continue;
        };
        for piece in pieces(text) {
            let logprobs = if part["thought"] == true { None } else { logprobs(piece, seen) };
            let mut delta = part.clone();
            delta["text"] = piece.into();
            deltas.push((delta, logprobs));
        }
    }
    let candidates = seen.body["generationConfig"]["candidateCount"].as_u64().unwrap_or(1);
    let so_far = json!({"promptTokenCount": input_tokens(&seen.body), "totalTokenCount": input_tokens(&seen.body)});
    let mut events = Vec::new();
    for (delta, logprobs) in deltas {
        for index in 0..candidates {
            let candidate = candidate(index, std::slice::from_ref(&delta), None, logprobs.clone());
            events.push(data(&response(seen, &[candidate], &so_far)));
        }
    }
    let last: Vec<_> =
        (0..candidates).map(|index| candidate(index, &[], Some(answer.stop.unwrap_or("STOP")), None)).collect();
    events.push(data(&response(seen, &last, &usage(answer, seen))));
    events
}

pub(super) fn embeddings(seen: &Seen) -> Value {
    let mut used = 0;
    let vectors: Vec<_> = seen.body["requests"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|request| {
            let text = request["content"]["parts"][0]["text"].as_str().unwrap_or_default();
            used += tokens(text);
            let dimensions = usize::try_from(request["outputDimensionality"].as_u64().unwrap_or(8)).unwrap_or(8);
            json!({"values": embedding(text, dimensions)})
        })
        .collect();
    json!({"embeddings": vectors, "usageMetadata": {"promptTokenCount": used}})
}

pub(super) fn models() -> Value {
    let model = |name: &str| json!({"name": format!("models/{name}"), "version": "1", "supportedGenerationMethods": ["generateContent"]});
    json!({"models": [model("gemini-fake"), model("gemini-fake-mini")]})
}

pub(super) fn error(status: u16, error: &Error) -> Value {
    let kind = match (error.kind.as_str(), status) {
        ("", 400) => "INVALID_ARGUMENT",
        ("", 401) => "UNAUTHENTICATED",
        ("", 403) => "PERMISSION_DENIED",
        ("", 404) => "NOT_FOUND",
        ("", 429) => "RESOURCE_EXHAUSTED",
        ("", 503) => "UNAVAILABLE",
        ("", 504) => "DEADLINE_EXCEEDED",
        ("", 500..) => "INTERNAL",
        ("", _) => "FAILED_PRECONDITION",
        (kind, _) => kind,
    };
    let mut document = json!({"error": {"code": status, "message": error.message, "status": kind}});
    if let Some(details) = &error.details {
        document["error"]["details"] = details.clone();
    }
    document
}
