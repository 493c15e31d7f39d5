//! The contracts that others build on.

use kit::Service as _;
use memory::Memory;

#[test]
fn every_code_is_known() {
    let codes = Memory::error_codes();
    let mut table: Vec<_> = codes.iter().map(|code| format!("{} {} {}", code.status, code.code, code.title)).collect();
    table.sort();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn every_operation_and_every_field_is_described() {
    let document = serde_json::to_value(Memory::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty(), "{method} {path} has no summary");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, described) in schema["properties"].as_object().into_iter().flatten() {
            // One that may be null is one of two schemas.
            let either = described["oneOf"].as_array().and_then(|either| either.first()).unwrap_or(described);
            let text = described["description"].as_str().or(either["description"].as_str()).unwrap_or_default();
            assert!(!text.is_empty(), "{name}.{field} has no description");
        }
    }
}
