//! A schema as text, to compare two of them.

use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, sql_query, sql_types};

/// Everything in `schema` as the catalogues describe it: columns, constraints, indexes, policies, functions and rights,
/// one line each, sorted. Two equal texts are the same schema.
pub fn schema_dump(url: &str, schema: &str) -> String {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = sql_types::Text)]
        line: String,
    }
    let mut conn = PgConnection::establish(url).expect("a connection to PostgreSQL");
    let lines: Vec<Line> = sql_query(SQL).bind::<sql_types::Text, _>(schema).load(&mut conn).expect("the catalogues");
    lines.into_iter().map(|line| line.line).collect::<Vec<_>>().join("\n")
}

const SQL: &str = "
WITH ns AS (SELECT oid FROM pg_namespace WHERE nspname = $1),
rel AS (SELECT c.* FROM pg_class c JOIN ns ON c.relnamespace = ns.oid WHERE c.relkind IN ('r', 'p', 'v', 'S'))
SELECT line FROM (
    SELECT format('column %s.%s %s notnull=%s default=%s', rel.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                  a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) AS line
    FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = rel.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT format('table %s kind=%s rls=%s forced=%s rights=%s', relname, relkind, relrowsecurity, relforcerowsecurity, relacl)
    FROM rel
    UNION ALL
    SELECT format('constraint %s.%s %s', rel.relname, k.conname, pg_get_constraintdef(k.oid))
    FROM rel JOIN pg_constraint k ON k.conrelid = rel.oid
    UNION ALL
    SELECT format('index %s', pg_get_indexdef(i.indexrelid)) FROM rel JOIN pg_index i ON i.indrelid = rel.oid
    UNION ALL
    SELECT format('policy %s.%s %s %s %s %s %s', p.tablename, p.policyname, p.permissive, p.roles, p.cmd, p.qual, p.with_check)
    FROM pg_policies p WHERE p.schemaname = $1
    UNION ALL
    SELECT format('function %s rights=%s', pg_get_functiondef(f.oid), f.proacl)
    FROM pg_proc f JOIN ns ON f.pronamespace = ns.oid
) AS described ORDER BY line";
