//! Many OpenAPI documents into one: what a client of the gateway sees of the services behind it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::route;
use crate::domain::service::Service;

const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];
const COMPONENTS: &str = "#/components/";

/// The gateway's own document with every service's part added.
///
/// A part brings only the paths that the gateway routes to its service, so internal routes stay inside, and only the
/// components that those paths use. Where two documents mean different things by one component name, the later one is
/// prefixed with its service's name, and so is whatever refers to it and would otherwise be taken for the same. Security
/// schemes are the platform's, not a service's: the first of a name stands.
pub fn merge<'a>(own: Value, parts: impl Iterator<Item = (Service, &'a Value)>, public_url: &str) -> Value {
    let mut merged = own;
    merged["servers"] = json!([{ "url": public_url }]);
    for (service, part) in parts {
        add(&mut merged, service, part);
    }
    merged
}

fn add(merged: &mut Value, service: Service, part: &Value) {
    let mut part = part.clone();
    keep_routed_paths(&mut part, service);
    spell_out_security(&mut part);
    drop_unused_components(&mut part);
    rename_conflicts(&mut part, merged, service);
    make_operation_ids_unique(&mut part, merged, service);

    let mut tags = BTreeSet::new();
    each_operation(&mut part, |operation| {
        let names = operation.get("tags").and_then(Value::as_array).into_iter().flatten();
        tags.extend(names.filter_map(Value::as_str).map(str::to_owned));
    });
    for (path, item) in take_object(&mut part, "/paths") {
        object(merged, "paths").entry(path).or_insert(item);
    }
    for (kind, components) in take_object(&mut part, "/components") {
        let Value::Object(components) = components else { continue };
        let target = object(merged, "components").entry(kind).or_insert_with(|| json!({}));
        if let Value::Object(target) = target {
            for (name, component) in components {
                target.entry(name).or_insert(component);
            }
        }
    }
    add_tags(merged, &part, &tags);
}

fn keep_routed_paths(part: &mut Value, service: Service) {
    if let Some(Value::Object(paths)) = part.get_mut("paths") {
        paths.retain(|path, _| route::find(path).is_some_and(|route| route.service == service));
    }
}

/// A requirement for the whole document would, in the merged one, be for all services.
fn spell_out_security(part: &mut Value) {
    let Some(security) = part.as_object_mut().and_then(|part| part.remove("security")) else { return };
    each_operation(part, |operation| {
        operation.entry("security").or_insert_with(|| security.clone());
    });
}

fn drop_unused_components(part: &mut Value) {
    let mut used = BTreeSet::new();
    let mut open = Vec::new();
    each_reference(&mut part["paths"], &mut |reference| open.push(reference.clone()));
    while let Some(reference) = open.pop() {
        if let Some(component) = part.pointer_mut(reference.trim_start_matches('#'))
            && used.insert(reference)
        {
            each_reference(component, &mut |reference| open.push(reference.clone()));
        }
    }
    // Security schemes are referred to by their bare names.
    each_operation(part, |operation| {
        let requirements = operation.get("security").and_then(Value::as_array).into_iter().flatten();
        let names = requirements.filter_map(Value::as_object).flat_map(Map::keys);
        used.extend(names.map(|name| reference("securitySchemes", name)));
    });
    let Some(Value::Object(components)) = part.get_mut("components") else { return };
    for (kind, components) in components {
        if let Value::Object(components) = components {
            components.retain(|name, _| used.contains(&reference(kind, name)));
        }
    }
}

fn rename_conflicts(part: &mut Value, merged: &Value, service: Service) {
    let shared: Vec<String> = components(part).filter(|reference| at(merged, reference).is_some()).collect();
    let mut renamed: BTreeSet<String> =
        shared.iter().filter(|name| at(part, name) != at(merged, name)).cloned().collect();
    // What refers to something renamed is no longer the same as what it was shared with.
    loop {
        let before = renamed.len();
        for name in &shared {
            let mut refers = false;
            if let Some(component) = at(part, name) {
                each_reference(&mut component.clone(), &mut |reference| refers |= renamed.contains(reference));
            }
            if refers {
                renamed.insert(name.clone());
            }
        }
        if renamed.len() == before {
            break;
        }
    }
    if renamed.is_empty() {
        return;
    }
    each_reference(part, &mut |reference| {
        if renamed.contains(reference) {
            *reference = prefixed(reference, service);
        }
    });
    let Some(Value::Object(kinds)) = part.get_mut("components") else { return };
    for (kind, components) in kinds {
        let Value::Object(components) = components else { continue };
        *components = std::mem::take(components)
            .into_iter()
            .map(|(name, component)| {
                let full = reference(kind, &name);
                let name = if renamed.contains(&full) { last_segment(&prefixed(&full, service)) } else { name };
                (name, component)
            })
            .collect();
    }
}

