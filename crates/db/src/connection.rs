//! How connections are made: what libpq is told before there is one, and what the session is set to afterwards.

use diesel::{Connection, ConnectionError, PgConnection, RunQueryDsl, connection::SimpleConnection};

use crate::probe::Probe;

/// Keeps one dead network path from holding a connection for hours: 10 s of silence, then three probes 5 s apart, and
/// no more than 20 s for bytes that were sent (milliseconds; Linux only, ignored elsewhere).
const TRANSPORT: [(&str, &str); 6] = [
    ("connect_timeout", "5"),
    ("keepalives", "1"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "20000"),
];

/// Limits of a session, in the units that Postgres reads.
pub(crate) struct Limits {
    /// One statement.
    pub statement: &'static str,
    /// Waiting for a lock.
    pub lock: &'static str,
    /// An open transaction in which nothing happens.
    pub idle_in_transaction: &'static str,
}

impl Limits {
    /// For requests, which nobody waits longer for.
    pub const REQUEST: Self = Self { statement: "10s", lock: "3s", idle_in_transaction: "15s" };
    /// For a dedicated connection, whose transaction may wait for a broker in between.
    pub const DEDICATED: Self = Self { statement: "30s", lock: "10s", idle_in_transaction: "60s" };
    /// For migrations: rewriting a table takes its time, but waiting for its lock stops everybody behind.
    pub const MIGRATION: Self = Self { statement: "0", lock: "10s", idle_in_transaction: "0" };
}

/// The connection string with our defaults. What `url` itself says wins: libpq takes the last mention of a keyword.
pub(crate) fn conninfo(url: &str, application_name: &str) -> String {
    let uri = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let defaults = std::iter::once(("application_name", application_name))
        .chain(TRANSPORT)
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(if uri { "&" } else { " " });
    if !uri {
        return format!("{defaults} {url}");
    }
    match url.split_once('?') {
        None | Some((_, "")) => format!("{}?{defaults}", url.trim_end_matches('?')),
        Some((base, given)) => format!("{base}?{defaults}&{given}"),
    }
}

/// Puts the session into the service's schema, with limits and our instrumentation.
pub(crate) fn prepare(conn: &mut PgConnection, schema: &'static str, limits: &Limits) -> diesel::QueryResult<()> {
    let Limits { statement, lock, idle_in_transaction } = limits;
    // pg_temp last: by default a temporary table would hide the real one.
    conn.batch_execute(&format!(
        "SET search_path TO \"{schema}\", pg_temp;\
         SET statement_timeout TO '{statement}';\
         SET lock_timeout TO '{lock}';\
         SET idle_in_transaction_session_timeout TO '{idle_in_transaction}'"
    ))?;
    conn.set_instrumentation(Probe::new(schema));
    Ok(())
}

/// One connection outside the pool.
pub(crate) fn establish(
    url: &str,
    application_name: &str,
    schema: &'static str,
    limits: &Limits,
) -> Result<PgConnection, ConnectionError> {
    let mut conn = PgConnection::establish(&conninfo(url, application_name))?;
    prepare(&mut conn, schema, limits).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// A round trip to the server.
pub(crate) fn ping(conn: &mut PgConnection) -> diesel::QueryResult<()> {
    diesel::sql_query("SELECT 1").execute(conn).map(drop)
}

#[cfg(test)]
mod tests {
    use super::conninfo;

    #[test]
    fn defaults_come_first_so_that_the_given_ones_win() {
        let plain = conninfo("postgres://u:p@h:1/d", "brainops-auth");
        assert!(plain.starts_with("postgres://u:p@h:1/d?application_name=brainops-auth&connect_timeout=5&"), "{plain}");
        assert!(!plain.ends_with('&'), "{plain}");
        let given = conninfo("postgresql:///d?host=/run/x&keepalives=0", "brainops-auth");
        assert!(given.ends_with("&host=/run/x&keepalives=0"), "{given}");
        let keywords = conninfo("host=/run/x dbname=d", "brainops-auth");
        assert!(keywords.starts_with("application_name=brainops-auth ") && keywords.ends_with(" host=/run/x dbname=d"));
    }
}
