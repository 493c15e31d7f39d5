//! What holds across dialects: one conversation reads the same in all of them, and an answer can be sent back.

use serde_json::{Value, json};

use super::fixtures::{DIALECTS, answers, envelope, minimal, read, with};
use crate::{
    domain::chat::{ChatRequest, Dialect, MessageRole, Part},
    protocol::render,
};

/// A conversation with a system prompt, an image, two tools called at once, and their results.
fn conversation(dialect: Dialect) -> Value {
    let image = format!("data:image/png;base64,{}", super::fixtures::PIXEL);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let paris = r#"{"city":"Paris"}"#;
    match dialect {
        Dialect::ChatCompletions => json!({
            "model": "smart",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [
                    {"type": "text", "text": "Weather here?"},
                    {"type": "image_url", "image_url": {"url": image}},
                ]},
                {"role": "assistant", "content": "Let me look.", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": paris}},
                    {"id": "c2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "c1", "content": "Rain."},
                {"role": "tool", "tool_call_id": "c2", "content": "Noon."},
            ],
            "tools": [
                {"type": "function", "function": {"name": "weather", "description": "Tells.", "parameters": schema}},
                {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}},
            ],
            "tool_choice": "required",
            "parallel_tool_calls": true,
            "max_tokens": 100,
            "temperature": 0.5,
            "user": "u-1",
        }),
        Dialect::Responses => json!({
            "model": "smart",
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [
                    {"type": "input_text", "text": "Weather here?"},
                    {"type": "input_image", "image_url": image},
                ]},
                {"role": "assistant", "content": "Let me look."},
                {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": paris},
                {"type": "function_call", "call_id": "c2", "name": "time", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "Rain."},
                {"type": "function_call_output", "call_id": "c2", "output": "Noon."},
            ],
            "tools": [
                {"type": "function", "name": "weather", "description": "Tells.", "parameters": schema},
                {"type": "function", "name": "time", "parameters": {"type": "object"}},
            ],
            "tool_choice": "required",
            "parallel_tool_calls": true,
            "max_output_tokens": 100,
            "temperature": 0.5,
            "user": "u-1",
        }),
        Dialect::Messages => json!({
            "model": "smart",
            "system": "Be brief.",
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "Weather here?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                        "data": super::fixtures::PIXEL}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris"}},
                    {"type": "tool_use", "id": "c2", "name": "time", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "Rain."},
                    {"type": "tool_result", "tool_use_id": "c2", "content": "Noon."},
                ]},
            ],
            "tools": [
                {"name": "weather", "description": "Tells.", "input_schema": schema},
                {"name": "time", "input_schema": {"type": "object"}},
            ],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": false},
            "max_tokens": 100,
            "temperature": 0.5,
            "metadata": {"user_id": "u-1"},
        }),
    }
}

#[test]
fn one_conversation_reads_the_same_in_every_dialect() {
    let [chat, others @ ..] = DIALECTS.map(|dialect| read(dialect, conversation(dialect)));
    for other in others {
        // These two differ by nature: how it came, and what each does by itself.
        let (dialect, include_usage, echo) = (chat.dialect, chat.include_usage, chat.echo.clone());
        assert_eq!(ChatRequest { dialect, include_usage, echo, ..other }, chat);
    }
}

/// The request after `answer`, written by a caller that puts it into its history untouched.
fn sent_back(dialect: Dialect, answer: &Value) -> Value {
    let before = json!({"role": "user", "content": "Hi"});
    match dialect {
        Dialect::ChatCompletions => with(dialect, json!({"messages": [before, answer["choices"][0]["message"]]})),
        Dialect::Responses => {
            let mut input = vec![before];
            input.extend(answer["output"].as_array().unwrap().iter().cloned());
            with(dialect, json!({"input": input}))
        }
        Dialect::Messages => {
            let message = json!({"role": "assistant", "content": answer["content"]});
            with(dialect, json!({"messages": [before, message]}))
        }
    }
}

/// What is left of a part when it went through the dialect.
fn carried(dialect: Dialect, part: &Part) -> Option<Part> {
    match (dialect, part) {
        // Chat completions have no place for what proves thinking.
        (Dialect::ChatCompletions, Part::Thinking { text, .. }) => {
            Some(Part::Thinking { text: text.clone(), signature: None })
        }
        (Dialect::ChatCompletions, Part::RedactedThinking { .. }) => None,
        // Anthropic's refusals are texts with a reason.
        (Dialect::Messages, Part::Refusal { text }) => Some(Part::text(text)),
        // Anthropic's arguments are objects.
        (Dialect::Messages, Part::ToolCall(call)) => {
            let arguments = crate::protocol::write::arguments_object(&call.arguments).to_string();
            Some(Part::ToolCall(crate::domain::chat::ToolCall { arguments, ..call.clone() }))
        }
        (_, part) => Some(part.clone()),
    }
}

#[test]
fn an_answer_can_be_sent_back() {
    for dialect in DIALECTS {
        let request = read(dialect, minimal(dialect));
        for (name, answer) in answers() {
            let parts = &answer.choices[0].parts;
            if parts.is_empty() {
                continue;
            }
            let back = read(dialect, sent_back(dialect, &render(&request, &answer, &envelope())));
            let said: Vec<&Part> =
                back.messages.iter().filter(|m| m.role == MessageRole::Assistant).flat_map(|m| &m.parts).collect();
            let expected: Vec<Part> = parts.iter().filter_map(|part| carried(dialect, part)).collect();
            assert_eq!(said, expected.iter().collect::<Vec<_>>(), "{name} in {dialect:?}");
        }
    }
}
