//! Which ids name something already.

use std::collections::HashSet;

use contracts::OrgId;
use db::diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{Array, Uuid as SqlUuid},
};
use uuid::Uuid;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Those of these ids that name a session, a turn or a memory of the organization.
pub fn in_org(conn: &mut PgConnection, org: OrgId, ids: &[Uuid]) -> QueryResult<HashSet<Uuid>> {
    known(
        conn,
        "SELECT id FROM sessions WHERE org_id = $1 AND id = ANY($2) \
         UNION SELECT id FROM messages WHERE org_id = $1 AND id = ANY($2) \
         UNION SELECT id FROM memories WHERE org_id = $1 AND id = ANY($2)",
        org,
        ids,
    )
}

/// Those of these ids that name something of another organization. As the system role.
pub fn elsewhere(conn: &mut PgConnection, org: OrgId, ids: &[Uuid]) -> QueryResult<HashSet<Uuid>> {
    known(
        conn,
        "SELECT id FROM sessions WHERE org_id <> $1 AND id = ANY($2) \
         UNION SELECT id FROM messages WHERE org_id <> $1 AND id = ANY($2) \
         UNION SELECT id FROM memories WHERE org_id <> $1 AND id = ANY($2) \
         UNION SELECT memory_id FROM memory_history WHERE org_id <> $1 AND memory_id = ANY($2) \
         UNION SELECT id FROM entries WHERE org_id <> $1 AND id = ANY($2)",
        org,
        ids,
    )
}

fn known(conn: &mut PgConnection, sql: &str, org: OrgId, ids: &[Uuid]) -> QueryResult<HashSet<Uuid>> {
    let rows: Vec<Row> =
        sql_query(sql).bind::<SqlUuid, _>(org.uuid()).bind::<Array<SqlUuid>, _>(ids.to_vec()).load(conn)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
