//! The audit log: who did what to which, when and from where. Rows commit with the change they tell of and are never
//! changed afterwards; not even the system role may.

use std::net::IpAddr;

use contracts::{OrgId, Origin};
use diesel::prelude::*;
use kit::Ids;
use serde_json::Value;

use crate::{Error, schema::audit_log as table};

/// One line of the log, beside what its [`Origin`] says.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// What was done: `member.role_changed`.
    pub action: &'a str,
    /// The kind of thing it was done to: `membership`.
    pub subject_type: &'a str,
    /// Which one.
    pub subject_id: &'a str,
    /// Where the request came from; `None` for the system's own work.
    pub address: Option<IpAddr>,
    /// More to know, as a JSON object: what changed, from what to what. Never a secret.
    pub details: Value,
}

/// Adds a line in the current transaction. In a tenant's transaction the origin's organization must be that tenant or
/// none.
pub fn append(conn: &mut PgConnection, ids: &dyn Ids, origin: &Origin, entry: &Entry<'_>) -> Result<(), Error> {
    diesel::insert_into(table::table)
        .values((
            table::id.eq(ids.uuid()),
            table::at.eq(origin.at),
            table::org_id.eq(origin.org.map(OrgId::uuid)),
            table::actor_id.eq(origin.actor),
            table::action.eq(entry.action),
            table::subject_type.eq(entry.subject_type),
            table::subject_id.eq(entry.subject_id),
            table::address.eq(entry.address.map(|address| address.to_string())),
            table::trace_id.eq(origin.traceparent.as_deref().and_then(trace_id)),
            table::details.eq(&entry.details),
        ))
        .execute(conn)?;
    Ok(())
}

/// The trace id of a W3C `traceparent`: its second field, 32 hexadecimal digits.
fn trace_id(traceparent: &str) -> Option<&str> {
    let id = traceparent.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn the_trace_id_is_taken_from_a_well_formed_traceparent_only() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        for bad in ["", "00", "00-short-00f067aa0ba902b7-01", &format!("00-{}-x-01", "z".repeat(32))] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
