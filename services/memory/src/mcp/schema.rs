//! JSON Schemas of tools, made of what describes the same values in the OpenAPI document: one bound is written once.

use std::collections::HashMap;

use kit::http::List;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{
    IntoParams, PartialSchema as _, ToSchema,
    openapi::{RefOr, Schema},
};

/// The schema of a value, in one piece: few hosts follow references.
pub fn of<T: ToSchema>() -> Map<String, Value> {
    let mut named = Vec::new();
    T::schemas(&mut named);
    whole(&T::schema(), &named)
}

/// The schema of a page of a list, which does not say itself what its items are.
pub fn of_list<T: ToSchema>() -> Map<String, Value> {
    let mut named = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut named);
    whole(&List::<T>::schema(), &named)
}

/// The schema of an object with the fields that are parameters elsewhere.
pub fn of_parameters<T: IntoParams>() -> Map<String, Value> {
    let field = |parameter: &Value| {
        let mut schema = object(parameter["schema"].clone());
        schema.insert("description".to_owned(), parameter["description"].clone());
        Some((parameter["name"].as_str()?.to_owned(), Value::Object(schema)))
    };
    let fields: Map<String, Value> = T::into_params(|| None).iter().filter_map(|one| field(&value(one))).collect();
    object(json!({"type": "object", "properties": fields, "additionalProperties": false}))
}

/// The same, but `field` must be there.
pub fn requiring(field: &str, mut schema: Map<String, Value>) -> Map<String, Value> {
    if let Some(required) = schema.entry("required").or_insert_with(|| json!([])).as_array_mut() {
        required.push(json!(field));
    }
    schema
}

fn whole(schema: &RefOr<Schema>, named: &[(String, RefOr<Schema>)]) -> Map<String, Value> {
    let named = named.iter().map(|(name, schema)| (name.as_str(), value(schema))).collect();
    object(inlined(value(schema), &named))
}

/// Puts what references name in their place. None of our types contains itself.
fn inlined(schema: Value, named: &HashMap<&str, Value>) -> Value {
    match schema {
        Value::Object(mut members) => {
            let meant = members.remove("$ref");
            let meant = meant.as_ref().and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            let mut whole = meant.and_then(|name| named.get(name)).cloned().map(object).unwrap_or_default();
            // What is said beside a reference holds here.
            whole.extend(members);
            Value::Object(whole.into_iter().map(|(name, member)| (name, inlined(member, named))).collect())
        }
        Value::Array(items) => items.into_iter().map(|item| inlined(item, named)).collect(),
        other => other,
    }
}

fn value(described: &impl Serialize) -> Value {
    serde_json::to_value(described).unwrap_or_default()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
