//! OpenAI's embeddings.

use serde_json::{Value, json};

use crate::{
    domain::{
        chat::TokenUsage,
        embedding::{EmbeddingInput, Embeddings},
        warnings::Warnings,
    },
    protocol::embeddings::{EncodingFormat, parse, render},
};

fn body(fields: Value) -> Value {
    let (mut body, Value::Object(fields)) = (json!({"model": "m", "input": "Hi"}), fields) else { panic!("an object") };
    body.as_object_mut().unwrap().extend(fields);
    body
}

#[test]
fn input_in_all_its_forms() {
    let inputs = |input: Value| parse(body(json!({"input": input}))).unwrap().0.inputs;
    let text = |text: &str| EmbeddingInput::Text(text.into());
    assert_eq!(inputs(json!("a")), [text("a")]);
    assert_eq!(inputs(json!(["a", "b"])), [text("a"), text("b")]);
    assert_eq!(inputs(json!([1, 2])), [EmbeddingInput::Tokens(vec![1, 2])]);
    assert_eq!(inputs(json!([[1], [2, 3]])), [EmbeddingInput::Tokens(vec![1]), EmbeddingInput::Tokens(vec![2, 3])]);
    assert_eq!(inputs(json!(vec!["a"; 2048])).len(), 2048);
}

#[test]
fn other_fields() {
    let all = json!({"encoding_format": "base64", "dimensions": 256, "user": "u", "input_type": "query"});
    let (request, format, warnings) = parse(body(all)).unwrap();
    assert_eq!((format, request.dimensions, request.user.as_deref()), (EncodingFormat::Base64, Some(256), Some("u")));
    assert_eq!(json!(request.extra), json!({"input_type": "query"}));
    assert!(warnings.is_empty());
    assert_eq!(parse(body(json!({}))).unwrap().1, EncodingFormat::Float);
}

#[test]
fn the_first_mistake_is_named_by_its_path() {
    let cases = [
        (json!({"input": "x"}), "missing_required_parameter", "model"),
        (json!({"model": "m"}), "missing_required_parameter", "input"),
        (body(json!({"input": ""})), "invalid_value", "input"),
        (body(json!({"input": []})), "invalid_value", "input"),
        (body(json!({"input": {}})), "invalid_type", "input"),
        (body(json!({"input": ["a", ""]})), "invalid_value", "input[1]"),
        (body(json!({"input": ["a", 1]})), "invalid_type", "input[1]"),
        (body(json!({"input": [1, "a"]})), "invalid_type", "input[1]"),
        (body(json!({"input": [[1], []]})), "invalid_value", "input[1]"),
        (body(json!({"input": [[1, -1]]})), "invalid_type", "input[0][1]"),
        (body(json!({"input": ["a\u{0}"]})), "invalid_value", "input[0]"),
        (body(json!({"input": vec!["a"; 2049]})), "array_above_max_length", "input"),
        (body(json!({"encoding_format": "hex"})), "invalid_value", "encoding_format"),
        (body(json!({"dimensions": 0})), "invalid_value", "dimensions"),
    ];
    for (body, code, param) in cases {
        let error = parse(body).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (code, Some(param)), "{error:?}");
    }
}

#[test]
fn vectors_are_numbers_or_base64() {
    let answer = Embeddings {
        vectors: vec![vec![0.1, -2.0], vec![3.5]],
        model: Some("upstream".into()),
        usage: Some(TokenUsage { input: 7, ..TokenUsage::default() }),
        warnings: Warnings::default(),
    };
    let text = serde_json::to_string(&render("small", &answer, EncodingFormat::Float)).unwrap();
    let expected = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2.0]},{"object":"embedding","index":1,"embedding":[3.5]}],"model":"small","usage":{"prompt_tokens":7,"total_tokens":7}}"#;
    assert_eq!(text, expected);
    let encoded = json!(render("small", &answer, EncodingFormat::Base64));
    // 0.1 is 0x3dcccccd and -2 is 0xc0000000, least byte first.
    assert_eq!(encoded["data"][0]["embedding"], "zczMPQAAAMA=");
}
