//! Entries and filters to test with.

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use contracts::{OrgId, UserId};
use rand::{RngExt as _, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use crate::{
    domain::{
        entry::{Attributes, EntryId, Kind},
        filter::{Filter, Reach},
    },
    vectors::{Change, Query, Space},
};

pub(super) fn space(id: i32, dimension: usize) -> Space {
    Space { id, dimension: NonZeroUsize::new(dimension).unwrap() }
}

pub(super) fn org(number: u128) -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_00aa_0000 + number))
}

pub(super) fn member(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_00bb_0000 + number))
}

pub(super) fn entry(number: usize) -> EntryId {
    EntryId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number as u128))
}

/// So many microseconds after an arbitrary moment.
pub(super) fn at_us(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_790_000_000_000_000 + us).unwrap()
}

/// Shared by the organization, and valid for good.
pub(super) fn attributes(org: OrgId) -> Attributes {
    Attributes {
        org,
        kind: Kind::Message,
        subject: None,
        agent: None,
        session: None,
        project: None,
        collection: None,
        document: None,
        labels: Vec::new(),
        occurred_at: at_us(0),
        valid_from: at_us(0),
        valid_to: None,
        expires_at: None,
    }
}

/// Everything that member 1 can see.
pub(super) fn all_of(org: OrgId) -> Filter {
    Filter {
        org,
        reach: Reach::Applications(member(1)),
        kinds: Vec::new(),
        subject: None,
        shared: false,
        agent: None,
        session: None,
        project: None,
        collections: Vec::new(),
        labels: Vec::new(),
        occurred_from: None,
        occurred_to: None,
        valid_at: at_us(1_000_000),
        now: at_us(1_000_000),
    }
}

pub(super) fn exactly(vector: Vec<f32>, filter: Filter, limit: usize) -> Query {
    Query { vector, filter, limit, exact: true }
}

pub(super) fn upsert(number: usize, org: OrgId, vector: Vec<f32>) -> Change {
    Change::Upsert { id: entry(number), attributes: attributes(org), vector }
}

pub(super) fn delete(number: usize, org: OrgId) -> Change {
    Change::Delete { org, id: entry(number) }
}

pub(super) fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub(super) fn vector(rng: &mut StdRng, dimension: usize) -> Vec<f32> {
    (0..dimension).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A vector near one of `centres`.
pub(super) fn near(rng: &mut StdRng, centres: &[Vec<f32>]) -> Vec<f32> {
    let centre = &centres[rng.random_range(0..centres.len())];
    centre.iter().map(|number| number + rng.random_range(-0.35..0.35)).collect()
}
