//! The contracts that others build on, as snapshots: the OpenAPI document and the table of error codes.

use inference::Inference;
use kit::Service as _;

#[test]
fn the_document_is_the_committed_one() {
    let committed: serde_json::Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let current = serde_json::to_value(Inference::openapi()).unwrap();
    assert!(committed == current, "the API changed: read `git diff` after `cargo xtask openapi`");
}

#[test]
fn every_code_is_known() {
    let codes = Inference::error_codes();
    let mut table: Vec<_> = codes.iter().map(|code| format!("{} {} {}", code.status, code.code, code.title)).collect();
    table.sort();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn every_operation_and_every_field_is_described() {
    let document = serde_json::to_value(Inference::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty(), "{method} {path} has no summary");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, described) in schema["properties"].as_object().into_iter().flatten() {
            // A field that may be null has its description beside the schema that it may have instead.
            let text = described["description"].as_str().or(described["oneOf"][0]["description"].as_str());
            let text = text.unwrap_or_default();
            assert!(!text.is_empty(), "{name}.{field} has no description");
        }
    }
}
