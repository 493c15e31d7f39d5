//! Taking more of a window out of the database, in one transaction of the organization.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use contracts::{OrgId, Origin, ai::v1::QuotaExceeded};
use db::{diesel::PgConnection, outbox};
use kit::Ids;
use uuid::Uuid;

use super::slice::View;
use crate::{
    domain::{
        quota::{self, Quota},
        window::{Window, WindowKey},
    },
    store::{leases, quotas},
};

/// Whether somebody waits for a take.
#[derive(Clone, Copy)]
pub enum Need {
    /// A call that needs so much.
    Now(i64),
    /// Nobody yet.
    Soon,
}

/// A take as the database sees it.
pub struct Take {
    pub key: WindowKey,
    pub org: OrgId,
    pub window: Window,
    pub lease: Uuid,
    pub held: i64,
    pub need: Need,
    pub wanted: i64,
    pub life: Duration,
    pub now: DateTime<Utc>,
    pub ids: Arc<dyn Ids>,
}

pub enum Answer {
    /// `found`: what the lease held beyond what we knew.
    Granted {
        granted: i64,
        found: i64,
        view: View,
    },
    UsedUp(View),
    /// The lease is not there any more.
    Lost,
    /// The quota is not there any more, or is disabled.
    Lifted,
}

impl Take {
    pub fn run(&self, conn: &mut PgConnection) -> Result<Answer, db::Error> {
        let Some(quota) = quotas::find(conn, self.org, self.key.quota)?.filter(|quota| quota.enabled) else {
            return Ok(Answer::Lifted);
        };
        let window = leases::lock_window(conn, self.org, self.key)?;
        let found = leases::amount(conn, self.lease)?;
        if found.is_none() && self.held > 0 {
            return Ok(Answer::Lost);
        }
        let found = found.unwrap_or_default() - self.held;
        let least = match self.need {
            Need::Now(amount) => amount,
            Need::Soon => 1,
        };
        let granted = quota::slice(quota.limit, window.used, window.leased, least, self.wanted);
        let rest = quota.limit.saturating_sub(window.used).saturating_sub(window.leased).saturating_sub(granted);
        let view = View { limit: quota.limit, used: window.used, rest };
        if granted == 0 && found <= 0 && least > 0 {
            if !window.exceeded && matches!(self.need, Need::Now(_)) {
                self.tell_exceeded(conn, &quota, window.used)?;
            }
            return Ok(Answer::UsedUp(view));
        }
        leases::take(conn, self.org, self.key, self.lease, granted, self.life)?;
        Ok(Answer::Granted { granted, found, view })
    }

    /// Once a window, which is locked.
    fn tell_exceeded(&self, conn: &mut PgConnection, quota: &Quota, used: i64) -> Result<(), db::Error> {
        leases::note_exceeded(conn, self.key, self.now)?;
        let event = QuotaExceeded {
            quota_id: quota.id.to_string(),
            organization_id: self.org.to_string(),
            metric: quota.metric.as_str().to_owned(),
            limit: quota.limit,
            used,
            window_started_at: Some(self.window.started_at.into()),
            window_ends_at: Some(self.window.ends_at.into()),
            exceeded_at: Some(self.now.into()),
        };
        let origin =
            Origin { actor: None, org: Some(self.org), traceparent: kit::telemetry::traceparent(), at: self.now };
        outbox::append(conn, &*self.ids, &origin, quota.version, &event).map(drop)
    }
}
