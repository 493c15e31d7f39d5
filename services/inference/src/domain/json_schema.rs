//! JSON schemas that an answer can be held to.
//!
//! llama.cpp turns a schema into a grammar and skips what it does not know, so the answer would break the schema without
//! a word. Everything it would skip is refused here, by name. What is left is what OpenAI calls structured outputs, give
//! or take a keyword; the bounds keep a hostile schema from costing more than a long one.
//!
//! Source: `common/json-schema.cpp` and `common/json-schema-to-grammar.cpp` of llama.cpp;
//! <https://json-schema.org/draft/2020-12/json-schema-validation>.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Bytes of a whole schema.
const MAX_BYTES: usize = 32 * 1024;
/// Levels of schemas in schemas.
const MAX_DEPTH: usize = 12;
/// Properties, values of enums and alternatives, all together.
const MAX_MEMBERS: usize = 500;
/// Bytes of a property's name and of a reference.
const MAX_NAME: usize = 64;
/// Largest count of characters or items: a grammar grows with them.
const MAX_COUNT: u64 = 256;
/// Largest bound of an integer: what every JSON reader can hold (RFC 8259, section 6).
const MAX_INTEGER: i64 = 1 << 53;

/// Say something and demand nothing.
const ANNOTATIONS: [&str; 11] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
];

/// JSON that keeps the order of its members: an answer has its properties in the order of the schema, and a model that
/// is asked to reason before it decides must be asked in this order. Of a name that comes twice the last value counts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Json {
    Object(IndexMap<String, Json>),
    Array(Vec<Json>),
    Scalar(Value),
}

/// A schema that can be followed, as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(String);

/// What cannot be followed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Path inside of the schema: `properties.age.multipleOf`; empty for the whole.
    pub path: String,
    /// Continues a sentence whose subject is the path.
    pub message: String,
}

impl Schema {
    /// Any JSON object.
    pub fn any_object() -> Self {
        Self(r#"{"type":"object"}"#.to_owned())
    }

    /// Checks `schema`; the first thing that cannot be followed is named.
    pub fn new(schema: &Json) -> Result<Self, Refused> {
        let unreadable = |_| refused("", "must be JSON");
        let text = serde_json::to_string(schema).map_err(unreadable)?;
        if text.len() > MAX_BYTES {
            return Err(refused("", format!("must not be longer than {MAX_BYTES} bytes")));
        }
        let value = serde_json::to_value(schema).map_err(unreadable)?;
        Check { root: &value, members: 0 }.schema(&value, "", 0)?;
        Ok(Self(text))
    }

    /// The schema as JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn refused(path: &str, message: impl Into<String>) -> Refused {
    Refused { path: path.to_owned(), message: message.into() }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

struct Check<'a> {
    root: &'a Value,
    members: usize,
}

impl Check<'_> {
    fn schema(&mut self, schema: &Value, path: &str, depth: usize) -> Result<(), Refused> {
        let Some(schema) = schema.as_object() else {
            return Err(refused(path, "must be a schema, that is, an object"));
        };
        if depth > MAX_DEPTH {
            return Err(refused(path, format!("must not be nested deeper than {MAX_DEPTH} levels")));
        }
        self.count(1, path)?;
        for definitions in ["$defs", "definitions"] {
            if let Some(definitions_of) = schema.get(definitions) {
                self.each(definitions_of, &join(path, definitions), depth)?;
            }
        }
        if let Some(reference) = schema.get("$ref") {
            only(schema, &["$ref"], path)?;
            return self.reference(reference, &join(path, "$ref"));
        }
        if let Some(alternatives) = schema.get("anyOf") {
            only(schema, &["anyOf"], path)?;
            return self.alternatives(alternatives, &join(path, "anyOf"), depth);
        }
        if let Some(value) = schema.get("const") {
            only(schema, &["const", "type"], path)?;
            return of_type(schema, std::slice::from_ref(value), path);
        }
        if let Some(values) = schema.get("enum") {
            only(schema, &["enum", "type"], path)?;
            let values = values.as_array().filter(|values| !values.is_empty());
            let Some(values) = values else {
                return Err(refused(&join(path, "enum"), "must be a list with at least one value"));
            };
            self.count(values.len(), path)?;
            return of_type(schema, values, path);
        }
        self.typed(schema, path, depth)
    }

