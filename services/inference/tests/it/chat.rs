//! Chat and text completions by the bundled model.

use serde_json::{Value, json};

use crate::server::{Server, chat, events};

fn user(content: &str) -> Value {
    json!([{"role": "user", "content": content}])
}

#[tokio::test]
async fn the_bundled_base_model_answers_questions() {
    let server = Server::start(chat(2, 8, 2048)).await;
    let answer = server.question(user("What is the capital of France?")).await;
    assert!(answer.contains("Paris"), "{answer}");

    // What was said before counts, whoever said it and in which form.
    let told = server.question(json!([
        {"role": "user", "content": "Alice lives in Oslo."},
        {"role": "assistant", "content": "Thank you, I will remember that."},
        {"role": "user", "content": "Where does Alice live?"},
    ]));
    let instructed = server.question(json!([
        {"role": "system", "content": "You are a helpful assistant. The meeting with Bob is on Thursday."},
        {"role": "user", "content": [{"type": "text", "text": "On which day is "}, {"type": "text", "text": "the meeting with Bob?"}]},
    ]));
    let (told, instructed) = tokio::join!(told, instructed);
    assert!(told.contains("Oslo"), "{told}");
    assert!(instructed.contains("Thursday"), "{instructed}");
    for answer in [answer, told, instructed] {
        assert_eq!(answer, answer.trim(), "the format's white space is no part of an answer");
        assert!(!answer.contains("Question:") && !answer.contains("Answer:"), "{answer}");
    }
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_answer() {
    let server = Server::start(chat(2, 8, 1024)).await;
    let mut body = json!({"model": "local-chat", "messages": user("What is the capital of France?"), "max_tokens": 40});
    let (status, whole) = server.ask("/v1/chat/completions", &body).await;
    assert_eq!(status, 200, "{whole}");
    assert_eq!(whole["object"], "chat.completion");
    assert!(whole["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    let usage = &whole["usage"];
    let count = |name: &str| usage[name].as_u64().unwrap();
    assert!(count("prompt_tokens") > 5 && count("completion_tokens") > 0);
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));

    body["stream"] = json!(true);
    let plain = events(server.post("/v1/chat/completions", &body).await).await;
    assert!(!plain.join("").contains("usage"), "nobody asked for it");
    body["stream_options"] = json!({"include_usage": true});
    let answer = server.post("/v1/chat/completions", &body).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let events = events(answer).await;
    assert_eq!(events.last().unwrap(), "[DONE]");
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == chunks[0]["id"]));
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, whole["choices"][0]["message"]["content"].as_str().unwrap());
    let [.., end, last] = &chunks[..] else { panic!("too few chunks") };
    assert_eq!((&end["choices"][0]["finish_reason"], &end["choices"][0]["delta"]), (&json!("stop"), &json!({})));
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), usage));
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk["usage"].is_null()));
}

#[tokio::test]
async fn texts_are_continued_within_what_was_asked() {
    let server = Server::start(chat(2, 8, 512)).await;
    let complete = async |fields: Value| {
        let mut body = json!({"model": "local-chat", "prompt": "1, 2, 3, 4,", "temperature": 0});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let (status, body) = server.ask("/v1/completions", &body).await;
        assert_eq!(status, 200, "{body}");
        let choice = body["choices"][0].clone();
        (choice["text"].as_str().unwrap().to_owned(), choice["finish_reason"].clone(), body["usage"].clone())
    };
    let (text, reason, usage) = complete(json!({})).await;
    assert!(text.starts_with(" 5, 6, 7"), "{text}");
    assert_eq!((reason, &usage["completion_tokens"]), (json!("length"), &json!(16)), "OpenAI's default");
    let (text, reason, usage) = complete(json!({"max_tokens": 3})).await;
    assert!(" 5, 6, 7".starts_with(&text), "{text}");
    assert_eq!((reason, &usage["completion_tokens"]), (json!("length"), &json!(3)));
    let (text, reason, _) = complete(json!({"max_tokens": 60, "stop": ["9,", " 8"]})).await;
    assert_eq!((text.as_str(), reason), (" 5, 6, 7,", json!("stop")));
    // What does not fit any more ends the text; it is no mistake to ask for more than that.
    let (_, reason, usage) = complete(json!({"max_tokens": 100_000, "prompt": "word ".repeat(490), "stop": []})).await;
    assert_eq!((reason, &usage["total_tokens"]), (json!("length"), &json!(512)));

    let mut body = json!({"model": "local-chat", "prompt": ["1, 2, 3, 4,"], "temperature": 0, "stream": true});
    body["stream_options"] = json!({"include_usage": true});
    let streamed = events(server.post("/v1/completions", &body).await).await;
    let chunks: Vec<Value> =
        streamed[..streamed.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert!(text.starts_with(" 5, 6, 7"), "{text}");
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 16);
}

#[tokio::test]
async fn a_seed_decides_and_a_long_prompt_is_told() {
    let server = Server::start(chat(1, 8, 512)).await;
    let write = async |seed: Option<i64>| {
        let body = json!({"model": "local-chat", "prompt": "The", "temperature": 1.5, "top_p": 0.95, "max_tokens": 24,
            "frequency_penalty": 0.5, "presence_penalty": 0.5, "seed": seed});
        let (_, body) = server.ask("/v1/completions", &body).await;
        body["choices"][0]["text"].as_str().unwrap().to_owned()
    };
    let first = write(Some(42)).await;
    assert_eq!(write(Some(42)).await, first);
    assert_ne!(write(Some(43)).await, first);
    assert_ne!(write(None).await, write(None).await, "without a seed each is another");

    // Whole words of a token each, and the token that begins every text.
    let long = json!({"model": "local-chat", "prompt": "word ".repeat(600)});
    let (status, body) = server.ask("/v1/completions", &long).await;
    assert_eq!((status, body["error"]["code"].as_str()), (400, Some("context_length_exceeded")));
    assert_eq!(body["error"]["param"], "prompt");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("602 tokens") && message.contains("512"), "{message}");
    let long = json!({"model": "local-chat", "messages": user(&"word ".repeat(600))});
    let (status, body) = server.ask("/v1/chat/completions", &long).await;
    assert_eq!((status, body["error"]["param"].as_str()), (400, Some("messages")));
    assert!(!write(Some(1)).await.is_empty(), "and goes on working");
}

#[tokio::test]
async fn characters_of_several_tokens_come_whole() {
    let server = Server::start(chat(1, 8, 512)).await;
    // Rare characters are single bytes to this model, a token each; a schema makes it write them.
    let rare = "𒀀🫨\u{10fffd}\u{10fffd}\u{10fffd}";
    let body = json!({
        "model": "local-chat", "messages": user("Repeat it."), "stream": true, "stream_options": {"include_usage": true},
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"const": rare}}},
    });
    let streamed = events(server.post("/v1/chat/completions", &body).await).await;
    let chunks: Vec<Value> =
        streamed[..streamed.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(serde_json::from_str::<String>(&text).unwrap(), rare);
    assert!(chunks.last().unwrap()["usage"]["completion_tokens"].as_u64().unwrap() > 10, "several tokens a character");
}
