//! What is kept beside a vector, and a filter in its terms; the same for every engine.
//!
//! The payload holds what a [`Filter`] can ask for and nothing else, no text. Its meaning is [`Filter::accepts`] for
//! entries whose times are whole microseconds, as in Postgres.

use chrono::{DateTime, Utc};
use contracts::{OrgId, UserId};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::domain::{
    entry::Attributes,
    filter::{Filter, Reach},
};

pub(super) const ORG: &str = "org";
const HOLDER: &str = "holder";
const KIND: &str = "kind";
const SUBJECT: &str = "subject";
const AGENT: &str = "agent";
const SESSION: &str = "session";
const PROJECT: &str = "project";
const COLLECTION: &str = "collection";
const LABELS: &str = "labels";
const OCCURRED_AT: &str = "occurred_at_us";
const VALID_FROM: &str = "valid_from_us";
const VALID_TO: &str = "valid_to_us";
const EXPIRES_AT: &str = "expires_at_us";

/// How a field is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// A UUID that every query names.
    Tenant,
    Uuid,
    /// A text, compared as a whole; or several.
    Keyword,
    /// A whole number, asked for by range.
    Integer,
}

/// Every field of the payload.
pub(super) const FIELDS: [(&str, FieldKind); 13] = [
    (ORG, FieldKind::Tenant),
    (HOLDER, FieldKind::Keyword),
    (KIND, FieldKind::Keyword),
    (SUBJECT, FieldKind::Keyword),
    (AGENT, FieldKind::Keyword),
    (SESSION, FieldKind::Uuid),
    (PROJECT, FieldKind::Uuid),
    (COLLECTION, FieldKind::Uuid),
    (LABELS, FieldKind::Keyword),
    (OCCURRED_AT, FieldKind::Integer),
    (VALID_FROM, FieldKind::Integer),
    (VALID_TO, FieldKind::Integer),
    (EXPIRES_AT, FieldKind::Integer),
];

/// In [`HOLDER`], where a member has an id: what everybody in the organization shares, …
const SHARED: &str = "shared";
/// … and what is about an application's user.
const APPLICATION: &str = "application";

/// An end that never comes. Engines compare ranges as 64-bit floats, which are exact up to here.
const NEVER_US: i64 = (1 << 53) - 1;

/// A condition on one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// The field has this value, or has it among its values.
    Is(&'static str, String),
    /// It has one of these.
    AnyOf(&'static str, Vec<String>),
    /// One of these holds.
    Either(Vec<Condition>),
    /// It is at least this.
    AtLeast(&'static str, i64),
    /// It is at most this.
    AtMost(&'static str, i64),
    /// It is less than this.
    Below(&'static str, i64),
    /// It is more than this.
    Above(&'static str, i64),
}

/// The condition that no query goes without.
pub(super) fn of_org(org: OrgId) -> Condition {
    Condition::Is(ORG, org.to_string())
}

/// The conditions that together mean `filter`, the organization's first.
pub(super) fn conditions(filter: &Filter) -> Vec<Condition> {
    let holders = match filter.reach {
        Reach::Own(member) => vec![SHARED.to_owned(), member.to_string()],
        Reach::Applications(member) => vec![SHARED.to_owned(), APPLICATION.to_owned(), member.to_string()],
    };
    let text = |field, wanted: &Option<String>| wanted.clone().map(|text| Condition::Is(field, text));
    let subject = text(SUBJECT, &filter.subject).map(|of_subject| {
        let shared = Condition::Is(HOLDER, SHARED.to_owned());
        if filter.shared { Condition::Either(vec![of_subject, shared]) } else { of_subject }
    });
    let id = |field, wanted: Option<Uuid>| wanted.map(|id| Condition::Is(field, id.to_string()));
    let any = |field, wanted: Vec<String>| (!wanted.is_empty()).then_some(Condition::AnyOf(field, wanted));
    let optional = [
        any(KIND, filter.kinds.iter().map(|kind| kind.as_str().to_owned()).collect()),
        subject,
        text(AGENT, &filter.agent),
        id(SESSION, filter.session),
        id(PROJECT, filter.project),
        any(COLLECTION, filter.collections.iter().map(Uuid::to_string).collect()),
        filter.occurred_from.map(|from| Condition::AtLeast(OCCURRED_AT, rounded_up_us(from))),
        filter.occurred_to.map(|to| Condition::Below(OCCURRED_AT, rounded_up_us(to))),
    ];
    let always = [
        of_org(filter.org),
        Condition::AnyOf(HOLDER, holders),
        Condition::AtMost(VALID_FROM, us(filter.valid_at)),
        Condition::Above(VALID_TO, us(filter.valid_at)),
        Condition::Above(EXPIRES_AT, us(filter.now)),
    ];
    let labels = filter.labels.iter().map(|label| Condition::Is(LABELS, label.clone()));
    always.into_iter().chain(optional.into_iter().flatten()).chain(labels).collect()
}

/// The payload of an entry. What it does not have is left out.
pub(super) fn payload(entry: &Attributes) -> Map<String, Value> {
    let holder = match entry.subject.as_deref() {
        None => SHARED.to_owned(),
        Some(subject) => subject.parse::<UserId>().map_or_else(|_| APPLICATION.to_owned(), |member| member.to_string()),
    };
    let end_us = |end: Option<DateTime<Utc>>| end.map_or(NEVER_US, us);
    let given = [
        (SUBJECT, entry.subject.clone()),
        (AGENT, entry.agent.clone()),
        (SESSION, entry.session.map(|id| id.to_string())),
        (PROJECT, entry.project.map(|id| id.to_string())),
        (COLLECTION, entry.collection.map(|id| id.to_string())),
    ];
    let always = [
        (ORG, json!(entry.org)),
        (HOLDER, json!(holder)),
        (KIND, json!(entry.kind.as_str())),
        (LABELS, json!(entry.labels)),
        (OCCURRED_AT, json!(us(entry.occurred_at))),
        (VALID_FROM, json!(us(entry.valid_from))),
        (VALID_TO, json!(end_us(entry.valid_to))),
        (EXPIRES_AT, json!(end_us(entry.expires_at))),
    ];
    let given = given.into_iter().filter_map(|(field, value)| value.map(|value| (field, json!(value))));
    always.into_iter().chain(given).map(|(field, value)| (field.to_owned(), value)).collect()
}

/// Whole microseconds since 1970, rounded down. All that is past the year 2255 counts as one moment before
/// [`NEVER_US`].
fn us(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros().clamp(1 - NEVER_US, NEVER_US - 1)
}

/// As [`us`], rounded up: for limits that an entry's whole microseconds are compared with from above.
fn rounded_up_us(time: DateTime<Utc>) -> i64 {
    us(time) + i64::from(!time.timestamp_subsec_nanos().is_multiple_of(1000))
}
