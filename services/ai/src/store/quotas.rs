//! Rows of `quotas`.

use chrono::{DateTime, Utc};
use contracts::{OrgId, QuotaId};
use db::diesel::{self, pg::Pg, prelude::*};
use uuid::Uuid;

use super::{schema::quotas, unreadable};
use crate::domain::{
    quota::{Metric, Quota, Subject, SubjectKind},
    window::Period,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = quotas)]
struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    name: Option<String>,
    subject: String,
    subject_id: Option<Uuid>,
    model: Option<String>,
    period: String,
    metric: String,
    limit_amount: i64,
    thresholds: Vec<i16>,
    enabled: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Quota {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> QueryResult<Self> {
        let subject = SubjectKind::ALL.into_iter().find(|subject| subject.as_str() == row.subject);
        let period = Period::ALL.into_iter().find(|period| period.as_str() == row.period);
        let metric = Metric::ALL.into_iter().find(|metric| metric.as_str() == row.metric);
        Ok(Self {
            id: QuotaId::from_uuid(row.id),
            org: row.org_id.map(OrgId::from_uuid),
            name: row.name,
            subject: Subject::new(subject.ok_or_else(|| unreadable("subject of a quota"))?, row.subject_id),
            model: row.model,
            period: period.ok_or_else(|| unreadable("period of a quota"))?,
            metric: metric.ok_or_else(|| unreadable("metric of a quota"))?,
            limit: row.limit_amount,
            thresholds: row.thresholds.into_iter().filter_map(|percent| u8::try_from(percent).ok()).collect(),
            enabled: row.enabled,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&Quota> for Row {
    fn from(quota: &Quota) -> Self {
        Self {
            id: quota.id.uuid(),
            org_id: quota.org.map(OrgId::uuid),
            name: quota.name.clone(),
            subject: quota.subject.kind().as_str().to_owned(),
            subject_id: quota.subject.id(),
            model: quota.model.clone(),
            period: quota.period.as_str().to_owned(),
            metric: quota.metric.as_str().to_owned(),
            limit_amount: quota.limit,
            thresholds: quota.thresholds.iter().map(|percent| i16::from(*percent)).collect(),
            enabled: quota.enabled,
            version: quota.version,
            created_at: quota.created_at,
            updated_at: quota.updated_at,
        }
    }
}

/// Those of an organization and of the installation, except for what the installation sets for another organization.
fn visible<'a>(org: OrgId) -> quotas::BoxedQuery<'a, Pg> {
    let own = quotas::org_id.eq(org.uuid());
    let any = quotas::org_id.is_null().and(quotas::subject_id.is_null());
    let meant = quotas::org_id.is_null().and(quotas::subject_id.eq(org.uuid()).assume_not_null());
    quotas::table.filter(own.assume_not_null().or(any).or(meant)).into_boxed()
}

/// Every enabled quota that may concern calls in `org`, in the order in which reservations go: by id.
pub fn in_force(conn: &mut PgConnection, org: OrgId) -> QueryResult<Vec<Quota>> {
    load(conn, visible(org).filter(quotas::enabled).order(quotas::id))
}

/// Every quota that an organization can see, the oldest first.
pub fn list(conn: &mut PgConnection, org: OrgId) -> QueryResult<Vec<Quota>> {
    load(conn, visible(org).order((quotas::created_at, quotas::id)))
}

fn load(conn: &mut PgConnection, query: quotas::BoxedQuery<'_, Pg>) -> QueryResult<Vec<Quota>> {
    let rows: Vec<Row> = query.select(Row::as_select()).load(conn)?;
    rows.into_iter().map(Quota::try_from).collect()
}

/// A quota that concerns calls in `org`, whoever set it; `None` also for one of another organization.
pub fn find(conn: &mut PgConnection, org: OrgId, id: QuotaId) -> QueryResult<Option<Quota>> {
    let found = visible(org).filter(quotas::id.eq(id.uuid())).select(Row::as_select()).first(conn).optional()?;
    found.map(Quota::try_from).transpose()
}

/// A quota of `owner` (`None`: the installation), held until the end of the transaction.
pub fn lock(conn: &mut PgConnection, owner: Option<OrgId>, id: QuotaId) -> QueryResult<Option<Quota>> {
    let found = quotas::table
        .find(id.uuid())
        .filter(quotas::org_id.is_not_distinct_from(owner.map(OrgId::uuid)))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .optional()?;
    found.map(Quota::try_from).transpose()
}

/// How many quotas `owner` has.
pub fn count(conn: &mut PgConnection, owner: Option<OrgId>) -> QueryResult<i64> {
    quotas::table.filter(quotas::org_id.is_not_distinct_from(owner.map(OrgId::uuid))).count().get_result(conn)
}

/// The quotas among `ids` that still exist. For the system's own transactions.
pub fn existing(conn: &mut PgConnection, ids: &[QuotaId]) -> QueryResult<Vec<Quota>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = quotas::table.filter(quotas::id.eq_any(ids)).select(Row::as_select()).load(conn)?;
    rows.into_iter().map(Quota::try_from).collect()
}

pub fn insert(conn: &mut PgConnection, quota: &Quota) -> QueryResult<()> {
    diesel::insert_into(quotas::table).values(Row::from(quota)).execute(conn).map(drop)
}

/// Writes what can be changed.
pub fn update(conn: &mut PgConnection, quota: &Quota) -> QueryResult<()> {
    let Row { name, limit_amount, thresholds, enabled, version, updated_at, .. } = Row::from(quota);
    diesel::update(quotas::table.find(quota.id.uuid()))
        .set((
            quotas::name.eq(name),
            quotas::limit_amount.eq(limit_amount),
            quotas::thresholds.eq(thresholds),
            quotas::enabled.eq(enabled),
            quotas::version.eq(version),
            quotas::updated_at.eq(updated_at),
        ))
        .execute(conn)
        .map(drop)
}

pub fn delete(conn: &mut PgConnection, id: QuotaId) -> QueryResult<()> {
    diesel::delete(quotas::table.find(id.uuid())).execute(conn).map(drop)
}
