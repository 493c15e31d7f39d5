//! Every event type has a snapshot of its JSON, an entry in the AsyncAPI document, and reads what newer producers write.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use contracts::{CATALOGUE, routing_key};
use serde_json::Value;

use crate::samples::{self, Sample};

fn by_key() -> BTreeMap<&'static str, Sample> {
    let samples = samples::all();
    let count = samples.len();
    let map: BTreeMap<_, _> = samples.into_iter().map(|sample| (routing_key(sample.event_type), sample)).collect();
    assert_eq!(map.len(), count, "two samples of one event type");
    map
}

#[test]
fn every_event_type_has_a_sample_and_a_snapshot() {
    let catalogue: BTreeSet<&str> = CATALOGUE.iter().map(|kind| routing_key(kind.event_type)).collect();
    assert_eq!(catalogue.len(), CATALOGUE.len(), "an event type is listed twice");
    assert_eq!(by_key().into_keys().collect::<BTreeSet<_>>(), catalogue, "samples.rs and the catalogue differ");
    for (key, sample) in by_key() {
        // The JSON of an event is a promise to every consumer: a difference here is a new field or a breaking change.
        insta::assert_json_snapshot!(key, sample.json);
    }
}

#[test]
fn no_snapshot_outlives_its_event() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots");
    let events = by_key();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(key) = name.strip_prefix("it__events__").and_then(|rest| rest.strip_suffix(".snap")) {
            assert!(events.contains_key(key), "{name} belongs to no event");
        }
    }
}

#[test]
fn samples_fill_every_field_of_the_published_schema() {
    let document: Value = serde_json::from_str(include_str!("../../../../docs/asyncapi.json")).unwrap();
    for (key, sample) in by_key() {
        let schema = &document["components"]["schemas"][key.replace('.', "_")];
        let described: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let written: BTreeSet<&String> = sample.json.as_object().unwrap().keys().collect();
        assert_eq!(written, described, "{key}");
        assert_eq!(document["channels"][key.replace('.', "_")]["address"], key);
        for (name, value) in sample.json.as_object().unwrap() {
            let empty = value.is_null()
                || value == ""
                || value == 0
                || value == &Value::Bool(false)
                || value == &Value::Array(vec![]);
            assert!(!empty, "{key}: the sample must give {name} a value that is not the default");
        }
    }
}

#[test]
fn the_subject_is_the_id_of_the_aggregate() {
    for kind in CATALOGUE {
        let sample = &by_key()[routing_key(kind.event_type)];
        assert_eq!(sample.json[format!("{}_id", kind.aggregate)], sample.subject, "{}", kind.event_type);
        assert_eq!(sample.service, kind.service);
        assert!(kind.event_type.starts_with(&format!("brainops.{}.", kind.service)));
        assert!(kind.summary.ends_with('.'), "{}: {}", kind.event_type, kind.summary);
    }
}

#[test]
fn a_field_that_a_newer_producer_added_is_skipped() {
    for (key, sample) in by_key() {
        let mut json = sample.json.clone();
        json["added_in_the_year_2040"] = serde_json::json!({ "deep": [1, 2, 3] });
        assert_eq!((sample.read_and_write)(json), Ok(sample.json), "{key}");
    }
}

#[test]
fn a_field_that_an_older_producer_lacks_has_its_default() {
    for (key, sample) in by_key() {
        let read = (sample.read_and_write)(serde_json::json!({}));
        assert!(read.is_ok(), "{key}: {read:?}");
    }
}

#[test]
fn both_spellings_of_proto3_json_are_read() {
    let camel = serde_json::json!({ "userId": "u", "displayName": "D" });
    let event: contracts::auth::v1::UserRegistered = serde_json::from_value(camel).unwrap();
    assert_eq!((event.user_id.as_str(), event.display_name.as_str()), ("u", "D"));
}

#[test]
fn a_field_twice_or_of_another_kind_is_refused() {
    let read = serde_json::from_str::<contracts::auth::v1::UserRegistered>;
    assert!(read(r#"{"user_id":"a","user_id":"b"}"#).is_err());
    assert!(read(r#"{"user_id":7}"#).is_err());
    assert!(read(r#"{"registered_at":"yesterday"}"#).is_err());
}
