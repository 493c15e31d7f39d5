//! What every change of a provider or model has in common: in whose name it is made, and where it is noted.

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use contracts::{OrgId, Origin, ai::v1::ModelChanged};
use db::{Scope, audit, diesel::PgConnection, outbox};
use kit::{Ids, Principal};
use serde_json::Value;

use crate::{
    domain::{access::MayChange, model::ModelRecord},
    error::Error,
    state::AppState,
};

/// A change on its way. What belongs to an organization is changed in its name; what belongs to the installation by the
/// system role, since row level security lets no organization write it.
#[derive(Clone)]
pub(super) struct Change {
    allowed: MayChange,
    pub ids: Arc<dyn Ids>,
    origin: Origin,
    address: Option<IpAddr>,
}

impl Change {
    pub fn new(state: &AppState, who: &Principal, allowed: MayChange) -> Self {
        let (ids, origin) = (Arc::clone(&state.ids), who.origin(&*state.clock));
        Self { allowed, ids, origin, address: who.address }
    }

    /// The organization, or `None` for the installation.
    pub fn owner(&self) -> Option<OrgId> {
        self.allowed.owner()
    }

    /// When it is made.
    pub fn at(&self) -> DateTime<Utc> {
        self.origin.at
    }

    /// Where it is made.
    pub fn scope(&self, state: &AppState) -> Scope {
        match self.owner() {
            Some(org) => state.db.tenant(org),
            None => state.db.system("installation"),
        }
    }

    /// Tells everybody about the model, which may be of the whole installation.
    pub fn publish(&self, conn: &mut PgConnection, model: &ModelRecord, event: &ModelChanged) -> Result<(), Error> {
        let origin = Origin { org: self.owner(), ..self.origin.clone() };
        outbox::append(conn, &*self.ids, &origin, model.version, event)?;
        Ok(())
    }

    /// Adds a line to the audit log of the caller's organization, also for what belongs to the installation: its operators
    /// answer for it.
    pub fn note(
        &self,
        conn: &mut PgConnection,
        action: &str,
        (subject_type, subject_id): (&str, &str),
        details: Value,
    ) -> Result<(), Error> {
        let entry = audit::Entry { action, subject_type, subject_id, address: self.address, details };
        Ok(audit::append(conn, &*self.ids, &self.origin, &entry)?)
    }
}
