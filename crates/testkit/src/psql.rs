//! SQL as somebody outside of the services would try it.

use std::process::Command;

use localinfra::PostgresPrograms;

use crate::Actor;

/// What `psql` prints in a schema for somebody, or for nobody, one row a line; or its error message.
///
/// # Errors
/// What `psql` says when it fails.
pub fn psql(schema: &str, url: &str, who: Option<&Actor>, sql: &str) -> Result<String, String> {
    let psql = PostgresPrograms::find(None).expect("PostgreSQL's programs").program("psql");
    let scope = who.map(|actor| format!(" -c app.org={} -c app.user={}", actor.org, actor.user)).unwrap_or_default();
    let output = Command::new(psql)
        .args(["-XAtq", "-v", "ON_ERROR_STOP=1", url, "-c", sql])
        .env("PGOPTIONS", format!("-c search_path={schema}{scope}"))
        .output()
        .expect("psql runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text").trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
