//! Rows of `quota_windows` and `quota_leases`: what is used of a window, and what replicas hold of it.
//!
//! Every transaction locks windows before leases, and windows in the order of their keys, so that none waits for another
//! in a circle. The sum of a window's leases and its `leased` change together.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use contracts::{OrgId, QuotaId};
use db::diesel::{
    self, OptionalExtension as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{Array, BigInt, Bool, Double, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::domain::window::WindowKey;

/// A window as it is at this moment, locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct WindowRow {
    #[diesel(sql_type = BigInt)]
    pub used: i64,
    #[diesel(sql_type = BigInt)]
    pub leased: i64,
    #[diesel(sql_type = Bool)]
    pub exceeded: bool,
}

/// Makes the window when there is none, and holds it until the end of the transaction.
pub fn lock_window(conn: &mut PgConnection, org: OrgId, key: WindowKey) -> QueryResult<WindowRow> {
    sql_query(
        "INSERT INTO quota_windows AS w (quota_id, subject_id, started_at, org_id) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (quota_id, subject_id, started_at) DO UPDATE SET used = w.used \
         RETURNING w.used, w.leased, w.exceeded_at IS NOT NULL AS exceeded",
    )
    .bind::<SqlUuid, _>(key.quota.uuid())
    .bind::<SqlUuid, _>(key.subject)
    .bind::<Timestamptz, _>(key.started_at)
    .bind::<SqlUuid, _>(org.uuid())
    .get_result(conn)
}

/// What a lease holds; `None` when it is not there (any more).
pub fn amount(conn: &mut PgConnection, lease: Uuid) -> QueryResult<Option<i64>> {
    use super::schema::quota_leases as t;
    use diesel::{ExpressionMethods as _, QueryDsl as _};
    t::table.find(lease).filter(t::amount.ge(0)).select(t::amount).first(conn).optional()
}

/// What is used and leased of windows; those that nobody used are not among them.
pub fn standings(conn: &mut PgConnection, keys: &[WindowKey]) -> QueryResult<HashMap<WindowKey, (i64, i64)>> {
    let rows: Vec<StandingRow> = sql_query(
        "SELECT w.quota_id, w.subject_id, w.started_at, w.used, w.leased FROM quota_windows w \
         JOIN unnest($1, $2, $3) AS k (quota_id, subject_id, started_at) USING (quota_id, subject_id, started_at)",
    )
    .bind::<Array<SqlUuid>, _>(column(keys, |key| key.quota.uuid()))
    .bind::<Array<SqlUuid>, _>(column(keys, |key| key.subject))
    .bind::<Array<Timestamptz>, _>(column(keys, |key| key.started_at))
    .load(conn)?;
    Ok(rows.into_iter().map(StandingRow::into_entry).collect())
}

/// The windows of one quota that began at `started_at`, by the subject they count, after `after`, at most `limit`.
pub fn of_quota(
    conn: &mut PgConnection,
    org: OrgId,
    quota: QuotaId,
    started_at: DateTime<Utc>,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<(WindowKey, (i64, i64))>> {
    let rows: Vec<StandingRow> = sql_query(
        "SELECT quota_id, subject_id, started_at, used, leased FROM quota_windows \
         WHERE org_id = $1 AND quota_id = $2 AND started_at = $3 AND ($4::uuid IS NULL OR subject_id > $4) \
         ORDER BY subject_id LIMIT $5",
    )
    .bind::<SqlUuid, _>(org.uuid())
    .bind::<SqlUuid, _>(quota.uuid())
    .bind::<Timestamptz, _>(started_at)
    .bind::<Nullable<SqlUuid>, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)?;
    Ok(rows.into_iter().map(StandingRow::into_entry).collect())
}

#[derive(QueryableByName)]
struct StandingRow {
    #[diesel(sql_type = SqlUuid)]
    quota_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    subject_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    started_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    used: i64,
    #[diesel(sql_type = BigInt)]
    leased: i64,
}

impl StandingRow {
    fn into_entry(self) -> (WindowKey, (i64, i64)) {
        let quota = QuotaId::from_uuid(self.quota_id);
        (WindowKey { quota, subject: self.subject_id, started_at: self.started_at }, (self.used, self.leased))
    }
}

/// Forgets the windows of a quota that is gone. Its leases expire.
pub fn delete_windows(conn: &mut PgConnection, quota: QuotaId) -> QueryResult<()> {
    use super::schema::quota_windows as t;
    use diesel::{ExpressionMethods as _, QueryDsl as _};
    diesel::delete(t::table.filter(t::quota_id.eq(quota.uuid()))).execute(conn).map(drop)
}

/// Adds `granted` to a lease (made when there is none) and lets it live for `life` from now. The window must be locked.
pub fn take(
    conn: &mut PgConnection,
    org: OrgId,
    key: WindowKey,
    lease: Uuid,
    granted: i64,
    life: Duration,
) -> QueryResult<()> {
    sql_query(
        "WITH lease AS ( \
             INSERT INTO quota_leases AS l (id, quota_id, subject_id, started_at, org_id, amount, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7)) \
             ON CONFLICT (id) DO UPDATE SET amount = l.amount + excluded.amount, expires_at = excluded.expires_at) \
         UPDATE quota_windows SET leased = leased + $6 WHERE quota_id = $2 AND subject_id = $3 AND started_at = $4",
    )
    .bind::<SqlUuid, _>(lease)
    .bind::<SqlUuid, _>(key.quota.uuid())
    .bind::<SqlUuid, _>(key.subject)
    .bind::<Timestamptz, _>(key.started_at)
    .bind::<SqlUuid, _>(org.uuid())
    .bind::<BigInt, _>(granted)
    .bind::<Double, _>(life.as_secs_f64())
    .execute(conn)
    .map(drop)
}

/// Notes when the first call was refused. The window must be locked.
pub fn note_exceeded(conn: &mut PgConnection, key: WindowKey, at: DateTime<Utc>) -> QueryResult<()> {
    use super::schema::quota_windows as t;
    use diesel::{ExpressionMethods as _, QueryDsl as _};
    diesel::update(t::table.find((key.quota.uuid(), key.subject, key.started_at)))
        .set(t::exceeded_at.eq(at))
        .execute(conn)
        .map(drop)
}

/// What was used of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub key: WindowKey,
    pub org: OrgId,
    pub amount: i64,
}

