//! No body makes a reader panic, and no order of events makes a writer.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use super::fixtures::{DIALECTS, encoded, minimal, read, sse, with};
use crate::{
    domain::{
        chat::{ChatEvent, StopReason, TokenUsage},
        warnings::Warnings,
    },
    protocol::{embeddings, parse, parse_count_tokens},
};

/// Words of the protocols, so that random bodies get past the first field.
const NAMES: &[&str] = &[
    "model",
    "messages",
    "input",
    "role",
    "content",
    "type",
    "text",
    "image_url",
    "url",
    "tools",
    "function",
    "name",
    "parameters",
    "tool_choice",
    "tool_calls",
    "id",
    "arguments",
    "stop",
    "response_format",
    "json_schema",
    "schema",
    "brainops",
    "recall",
    "top_k",
    "system",
    "source",
    "thinking",
    "budget_tokens",
    "output_config",
    "format",
    "max_tokens",
    "stream_options",
    "logit_bias",
    "metadata",
    "call_id",
    "output",
    "summary",
    "encrypted_content",
    "reasoning",
    "include",
    "functions",
    "function_call",
    "citations",
    "data",
    "media_type",
    "custom",
    "mode",
    "allowed_tools",
    "file_data",
    "n",
];

const WORDS: &[&str] = &[
    "",
    "m",
    "user",
    "assistant",
    "system",
    "tool",
    "function",
    "text",
    "image_url",
    "file",
    "refusal",
    "custom",
    "auto",
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
    "input_text",
    "input_image",
    "tool_use",
    "tool_result",
    "document",
    "image",
    "base64",
    "json_schema",
    "enabled",
    "allowed_tools",
    "data:image/png;base64,AAAA",
    "data:,",
    "https://example.com",
    "a\u{0}",
    "grammar",
    "é",
];

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![proptest::sample::select(WORDS).prop_map(Value::from), ".{0,8}".prop_map(Value::from)];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word,
    ];
    leaf.prop_recursive(6, 96, 6, |inner| {
        let field = (proptest::sample::select(NAMES), inner.clone());
        prop_oneof![
            vec(inner, 0..5).prop_map(Value::from),
            vec(field, 0..8).prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
            }),
        ]
    })
}

fn any_event() -> impl Strategy<Value = ChatEvent> {
    let text = "[a-c]{0,3}";
    let (choice, index) = (0..3_u32, 0..3_u32);
    prop_oneof![
        Just(ChatEvent::Started { id: None, model: None, extra: Map::new(), warnings: Warnings::default() }),
        (choice.clone(), text).prop_map(|(choice, text)| ChatEvent::Text { choice, text, logprobs: None }),
        (choice.clone(), text).prop_map(|(choice, text)| ChatEvent::Refusal { choice, text }),
        (choice.clone(), text).prop_map(|(choice, text)| ChatEvent::Thinking { choice, text }),
        (choice.clone(), text).prop_map(|(choice, signature)| ChatEvent::ThinkingSignature { choice, signature }),
        (choice.clone(), text).prop_map(|(choice, data)| ChatEvent::RedactedThinking { choice, data }),
        (choice.clone(), index.clone(), text).prop_map(|(choice, index, id)| ChatEvent::ToolCallStarted {
            choice,
            index,
            name: id.clone(),
            id
        }),
        (choice.clone(), index, text).prop_map(|(choice, index, json)| ChatEvent::ToolCallArguments {
            choice,
            index,
            json
        }),
        choice.prop_map(|choice| ChatEvent::ChoiceEnded { choice, stop: StopReason::End, stop_sequence: None }),
        any::<u64>().prop_map(|input| ChatEvent::Usage(TokenUsage { input, cached_input: 9, ..TokenUsage::default() })),
        Just(ChatEvent::Ended),
    ]
}

proptest! {
    #[test]
    fn no_body_makes_a_reader_panic(body in any_json()) {
        for dialect in DIALECTS {
            let _ = parse(dialect, body.clone());
        }
        let _ = parse_count_tokens(body.clone());
        let _ = embeddings::parse(body);
    }

    #[test]
    fn no_field_makes_a_reader_panic(name in proptest::sample::select(NAMES), value in any_json()) {
        for dialect in DIALECTS {
            let _ = parse(dialect, with(dialect, json!({name: value.clone()})));
        }
        let _ = embeddings::parse(json!({"model": "m", "input": "x", name: value}));
    }

    #[test]
    fn any_order_of_events_is_a_well_formed_stream(events in vec(any_event(), 0..24)) {
        for dialect in DIALECTS {
            sse(&encoded(&read(dialect, minimal(dialect)), &events));
        }
    }
}

#[test]
fn depth_is_bounded() {
    let nested = (0..100).fold(json!(1), |inner, _| json!([inner]));
    for dialect in DIALECTS {
        let error = parse(dialect, with(dialect, json!({"x": nested}))).unwrap_err();
        assert_eq!(error.code, "invalid_value");
        assert!(error.message.contains("nested"), "{error:?}");
    }
}

#[test]
fn images_are_bounded_in_number_and_size() {
    let messages = |images: Vec<Value>| json!({"messages": [{"role": "user", "content": images}]});
    let url = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let chat = crate::domain::chat::Dialect::ChatCompletions;
    let many = |count| parse(chat, with(chat, messages(vec![url("https://example.com/a.png"); count])));
    assert!(many(20).is_ok());
    assert_eq!(many(21).unwrap_err().param.unwrap(), "messages[0].content[20].image_url.url");
    let sized = |bytes: usize| {
        let data = format!("data:image/png;base64,{}", "A".repeat(bytes.div_ceil(3) * 4));
        parse(chat, with(chat, messages(vec![url(&data)])))
    };
    assert!(sized(10 * 1024 * 1024 - 3).is_ok());
    assert_eq!(sized(10 * 1024 * 1024 + 3).unwrap_err().code, "image_too_large");
}
