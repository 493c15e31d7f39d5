//! Where something of a person is.

use contracts::{OrgId, UserId};
use db::diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{Text, Uuid as SqlUuid},
};
use uuid::Uuid;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    org_id: Uuid,
}

/// The organizations that hold something of a person; runs as the system role.
pub fn organizations_of(conn: &mut PgConnection, user: UserId) -> QueryResult<Vec<OrgId>> {
    let rows: Vec<Row> = sql_query(
        "SELECT org_id FROM sessions WHERE subject = $1 UNION SELECT org_id FROM memories WHERE subject = $1 \
         UNION SELECT org_id FROM collections WHERE subject = $1 UNION SELECT org_id FROM extractions WHERE subject = $1",
    )
    .bind::<Text, _>(user.to_string())
    .load(conn)?;
    Ok(rows.into_iter().map(|row| OrgId::from_uuid(row.org_id)).collect())
}
