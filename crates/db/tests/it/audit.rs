//! The audit log: added to and read, never changed.

use contracts::{OrgId, Origin};
use db::{
    Error,
    audit::{self, Entry},
    diesel::PgConnection,
};
use kit::RandomIds;
use uuid::Uuid;

use crate::support::*;

fn append(c: &mut PgConnection, org: Option<OrgId>, actor: Option<Uuid>) -> Result<(), Error> {
    let traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    let origin = Origin { actor, traceparent, ..origin(org) };
    let entry = Entry {
        action: "member.role_changed",
        subject_type: "membership",
        subject_id: "m-1",
        address: Some("203.0.113.7".parse().unwrap()),
        details: serde_json::json!({"from": "viewer", "to": "admin"}),
    };
    audit::append(c, &RandomIds, &origin, &entry)
}

fn lines(c: &mut PgConnection) -> Result<i64, Error> {
    Ok(number(c, "SELECT count(*) FROM audit_log")?)
}

#[tokio::test]
async fn organizations_and_people_read_their_own_lines() {
    const LINE: &str = "SELECT concat_ws('|', action, address, trace_id, details->>'to') FROM audit_log";
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, umbrella, ann, bob) = (org(), org(), user(), user());
    db.tenant(acme).tx(move |c| append(c, Some(acme), Some(ann.uuid()))).await.unwrap();
    db.person(ann).tx(move |c| append(c, None, Some(ann.uuid()))).await.unwrap();
    db.person(ann).tx(move |c| append(c, Some(umbrella), Some(ann.uuid()))).await.unwrap();
    assert_eq!(db.tenant(acme).tx(lines).await.unwrap(), 1);
    assert_eq!(db.tenant(umbrella).tx(lines).await.unwrap(), 1);
    assert_eq!(db.person(ann).tx(lines).await.unwrap(), 1);
    assert_eq!(db.person(bob).tx(lines).await.unwrap(), 0);
    assert_eq!(db.system("test").tx(lines).await.unwrap(), 3);
    let forged = db.tenant(acme).tx(move |c| append(c, Some(umbrella), None)).await;
    assert!(matches!(&forged, Err(Error::Query(e)) if e.to_string().contains("row-level security")), "{forged:?}");
    let line = db.tenant(acme).tx(|c| Ok::<_, Error>(text(c, LINE)?)).await.unwrap();
    assert_eq!(line, "member.role_changed|203.0.113.7|4bf92f3577b34da6a3ce929d0e0e4736|admin");
}
