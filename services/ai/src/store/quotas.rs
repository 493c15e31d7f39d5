//! Rows of `quotas`.

use chrono::{DateTime, Utc};
use contracts::{OrgId, QuotaId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::{schema::quotas, unreadable};
use crate::domain::{
    quota::{Metric, Quota, Subject},
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
        let period = Period::ALL.into_iter().find(|period| period.as_str() == row.period);
        let metric = Metric::ALL.into_iter().find(|metric| metric.as_str() == row.metric);
        Ok(Self {
            id: QuotaId::from_uuid(row.id),
            org: row.org_id.map(OrgId::from_uuid),
            name: row.name,
            subject: Subject::new(&row.subject, row.subject_id).ok_or_else(|| unreadable("subject of a quota"))?,
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
            subject: quota.subject.kind().to_owned(),
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

/// Every enabled quota that may concern calls in `org`, in the order in which reservations go: by id.
pub fn in_force(conn: &mut PgConnection, org: OrgId) -> QueryResult<Vec<Quota>> {
    let own = quotas::org_id.eq(org.uuid()).or(quotas::org_id.is_null());
    let rows: Vec<Row> =
        quotas::table.filter(own).filter(quotas::enabled).order(quotas::id).select(Row::as_select()).load(conn)?;
    rows.into_iter().map(Quota::try_from).collect()
}

/// A quota that concerns calls in `org`, whoever set it; `None` also for one of another organization.
pub fn find(conn: &mut PgConnection, org: OrgId, id: QuotaId) -> QueryResult<Option<Quota>> {
    quotas::table
        .find(id.uuid())
        .filter(quotas::org_id.eq(org.uuid()).or(quotas::org_id.is_null()))
        .select(Row::as_select())
        .first(conn)
        .optional()?
        .map(Quota::try_from)
        .transpose()
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
