//! The AsyncAPI 3 document: the same contracts for readers and tools that know nothing of protobuf.

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::model::{Event, Field, Kind, Package};

/// Pretty JSON with a stable order of keys.
pub fn document(packages: &[Package]) -> anyhow::Result<String> {
    let mut channels = Map::new();
    let mut operations = Map::new();
    let mut messages = Map::new();
    let mut schemas = Map::from_iter([("CloudEvent".to_owned(), envelope())]);
    for package in packages {
        for event in &package.events {
            let key = event.routing_key().replace('.', "_");
            channels.insert(key.clone(), channel(event, &key));
            operations.insert(format!("publish_{key}"), operation(package, event, &key));
            messages.insert(key.clone(), message(package, event, &key));
            schemas.insert(key, payload(event));
        }
    }
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "BrainOps events",
            "version": "1",
            "description": "Every event that BrainOps publishes on RabbitMQ: CloudEvents 1.0 in structured JSON mode on the durable \
                            topic exchange `brainops.events`. The guide for consumers is docs/events.md.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas },
    });
    let mut text = serde_json::to_string_pretty(&document).context("writing the AsyncAPI document")?;
    text.push('\n');
    Ok(text)
}

fn channel(event: &Event, key: &str) -> Value {
    json!({
        "address": event.routing_key(),
        "description": event.summary,
        "messages": { key: { "$ref": format!("#/components/messages/{key}") } },
        "bindings": { "amqp": {
            "is": "routingKey",
            "exchange": { "name": "brainops.events", "type": "topic", "durable": true, "autoDelete": false, "vhost": "/" },
            "bindingVersion": "0.3.0",
        } },
    })
}

fn operation(package: &Package, event: &Event, key: &str) -> Value {
    json!({
        "action": "send",
        "title": event.message,
        "summary": event.summary,
        "description": format!("Published by the {} service only.", package.service),
        "channel": { "$ref": format!("#/channels/{key}") },
        "messages": [{ "$ref": format!("#/channels/{key}/messages/{key}") }],
        "bindings": { "amqp": { "deliveryMode": 2, "mandatory": true, "timestamp": true, "bindingVersion": "0.3.0" } },
    })
}

fn message(package: &Package, event: &Event, key: &str) -> Value {
    let urn = format!("urn:brainops:event:{}", event.routing_key());
    json!({
        "name": event.type_name,
        "title": event.message,
        "summary": event.summary,
        "contentType": "application/cloudevents+json",
        "payload": { "allOf": [
            { "$ref": "#/components/schemas/CloudEvent" },
            { "type": "object", "properties": {
                "type": { "const": event.type_name },
                "source": { "const": format!("/brainops/{}", package.service) },
                "dataschema": { "const": urn },
                "data": { "$ref": format!("#/components/schemas/{key}") },
            } },
        ] },
    })
}

/// Schema of `data`. Open for further properties: a new field may appear at any time.
fn payload(event: &Event) -> Value {
    let properties: Map<String, Value> = event.fields.iter().map(|f| (f.name.clone(), property(f))).collect();
    let required: Vec<&str> = event.fields.iter().filter(|f| !f.optional).map(|f| f.name.as_str()).collect();
    json!({
        "type": "object",
        "title": event.message,
        "description": event.summary,
        "properties": properties,
        "required": required,
        "additionalProperties": true,
    })
}

fn property(field: &Field) -> Value {
    let value = match field.kind {
        Kind::String => json!({ "type": "string" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int32 => json!({ "type": "integer", "format": "int32" }),
        Kind::Uint32 => json!({ "type": "integer", "format": "int32", "minimum": 0 }),
        Kind::Int64 => json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]+$" }),
        Kind::Double => json!({ "type": "number", "format": "double" }),
        Kind::Timestamp => json!({ "type": "string", "format": "date-time" }),
    };
    let mut schema = if field.repeated { json!({ "type": "array", "items": value }) } else { value };
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(field.doc));
    }
    schema
}

fn envelope() -> Value {
    let text = |description: &str| json!({ "type": "string", "minLength": 1, "description": description });
    let uuid = |description: &str| json!({ "type": "string", "format": "uuid", "description": description });
    json!({
        "type": "object",
        "title": "CloudEvent",
        "description": "The envelope of every event: CloudEvents 1.0, structured mode. Further attributes may appear.",
        "properties": {
            "specversion": { "const": "1.0", "description": "Version of CloudEvents." },
            "id": uuid("Unique id of the event (UUIDv7). A redelivery has the same one: deduplicate by it."),
            "source": text("The publishing service: `/brainops/<service>`."),
            "type": text("What happened: `brainops.<service>.<event>.v<number>`."),
            "subject": text("Id of the aggregate that the event is about."),
            "time": { "type": "string", "format": "date-time", "description": "When it happened: RFC 3339, UTC, ends in `Z`." },
            "datacontenttype": { "const": "application/json", "description": "Media type of `data`." },
            "dataschema": text("Name of the schema of `data`."),
            "orgid": uuid("Organization (tenant) it happened in. Absent for what belongs to no tenant."),
            "actorid": uuid("User or service account that caused it. Absent when the system acted by itself."),
            "traceparent": text("W3C trace context of the work that caused it. Absent when it was not traced."),
            "sequence": {
                "type": "string",
                "pattern": "^[0-9]{19}$",
                "description": "The aggregate's version after the event: 19 decimal digits with leading zeros, so that it sorts as text.",
            },
            "data": { "type": "object", "description": "The event's own fields." },
        },
        "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "sequence", "data"],
    })
}