fn make_operation_ids_unique(part: &mut Value, merged: &mut Value, service: Service) {
    let mut taken = BTreeSet::new();
    each_operation(merged, |operation| {
        taken.extend(operation.get("operationId").and_then(Value::as_str).map(str::to_owned));
    });
    each_operation(part, |operation| {
        if let Some(Value::String(id)) = operation.get_mut("operationId")
            && taken.contains(id.as_str())
        {
            *id = format!("{service}_{id}");
        }
    });
}

fn add_tags(merged: &mut Value, part: &Value, used: &BTreeSet<String>) {
    let Some(Value::Array(tags)) = part.get("tags") else { return };
    let tags = tags.iter().filter(|tag| tag["name"].as_str().is_some_and(|name| used.contains(name)));
    let known = merged.as_object_mut().map(|merged| merged.entry("tags").or_insert_with(|| json!([])));
    if let Some(Value::Array(known)) = known {
        for tag in tags {
            if !known.iter().any(|other| other["name"] == tag["name"]) {
                known.push(tag.clone());
            }
        }
    }
}

/// Every component of a document but its security schemes, as references.
fn components(document: &Value) -> impl Iterator<Item = String> {
    let kinds = document.get("components").and_then(Value::as_object).into_iter().flatten();
    kinds.filter(|(kind, _)| *kind != "securitySchemes").flat_map(|(kind, components)| {
        components.as_object().into_iter().flatten().map(move |(name, _)| reference(kind, name))
    })
}

fn reference(kind: &str, name: &str) -> String {
    // JSON pointer escapes (RFC 6901); a component's name may not hold either character, but who knows.
    format!("{COMPONENTS}{kind}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn at<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(reference.trim_start_matches('#'))
}

/// `#/components/schemas/Session` of auth is `#/components/schemas/AuthSession`.
fn prefixed(reference: &str, service: Service) -> String {
    let (kind, name) = reference.rsplit_once('/').unwrap_or(("", reference));
    let mut prefix = service.name().to_owned();
    if let Some(first) = prefix.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{kind}/{prefix}{name}")
}

fn last_segment(reference: &str) -> String {
    reference.rsplit('/').next().unwrap_or(reference).to_owned()
}

fn each_operation(document: &mut Value, mut visit: impl FnMut(&mut Map<String, Value>)) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    for item in paths {
        for method in METHODS {
            if let Some(Value::Object(operation)) = item.get_mut(method) {
                visit(operation);
            }
        }
    }
}

/// Visits every reference to a component: `$ref`, and the values of a discriminator's `mapping`.
fn each_reference(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, visit)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" && text.starts_with(COMPONENTS) => visit(text),
                    Value::Object(mapping) if name == "mapping" => {
                        for target in mapping.values_mut() {
                            match target {
                                Value::String(text) if text.starts_with(COMPONENTS) => visit(text),
                                other => each_reference(other, visit),
                            }
                        }
                    }
                    other => each_reference(other, visit),
                }
            }
        }
        _ => {}
    }
}

fn take_object(document: &mut Value, pointer: &str) -> Map<String, Value> {
    match document.pointer_mut(pointer) {
        Some(Value::Object(members)) => std::mem::take(members),
        _ => Map::new(),
    }
}

fn object<'a>(document: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    if !document[name].is_object() {
        document[name] = json!({});
    }
    match &mut document[name] {
        Value::Object(members) => members,
        // Made an object just above.
        _ => unreachable!("{name} is an object"),
    }
}

#[cfg(test)]
mod tests;