/// A window after something was used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterUse {
    pub key: WindowKey,
    pub org: OrgId,
    pub used: i64,
    pub notified_percent: u8,
}

#[derive(QueryableByName)]
struct UsedRow {
    #[diesel(sql_type = SqlUuid)]
    quota_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    subject_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    started_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    org_id: Uuid,
    #[diesel(sql_type = BigInt)]
    used: i64,
    #[diesel(sql_type = SmallInt)]
    notified_percent: i16,
}

/// Adds to what is used, each window once and in the order of keys, and holds them until the end of the transaction. A sum
/// past the largest integer stays there.
pub fn add_used(conn: &mut PgConnection, uses: &[Use]) -> QueryResult<Vec<AfterUse>> {
    let rows: Vec<UsedRow> = sql_query(
        "INSERT INTO quota_windows AS w (quota_id, subject_id, started_at, org_id, used) \
         SELECT * FROM unnest($1, $2, $3, $4, $5) \
         ON CONFLICT (quota_id, subject_id, started_at) \
         DO UPDATE SET used = least(w.used::numeric + excluded.used, 9223372036854775807)::bigint \
         RETURNING w.quota_id, w.subject_id, w.started_at, w.org_id, w.used, w.notified_percent",
    )
    .bind::<Array<SqlUuid>, _>(column(uses, |u| u.key.quota.uuid()))
    .bind::<Array<SqlUuid>, _>(column(uses, |u| u.key.subject))
    .bind::<Array<Timestamptz>, _>(column(uses, |u| u.key.started_at))
    .bind::<Array<SqlUuid>, _>(column(uses, |u| u.org.uuid()))
    .bind::<Array<BigInt>, _>(column(uses, |u| u.amount))
    .load(conn)?;
    Ok(rows.into_iter().map(AfterUse::from).collect())
}

impl From<UsedRow> for AfterUse {
    fn from(row: UsedRow) -> Self {
        let quota = QuotaId::from_uuid(row.quota_id);
        Self {
            key: WindowKey { quota, subject: row.subject_id, started_at: row.started_at },
            org: OrgId::from_uuid(row.org_id),
            used: row.used,
            notified_percent: u8::try_from(row.notified_percent).unwrap_or(u8::MAX),
        }
    }
}

/// Notes the highest soft threshold of which somebody was told. The window must be locked.
pub fn note_threshold(conn: &mut PgConnection, key: WindowKey, percent: u8) -> QueryResult<()> {
    use super::schema::quota_windows as t;
    use diesel::{ExpressionMethods as _, QueryDsl as _};
    diesel::update(t::table.find((key.quota.uuid(), key.subject, key.started_at)))
        .set(t::notified_percent.eq(i16::from(percent)))
        .execute(conn)
        .map(drop)
}

/// What of a lease is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    pub key: WindowKey,
    pub lease: Uuid,
    pub amount: i64,
}

