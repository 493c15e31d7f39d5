//! The envelope: what is written, what is read, what is refused.

use chrono::{TimeZone, Utc};
use contracts::{
    CloudEvent, DecodeError, EnvelopeError, Event, Origin, auth::v1::UserRegistered, users::v1::ProfileUpdated,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::samples;

fn origin() -> Origin {
    Origin {
        actor: Some(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057)),
        org: Some("01890a5d-ac97-7b2c-9d0e-1f2a3b4c5d6e".parse().unwrap()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        at: Utc.with_ymd_and_hms(2031, 4, 5, 6, 7, 8).unwrap(),
    }
}

fn envelope() -> CloudEvent {
    let id = "01890a5d-ac98-7c00-8000-000000000001".parse().unwrap();
    CloudEvent::new(id, &origin(), 1, &samples::user_registered()).unwrap()
}

fn wire() -> Value {
    serde_json::to_value(envelope()).unwrap()
}

fn read(wire: &Value) -> Result<CloudEvent, EnvelopeError> {
    CloudEvent::from_json(wire.to_string().as_bytes())
}

/// The message of the guide (docs/events.md) is this one, word for word.
#[test]
fn a_whole_message() {
    insta::assert_json_snapshot!("whole_message", envelope());
    let guide = include_str!("../../../../docs/events.md");
    let example = serde_json::to_string_pretty(&envelope()).unwrap();
    assert!(guide.contains(&example), "docs/events.md must show this message:\n{example}");
}

#[test]
fn what_is_written_is_read_back() {
    let written = envelope().to_json().unwrap();
    let read = CloudEvent::from_json(&written).unwrap();
    assert_eq!(read, envelope());
    assert_eq!(serde_json::from_slice::<CloudEvent>(&written).unwrap(), envelope());
    assert_eq!((read.service(), read.routing_key()), ("auth", "auth.user_registered.v1"));
    assert_eq!(read.decode::<UserRegistered>().unwrap(), samples::user_registered());
}

#[test]
fn an_event_of_the_system_has_no_tenant_no_actor_and_no_trace() {
    let at = origin().at;
    let id = envelope().id;
    let event = CloudEvent::new(id, &Origin::system(at), 0, &samples::signing_key_rotated()).unwrap();
    let wire = serde_json::to_value(&event).unwrap();
    for absent in ["orgid", "actorid", "traceparent"] {
        assert!(wire.get(absent).is_none(), "{absent} must be absent, not null: {wire}");
    }
    assert_eq!(read(&wire).unwrap(), event);
}

#[test]
fn the_required_attributes_are_required() {
    let required =
        ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "sequence", "data"];
    for name in required {
        let mut wire = wire();
        wire.as_object_mut().unwrap().remove(name).unwrap();
        let error = read(&wire).unwrap_err();
        assert!(matches!(&error, EnvelopeError::Json(cause) if cause.to_string().contains(name)), "{name}: {error:?}");
    }
}

#[test]
fn wrong_attributes_are_refused_by_name() {
    let wrong = [
        ("specversion", json!("0.3")),
        ("source", json!("/brainops/users")),
        ("source", json!("auth")),
        ("type", json!("com.example.thing")),
        ("type", json!("brainops.auth.user_registered")),
        ("type", json!("brainops.auth.user_registered.v0")),
        ("type", json!("brainops.auth.user_registered.v+1")),
        ("type", json!("brainops.auth.UserRegistered.v1")),
        ("type", json!("brainops.auth.user_registered.v1.x")),
        ("type", json!("brainops..user_registered.v1")),
        ("subject", json!("")),
        ("datacontenttype", json!("text/plain")),
        ("dataschema", json!("urn:brainops:event:auth.user_registered.v2")),
        ("sequence", json!("42")),
        ("sequence", json!("000000000000000-042")),
        ("sequence", json!("9999999999999999999")),
        ("data", json!([1])),
        ("data", json!("text")),
    ];
    for (name, value) in wrong {
        let mut wire = wire();
        wire[name] = value.clone();
        let error = read(&wire).unwrap_err();
        assert!(
            matches!(error, EnvelopeError::Attribute { attribute, .. } if attribute == name),
            "{name} = {value}: {error:?}"
        );
        assert!(serde_json::from_value::<CloudEvent>(wire).is_err());
    }
    for (name, value) in
        [("id", json!("1")), ("time", json!("yesterday")), ("sequence", json!(42)), ("orgid", json!("x"))]
    {
        let mut wire = wire();
        wire[name] = value.clone();
        assert!(matches!(read(&wire), Err(EnvelopeError::Json(_))), "{name} = {value}");
    }
    for body in [&b""[..], b"{}", b"[]", b"null", b"\xff\xfe", b"{\"specversion\":"] {
        assert!(matches!(CloudEvent::from_json(body), Err(EnvelopeError::Json(_))), "{body:?}");
    }
}

#[test]
fn an_unknown_extension_is_skipped() {
    let mut wire = wire();
    wire["partitionkey"] = json!("x");
    assert_eq!(read(&wire).unwrap(), envelope());
}

#[test]
fn a_payload_is_read_only_as_what_it_is() {
    let error = envelope().decode::<ProfileUpdated>().unwrap_err();
    assert!(matches!(error, DecodeError::Type { expected: ProfileUpdated::TYPE, .. }), "{error:?}");

    let mut broken = envelope();
    broken.data["registered_at"] = json!("yesterday");
    let error = broken.decode::<UserRegistered>().unwrap_err();
    assert!(matches!(error, DecodeError::Data(UserRegistered::TYPE, _)), "{error:?}");
}

#[test]
fn a_negative_sequence_is_never_published() {
    let mut event = envelope();
    event.sequence = -1;
    assert!(event.to_json().is_err());
}

#[test]
fn time_is_utc_with_z() {
    assert_eq!(wire()["time"], "2031-04-05T06:07:08Z");
    let mut elsewhere = wire();
    elsewhere["time"] = json!("2031-04-05T08:07:08+02:00");
    assert_eq!(read(&elsewhere).unwrap(), envelope());
}

proptest! {
    #[test]
    fn sequences_sort_as_text(a in 0..i64::MAX, b in 0..i64::MAX) {
        let text = |sequence| {
            let wire = serde_json::to_value(CloudEvent { sequence, ..envelope() }).unwrap();
            assert_eq!(read(&wire).unwrap().sequence, sequence);
            wire["sequence"].as_str().unwrap().to_owned()
        };
        prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
    }

    #[test]
    fn no_body_makes_reading_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(CloudEvent::from_json(&body).is_err());
    }

    #[test]
    fn no_type_makes_reading_panic(name in "[a-z_.0-9é]{0,20}", version in "[v0-9]{0,12}") {
        let mut wire = wire();
        wire["type"] = json!(format!("brainops.auth.{name}.{version}"));
        prop_assert!(read(&wire).is_err(), "dataschema still names another type");
    }
}
