//! A batch of settled calls in one transaction: records, windows, leases, turns and events, each call exactly once however often
//! it is tried. The records decide: only a call whose record was not there before counts.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use contracts::{OrgId, Origin, QuotaId, ai::v1::QuotaThresholdReached};
use db::{diesel::PgConnection, outbox};
use kit::Ids;

use super::entry::Entry;
use crate::{
    domain::{quota::Quota, usage::UsageRecord, window::WindowKey},
    store::{
        leases::{self, AfterUse, Release, Use},
        quotas, turns, usage,
    },
};

/// Place of an event among those of its completion.
const FINISHED: i64 = 1;
const RECORDED: i64 = 2;
const REMEMBERED: i64 = 3;

/// Runs as the system role: a batch has calls of many organizations.
pub fn commit(conn: &mut PgConnection, ids: &dyn Ids, now: DateTime<Utc>, batch: &[Entry]) -> Result<(), db::Error> {
    let records: Vec<&UsageRecord> = batch.iter().map(|entry| &entry.record).collect();
    let new = usage::insert_new(conn, &records)?;
    let new: Vec<&Entry> = batch.iter().filter(|entry| new.contains(&entry.record.id)).collect();
    charge(conn, ids, now, &new)?;
    let said: Vec<_> = new.iter().filter_map(|entry| Some((&entry.record, entry.turn.as_ref()?))).collect();
    turns::insert_all(conn, &said)?;
    tell(conn, ids, &new)
}

fn charge(conn: &mut PgConnection, ids: &dyn Ids, now: DateTime<Utc>, new: &[&Entry]) -> Result<(), db::Error> {
    let mut concerned: Vec<QuotaId> = new.iter().flat_map(|entry| entry.quotas()).collect();
    if concerned.is_empty() {
        return Ok(());
    }
    concerned.sort_unstable();
    concerned.dedup();
    let found = quotas::existing(conn, &concerned)?;
    let known: HashMap<QuotaId, Quota> = found.into_iter().map(|quota| (quota.id, quota)).collect();

    // By key, which is the order in which everybody locks windows.
    let mut uses: BTreeMap<WindowKey, (OrgId, i64)> = BTreeMap::new();
    let mut releases: BTreeMap<uuid::Uuid, Release> = BTreeMap::new();
    for (entry, charge) in new.iter().flat_map(|entry| entry.charges.iter().map(move |charge| (entry, charge))) {
        if !known.contains_key(&charge.key.quota) {
            continue;
        }
        let (_, amount) = uses.entry(charge.key).or_insert((entry.org(), 0));
        *amount = amount.saturating_add(charge.used);
        let nothing = Release { key: charge.key, lease: charge.lease, amount: 0 };
        let release = releases.entry(charge.lease).or_insert(nothing);
        release.amount = release.amount.saturating_add(charge.released);
    }
    let uses: Vec<Use> = uses.into_iter().map(|(key, (org, amount))| Use { key, org, amount }).collect();
    for used in leases::add_used(conn, &uses)? {
        if let Some(quota) = known.get(&used.key.quota) {
            tell_thresholds(conn, ids, now, quota, used)?;
        }
    }
    Ok(leases::release(conn, &releases.into_values().collect::<Vec<_>>())?)
}

/// Each threshold once a window, which is locked.
fn tell_thresholds(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    now: DateTime<Utc>,
    quota: &Quota,
    AfterUse { key, org, used, notified_percent }: AfterUse,
) -> Result<(), db::Error> {
    let origin = Origin { actor: None, org: Some(org), traceparent: None, at: now };
    let window = quota.period.window(key.started_at);
    for percent in quota.newly_reached(used, notified_percent) {
        let event = QuotaThresholdReached {
            quota_id: quota.id.to_string(),
            organization_id: org.to_string(),
            threshold_percent: percent.into(),
            metric: quota.metric.as_str().to_owned(),
            limit: quota.limit,
            used,
            window_started_at: Some(window.started_at.into()),
            window_ends_at: Some(window.ends_at.into()),
            reached_at: Some(now.into()),
        };
        outbox::append(conn, ids, &origin, quota.version, &event)?;
        leases::note_threshold(conn, key, percent)?;
    }
    Ok(())
}

fn tell(conn: &mut PgConnection, ids: &dyn Ids, new: &[&Entry]) -> Result<(), db::Error> {
    let origin = |record: &UsageRecord| Origin {
        actor: Some(record.user.uuid()),
        org: Some(record.org),
        traceparent: record.traceparent.clone(),
        at: record.recorded_at,
    };
    let records = || new.iter().map(|entry| &entry.record);
    let finished = records().filter_map(|record| Some((origin(record), FINISHED, record.completion_finished()?)));
    outbox::append_all(conn, ids, finished)?;
    outbox::append_all(conn, ids, records().map(|record| (origin(record), RECORDED, record.usage_recorded())))?;
    let turns = new.iter().filter_map(|Entry { record, turn, .. }| {
        Some((origin(record), REMEMBERED, record.turn_finished(turn.as_ref()?)))
    });
    outbox::append_all(conn, ids, turns)?;
    Ok(())
}
