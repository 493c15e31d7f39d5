//! A statement with all of its rows in one parameter.

use diesel::{
    pg::Pg,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Jsonb, Uuid},
};
use serde::Serialize;
use serde_json::Value;

/// A statement whose one parameter `$1` is a JSON array of rows, for `jsonb_populate_recordset`; it may return ids.
///
/// One with a parameter for each value would be long to parse, and another for each number of rows. This one stays
/// prepared on its connection, which `sql_query` never does.
#[must_use]
pub struct OfRows {
    sql: &'static str,
    rows: Value,
}

impl OfRows {
    /// # Errors
    /// When a row cannot be written as JSON.
    pub fn new(sql: &'static str, rows: &[impl Serialize]) -> serde_json::Result<Self> {
        Ok(Self { sql, rows: serde_json::to_value(rows)? })
    }
}

impl QueryFragment<Pg> for OfRows {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (before, after) = self.sql.split_once("$1").unwrap_or((self.sql, ""));
        pass.push_sql(before);
        pass.push_bind_param::<Jsonb, _>(&self.rows)?;
        pass.push_sql(after);
        Ok(())
    }
}

// Known by its text.
impl QueryId for OfRows {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for OfRows {
    type SqlType = Uuid;
}

impl RunQueryDsl<PgConnection> for OfRows {}
