//! A settled call on its way to the database.

use contracts::{OrgId, QuotaId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::windows::Settled;
use crate::domain::{turn::Turn, usage::UsageRecord, window::WindowKey};

/// A call's record, what it takes out of quotas, and what was said if it is to be remembered. Also a line of the spool:
/// members are added, never renamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub record: UsageRecord,
    #[serde(default)]
    pub charges: Vec<Charge>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

/// What a call takes out of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    #[serde(flatten)]
    pub key: WindowKey,
    pub used: i64,
    /// The lease that the call was admitted from, and how much of it the call uses.
    pub lease: Uuid,
    pub released: i64,
}

impl From<Settled> for Charge {
    fn from(Settled { key, lease, used, released }: Settled) -> Self {
        Self { key, used, lease, released }
    }
}

impl Charge {
    pub fn settled(&self) -> Settled {
        Settled { key: self.key, lease: self.lease, used: self.used, released: self.released }
    }
}

impl Entry {
    pub fn org(&self) -> OrgId {
        self.record.org
    }

    pub fn quotas(&self) -> impl Iterator<Item = QuotaId> {
        self.charges.iter().map(|charge| charge.key.quota)
    }
}