/// Takes from leases what is no longer needed, each lease once, as far as they still are there and hold it. A lease that is
/// empty then stays for the next slice.
pub fn release(conn: &mut PgConnection, releases: &[Release]) -> QueryResult<()> {
    if releases.is_empty() {
        return Ok(());
    }
    lock_windows(conn, releases.iter().map(|release| release.key))?;
    sql_query(
        "WITH wish AS (SELECT * FROM unnest($1, $2) AS wish (id, amount)), \
         found AS ( \
             SELECT l.id, l.quota_id, l.subject_id, l.started_at, least(l.amount, wish.amount) AS amount \
             FROM quota_leases l JOIN wish ON wish.id = l.id ORDER BY l.id FOR UPDATE OF l), \
         shrunk AS (UPDATE quota_leases l SET amount = l.amount - found.amount FROM found WHERE found.id = l.id) \
         UPDATE quota_windows w SET leased = w.leased - back.amount \
         FROM (SELECT quota_id, subject_id, started_at, sum(amount)::bigint AS amount FROM found GROUP BY 1, 2, 3) back \
         WHERE w.quota_id = back.quota_id AND w.subject_id = back.subject_id AND w.started_at = back.started_at",
    )
    .bind::<Array<SqlUuid>, _>(column(releases, |r| r.lease))
    .bind::<Array<BigInt>, _>(column(releases, |r| r.amount))
    .execute(conn)
    .map(drop)
}

/// Lets leases live for `life` from now, and gives those that still were there.
pub fn renew(conn: &mut PgConnection, leases: &[Uuid], life: Duration) -> QueryResult<Vec<Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    // In one order, as everybody who locks several does.
    let rows: Vec<Row> = sql_query(
        "WITH mine AS (SELECT id FROM quota_leases WHERE id = ANY($1) ORDER BY id FOR UPDATE) \
         UPDATE quota_leases l SET expires_at = now() + make_interval(secs => $2) FROM mine WHERE mine.id = l.id \
         RETURNING l.id",
    )
    .bind::<Array<SqlUuid>, _>(leases)
    .bind::<Double, _>(life.as_secs_f64())
    .load(conn)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Deletes leases whose replica has not renewed them, at most `limit` at a time, and gives their slices back to the windows.
/// Gives how many there were.
pub fn sweep_expired(conn: &mut PgConnection, limit: i64) -> QueryResult<usize> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        quota_id: Uuid,
        #[diesel(sql_type = SqlUuid)]
        subject_id: Uuid,
        #[diesel(sql_type = Timestamptz)]
        started_at: DateTime<Utc>,
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let expired: Vec<Row> = sql_query(
        "SELECT id, quota_id, subject_id, started_at FROM quota_leases WHERE expires_at < now() \
         ORDER BY expires_at LIMIT $1",
    )
    .bind::<BigInt, _>(limit)
    .load(conn)?;
    let key = |row: &Row| WindowKey {
        quota: QuotaId::from_uuid(row.quota_id),
        subject: row.subject_id,
        started_at: row.started_at,
    };
    lock_windows(conn, expired.iter().map(key))?;
    // One that was renewed meanwhile stays.
    sql_query(
        "WITH gone AS ( \
             DELETE FROM quota_leases WHERE id = ANY($1) AND expires_at < now() \
             RETURNING quota_id, subject_id, started_at, amount) \
         UPDATE quota_windows w SET leased = w.leased - back.amount \
         FROM (SELECT quota_id, subject_id, started_at, sum(amount)::bigint AS amount FROM gone GROUP BY 1, 2, 3) back \
         WHERE w.quota_id = back.quota_id AND w.subject_id = back.subject_id AND w.started_at = back.started_at",
    )
    .bind::<Array<SqlUuid>, _>(column(&expired, |row| row.id))
    .execute(conn)?;
    Ok(expired.len())
}

/// Deletes windows that nobody will ask for again, at most `limit`: those of minutes after a day, of days and months after
/// 400 days. Gives how many. The usage itself stays in the records.
pub fn sweep_windows(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> QueryResult<usize> {
    sql_query(
        "DELETE FROM quota_windows WHERE ctid = ANY (ARRAY( \
             SELECT w.ctid FROM quota_windows w LEFT JOIN quotas q ON q.id = w.quota_id \
             WHERE w.started_at < $1::timestamptz - interval '1 day' \
                 AND (q.id IS NULL OR q.period = 'minute' OR w.started_at < $1::timestamptz - interval '400 days') \
             LIMIT $2 FOR UPDATE OF w SKIP LOCKED))",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(limit)
    .execute(conn)
}

fn lock_windows(conn: &mut PgConnection, keys: impl Iterator<Item = WindowKey>) -> QueryResult<()> {
    let mut keys: Vec<WindowKey> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    sql_query(
        "SELECT 1 FROM quota_windows w \
         JOIN unnest($1, $2, $3) AS k (quota_id, subject_id, started_at) USING (quota_id, subject_id, started_at) \
         ORDER BY quota_id, subject_id, started_at FOR UPDATE OF w",
    )
    .bind::<Array<SqlUuid>, _>(column(&keys, |key| key.quota.uuid()))
    .bind::<Array<SqlUuid>, _>(column(&keys, |key| key.subject))
    .bind::<Array<Timestamptz>, _>(column(&keys, |key| key.started_at))
    .execute(conn)
    .map(drop)
}

fn column<T, C>(rows: &[T], value: impl Fn(&T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}