    fn typed(&mut self, schema: &Map<String, Value>, path: &str, depth: usize) -> Result<(), Refused> {
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) if !names.is_empty() && names.iter().all(Value::is_string) => {
                names.iter().filter_map(Value::as_str).collect()
            }
            Some(_) => return Err(refused(&join(path, "type"), "must be a type or a list of types")),
            // {} is any value.
            None => return only(schema, &[], path),
        };
        let mut known = vec!["type"];
        for name in &types {
            known.extend(match *name {
                "object" => &["properties", "required", "additionalProperties"][..],
                "array" => &["items", "minItems", "maxItems"],
                "string" => &["format", "minLength", "maxLength"],
                "integer" => &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
                "number" | "boolean" | "null" => &[],
                other => return Err(refused(&join(path, "type"), format!("names {other:?}, which is no type"))),
            });
        }
        if types.contains(&"number") {
            // The grammar of numbers knows no bounds.
            known.retain(|keyword| !keyword.contains("imum"));
        }
        only(schema, &known, path)?;
        self.object(schema, path, depth)?;
        if let Some(items) = schema.get("items") {
            self.schema(items, &join(path, "items"), depth + 1)?;
        }
        for (least, most) in [("minItems", "maxItems"), ("minLength", "maxLength")] {
            let bounds = (count(schema, least, path)?, count(schema, most, path)?);
            if let (Some(low), Some(high)) = bounds
                && low > high
            {
                return Err(refused(&join(path, most), format!("must not be less than {least}")));
            }
        }
        format(schema, path)?;
        integer_bounds(schema, path)
    }

    fn object(&mut self, schema: &Map<String, Value>, path: &str, depth: usize) -> Result<(), Refused> {
        let properties = schema.get("properties");
        if let Some(properties) = properties {
            self.each(properties, &join(path, "properties"), depth)?;
        }
        match schema.get("additionalProperties") {
            None | Some(Value::Bool(_)) => {}
            Some(schema) => self.schema(schema, &join(path, "additionalProperties"), depth + 1)?,
        }
        let Some(required) = schema.get("required") else { return Ok(()) };
        let path = join(path, "required");
        let Some(names) = required.as_array() else { return Err(refused(&path, "must be a list of names")) };
        for name in names {
            let known = name.as_str().is_some_and(|name| properties.is_some_and(|all| all.get(name).is_some()));
            if !known {
                return Err(refused(&path, format!("names {name}, which is not in properties")));
            }
        }
        Ok(())
    }

    /// The values of an object whose names are free.
    fn each(&mut self, schemas: &Value, path: &str, depth: usize) -> Result<(), Refused> {
        let Some(schemas) = schemas.as_object() else { return Err(refused(path, "must be an object of schemas")) };
        for (name, schema) in schemas {
            if name.len() > MAX_NAME {
                return Err(refused(path, format!("must not have names longer than {MAX_NAME} bytes")));
            }
            self.schema(schema, &join(path, name), depth + 1)?;
        }
        Ok(())
    }

    fn alternatives(&mut self, alternatives: &Value, path: &str, depth: usize) -> Result<(), Refused> {
        let Some(alternatives) = alternatives.as_array().filter(|all| !all.is_empty()) else {
            return Err(refused(path, "must be a list with at least one schema"));
        };
        for (index, schema) in alternatives.iter().enumerate() {
            self.schema(schema, &format!("{path}[{index}]"), depth + 1)?;
        }
        Ok(())
    }

    /// A reference into this document: `#/$defs/node`. Escapes (RFC 6901) are not understood by llama.cpp.
    fn reference(&self, reference: &Value, path: &str) -> Result<(), Refused> {
        let pointer =
            reference.as_str().and_then(|text| text.strip_prefix('#')).filter(|pointer| pointer.starts_with('/'));
        let Some(pointer) = pointer else {
            return Err(refused(path, "must point into this schema, like #/$defs/name"));
        };
        if pointer.len() > MAX_NAME * 2 || pointer.contains(['~', '%']) {
            return Err(refused(path, "must be short and without escapes"));
        }
        if !self.root.pointer(pointer).is_some_and(Value::is_object) {
            return Err(refused(path, "must point to a schema that is there"));
        }
        // Only what was checked as a schema may be used as one.
        let place = pointer.rsplit('/').nth(1).unwrap_or_default();
        if !["$defs", "definitions", "properties"].contains(&place) {
            return Err(refused(path, "must point into $defs, definitions or properties"));
        }
        Ok(())
    }

    fn count(&mut self, more: usize, path: &str) -> Result<(), Refused> {
        self.members += more;
        if self.members > MAX_MEMBERS {
            return Err(refused(path, format!("is one too many: a schema may have {MAX_MEMBERS} parts and values")));
        }
        Ok(())
    }
}

