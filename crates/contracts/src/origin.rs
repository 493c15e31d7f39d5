//! Who caused a change.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::OrgId;

/// Who caused a change, where and when; every event is stamped with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The user or service account that acted; `None` when the system acted by itself.
    pub actor: Option<Uuid>,
    /// The organization (tenant) it happened in; `None` for what belongs to no tenant.
    pub org: Option<OrgId>,
    /// W3C trace context of the work that caused the change.
    pub traceparent: Option<String>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

impl Origin {
    /// The system itself acted, outside every tenant: timers, sweeps, key rotation.
    pub fn system(at: DateTime<Utc>) -> Self {
        Self { actor: None, org: None, traceparent: None, at }
    }
}
