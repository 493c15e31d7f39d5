//! Answers that are held to a schema.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    errors::summary,
    server::{Server, chat},
};

fn request(schema: &Value, question: &str) -> Value {
    json!({
        "model": "local-chat",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 200,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}},
    })
}

#[tokio::test]
async fn every_answer_is_json_of_its_schema() {
    let server = Server::start(chat(4, 32, 1024)).await;
    let schemas = [
        json!({"type": "object", "properties": {"capital": {"type": "string", "maxLength": 30}}, "required": ["capital"], "additionalProperties": false}),
        json!({
            "type": "object",
            "properties": {
                "reason": {"type": "string", "maxLength": 60},
                "city": {"type": "string", "enum": ["Paris", "Oslo", "Rome"]},
                "population": {"type": "integer", "minimum": 1, "maximum": 99_999_999},
                "founded": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
                "tags": {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 1, "maxItems": 3},
            },
            "required": ["reason", "city", "population", "founded", "tags"],
            "additionalProperties": false,
        }),
        json!({"type": "array", "items": {"$ref": "#/$defs/point"}, "maxItems": 2, "$defs": {"point": {
            "type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x", "y"]}}}),
        json!({"type": "string", "format": "uuid"}),
        json!({"enum": ["yes", "no", null, 3]}),
        json!({"type": "boolean"}),
        json!({"type": "object", "properties": {"say \"hi\" \\ to": {"const": "it's \n fine"}}, "required": ["say \"hi\" \\ to"]}),
    ];
    let answers = schemas.iter().map(|schema| {
        let server = &server;
        async move {
            // Freely chosen tokens try the grammar harder than likely ones.
            let mut body = request(schema, "What is the capital of France?");
            body["temperature"] = json!(1.2);
            body["seed"] = json!(7);
            (schema, server.ask("/v1/chat/completions", &body).await)
        }
    });
    for (schema, (status, body)) in futures_util::future::join_all(answers).await {
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["choices"][0]["finish_reason"], "stop", "{schema}: {body}");
        let text = body["choices"][0]["message"]["content"].as_str().unwrap();
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
        assert!(validator.is_valid(&value), "{schema}: {text}");
    }

    let (_, body) = server.ask("/v1/chat/completions", &request(&schemas[0], "What is the capital of France?")).await;
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(text).unwrap()["capital"],
        "Paris",
        "the likeliest answer is the right one"
    );
    // As text: a map of ours would sort the names.
    let ordered = r#"{
        "type": "object",
        "properties": {
            "reason": {"type": "string", "maxLength": 20},
            "answer": {"type": "boolean"},
            "confidence": {"type": "integer", "minimum": 1, "maximum": 9}
        },
        "required": ["answer", "reason", "confidence"]
    }"#;
    let body = request(&json!("SCHEMA"), "Is the sky blue?").to_string().replace("\"SCHEMA\"", ordered);
    let asked =
        server.client.post(format!("{}/v1/chat/completions", server.url)).header("content-type", "application/json");
    let body: Value = asked.body(body).send().await.unwrap().json().await.unwrap();
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    let place = |name: &str| text.find(&format!("\"{name}\"")).unwrap();
    let places = ["reason", "answer", "confidence"].map(place);
    assert!(places.is_sorted(), "in the order of the schema: {text}");

    let mut object = request(&json!({}), "What is the capital of France? Answer in JSON.");
    object["response_format"] = json!({"type": "json_object"});
    object["max_tokens"] = json!(60);
    let (status, body) = server.ask("/v1/chat/completions", &object).await;
    assert_eq!(status, 200, "{body}");
    assert!(body["choices"][0]["message"]["content"].as_str().unwrap().trim_start().starts_with('{'), "{body}");
}

#[tokio::test]
async fn hostile_schemas_are_refused_quickly_and_harm_nobody() {
    let server = Server::start(chat(1, 8, 512)).await;
    let mut wide = json!({"type": "object", "properties": {}});
    for index in 0..200 {
        wide["properties"][format!("property{index}")] = json!({"type": "string", "maxLength": 256});
    }
    let mut deep = json!({"type": "array", "items": {"type": "integer"}, "maxItems": 256});
    for _ in 0..8 {
        deep = json!({"type": "array", "items": deep, "maxItems": 256});
    }
    for (schema, refused) in [
        // A reference to itself is no schema of anything.
        (json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}), true),
        (
            json!({"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}], "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}),
            true,
        ),
        (json!({"type": "string", "pattern": "(a+)+$"}), true),
        (json!({"$ref": "https://example.com/schema.json"}), true),
        (
            json!({"type": "object", "properties": {"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#/properties/a"}}, "required": ["a"]}),
            true,
        ),
        (deep, false),
        // Large, and maybe too large for a grammar: an answer or a refusal, and soon.
        (wide, false),
        (json!({"type": "string", "minLength": 200, "maxLength": 256}), false),
    ] {
        let begun = Instant::now();
        let mut body = request(&schema, "hi");
        body["max_tokens"] = json!(8);
        let (status, answer) = server.ask("/v1/chat/completions", &body).await;
        assert!(begun.elapsed().as_secs() < 20, "{schema} took {:?}", begun.elapsed());
        if refused || status != 200 {
            let (status, _, code, param) = summary((status, answer));
            assert_eq!((status, code.as_str()), (400, "unsupported_schema"), "{schema}");
            assert!(param.starts_with("response_format.json_schema.schema"), "{param}");
        }
    }
    let answer = server.question(json!([{"role": "user", "content": "What is the capital of France?"}])).await;
    assert!(answer.contains("Paris"), "{answer}");
}