/// Refuses every keyword but `known` ones and annotations.
fn only(schema: &Map<String, Value>, known: &[&str], path: &str) -> Result<(), Refused> {
    let other = schema.keys().find(|key| !known.contains(&key.as_str()) && !ANNOTATIONS.contains(&key.as_str()));
    match other {
        None => Ok(()),
        Some(key) => Err(refused(&join(path, key), "is a keyword that this server cannot enforce here")),
    }
}

/// Refuses values that the `type` beside them forbids: nothing would look at it.
fn of_type(schema: &Map<String, Value>, values: &[Value], path: &str) -> Result<(), Refused> {
    let named = |name: &str| match schema.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(|known| known == name),
        Some(known) => known == name,
    };
    for value in values {
        let fits = match value {
            Value::Null => named("null"),
            Value::Bool(_) => named("boolean"),
            Value::Number(number) => named("number") || (!number.is_f64() && named("integer")),
            Value::String(_) => named("string"),
            Value::Array(_) => named("array"),
            Value::Object(_) => named("object"),
        };
        if !fits {
            return Err(refused(&join(path, "type"), format!("does not allow {value}")));
        }
    }
    Ok(())
}

fn count(schema: &Map<String, Value>, key: &str, path: &str) -> Result<Option<u64>, Refused> {
    let Some(value) = schema.get(key) else { return Ok(None) };
    match value.as_u64() {
        Some(count) if count <= MAX_COUNT => Ok(Some(count)),
        _ => Err(refused(&join(path, key), format!("must be a whole number from 0 to {MAX_COUNT}"))),
    }
}

fn format(schema: &Map<String, Value>, path: &str) -> Result<(), Refused> {
    const KNOWN: [&str; 4] = ["date", "time", "date-time", "uuid"];
    match schema.get("format") {
        None => Ok(()),
        Some(format) if format.as_str().is_some_and(|format| KNOWN.contains(&format)) => {
            match ["minLength", "maxLength"].into_iter().find(|key| schema.contains_key(*key)) {
                Some(key) => Err(refused(&join(path, key), "cannot be enforced beside format")),
                None => Ok(()),
            }
        }
        Some(_) => Err(refused(&join(path, "format"), format!("must be one of {}", KNOWN.join(", ")))),
    }
}

fn integer_bounds(schema: &Map<String, Value>, path: &str) -> Result<(), Refused> {
    let bound = |key: &str| match schema.get(key) {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(bound) if bound.abs() <= MAX_INTEGER => Ok(Some(bound)),
            _ => Err(refused(&join(path, key), format!("must be a whole number of at most {MAX_INTEGER}"))),
        },
    };
    for (inclusive, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        if schema.contains_key(inclusive) && schema.contains_key(exclusive) {
            return Err(refused(&join(path, exclusive), format!("cannot be enforced beside {inclusive}")));
        }
    }
    let low = bound("minimum")?.or(bound("exclusiveMinimum")?.map(|bound| bound + 1));
    let high = bound("maximum")?.or(bound("exclusiveMaximum")?.map(|bound| bound - 1));
    if let (Some(low), Some(high)) = (low, high)
        && low > high
    {
        return Err(refused(path, "has bounds that no number fits"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: Value) -> Result<Schema, Refused> {
        Schema::new(&serde_json::from_value(schema).unwrap())
    }

    fn refusal(schema: Value) -> String {
        let refused = check(schema).unwrap_err();
        format!("{} {}", refused.path, refused.message)
    }

    #[test]
    fn what_structured_outputs_need_is_accepted() {
        let schema = json!({
            "type": "object",
            "description": "a person",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 40},
                "born": {"type": ["string", "null"], "format": "date"},
                "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
                "height": {"type": "number"},
                "mood": {"type": "string", "enum": ["good", "bad"]},
                "kind": {"const": "person"},
                "friends": {"type": "array", "items": {"$ref": "#/$defs/friend"}, "maxItems": 3},
                "anything": {},
                "either": {"anyOf": [{"type": "boolean"}, {"$ref": "#/properties/age"}]},
            },
            "required": ["name", "age"],
            "additionalProperties": false,
            "$defs": {"friend": {"type": "object", "properties": {"name": {"type": "string"}}}},
        });
        assert!(check(schema).is_ok());
    }

    #[test]
    fn what_would_be_skipped_is_refused_by_name() {
        for (schema, expected) in [
            (json!({"type": "string", "pattern": "^a+$"}), "pattern is a keyword"),
            (
                json!({"type": "object", "properties": {"a": {"type": "number", "minimum": 3}}}),
                "properties.a.minimum is a keyword",
            ),
            (json!({"type": "object", "patternProperties": {}}), "patternProperties is a keyword"),
            (json!({"allOf": [{"type": "object"}]}), "allOf is a keyword"),
            (json!({"oneOf": [{"type": "object"}]}), "oneOf is a keyword"),
            (json!({"not": {}}), "not is a keyword"),
            (json!({"anyOf": [{"type": "null"}], "type": "object"}), "type is a keyword"),
            (json!({"type": "array", "items": {"type": "integer", "multipleOf": 2}}), "items.multipleOf is a keyword"),
            (json!({"type": "array", "uniqueItems": true}), "uniqueItems is a keyword"),
            (json!({"type": "string", "format": "email"}), "format must be one of"),
            (json!({"type": "object", "required": ["a"]}), "required names \"a\", which is not in properties"),
            (json!({"enum": [1, "a"], "type": "string"}), "type does not allow 1"),
        ] {
            let refusal = refusal(schema.clone());
            assert!(refusal.starts_with(expected), "{schema}: {refusal}");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for schema in [
            json!(true),
            json!([]),
            json!("x"),
            json!({"type": "animal"}),
            json!({"type": []}),
            json!({"type": 3}),
            json!({"enum": []}),
            json!({"anyOf": []}),
            json!({"anyOf": {}}),
            json!({"properties": []}),
            json!({"type": "object", "properties": {"a": 3}}),
            json!({"type": "array", "items": []}),
            json!({"type": "string", "minLength": -1}),
            json!({"type": "string", "maxLength": 100_000}),
            json!({"type": "string", "minLength": 5, "maxLength": 4}),
            json!({"type": "integer", "minimum": 1e300}),
            json!({"type": "integer", "minimum": 4, "maximum": 3}),
            json!({"type": "object", "required": "a"}),
        ] {
            assert!(check(schema.clone()).is_err(), "{schema}");
        }
    }

    #[test]
    fn references_stay_inside() {
        for reference in
            ["http://example.com/x.json", "#", "#/", "#/$defs/none", "#/type", "#/$defs/a~1b", "file:///etc/passwd"]
        {
            let refusal = refusal(json!({"$ref": reference, "$defs": {"a/b": {}}}));
            assert!(refusal.starts_with("$ref must"), "{reference}: {refusal}");
        }
        // A schema may be recursive.
        let tree = json!({"$ref": "#/$defs/tree", "$defs": {"tree": {
            "type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}}});
        assert!(check(tree).is_ok());
    }

    #[test]
    fn the_order_of_properties_is_kept() {
        let text = r#"{"type":"object","properties":{"z":{"type":"null"},"a":{"type":"null"},"m":{"type":"null"}}}"#;
        assert_eq!(Schema::new(&serde_json::from_str(text).unwrap()).unwrap().as_str(), text);
    }

    #[test]
    fn what_is_checked_is_what_is_used() {
        let twice: Json = serde_json::from_str(r#"{"type":"string","maxLength":9999999,"maxLength":3}"#).unwrap();
        assert_eq!(Schema::new(&twice).unwrap().as_str(), r#"{"type":"string","maxLength":3}"#);
    }

    #[test]
    fn a_large_schema_is_refused() {
        let mut deep = json!({"type": "null"});
        for _ in 0..20 {
            deep = json!({"type": "array", "items": deep});
        }
        assert!(refusal(deep).contains("nested deeper"));
        assert!(refusal(json!({"enum": (0..1000).collect::<Vec<_>>()})).contains("one too many"));
        assert!(refusal(json!({"description": "x".repeat(MAX_BYTES)})).contains("longer than"));
        assert!(refusal(json!({"type": "object", "properties": {"x".repeat(100): {}}})).contains("names longer"));
    }
}
