//! Makes a service's schema and roles. The SQL is the platform teams' own, in `deploy/postgres/`.

use diesel::{Connection, PgConnection, connection::SimpleConnection, prelude::*, sql_types::Text};
use kit::Secret;

use crate::{Error, connection, dedicated::blocking, roles, transaction};

const PROVISION: &str = include_str!("../../../deploy/postgres/provision.sql");

/// Roles belong to the whole server, so two databases that are provisioned at the same time can collide on them.
const ATTEMPTS: u32 = 10;

/// The passwords of the roles that log in.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Of the role that migrates.
    pub owner: Secret<String>,
    /// Of the role that serves.
    pub app: Secret<String>,
}

/// Makes, or mends, the schema of a service and its three roles in the database that `admin_url` names. Idempotent: only
/// the passwords change. Everybody else loses the right to connect to that database.
///
/// # Errors
/// [`Error::Unavailable`]; [`Error::Query`] when the admin may not do it.
pub async fn provision(admin_url: &str, schema: &str, passwords: &Passwords) -> Result<(), Error> {
    roles::check_schema(schema)?;
    let (url, schema, passwords) = (Secret::new(admin_url.to_owned()), schema.to_owned(), passwords.clone());
    blocking(move || {
        let mut conn = PgConnection::establish(&connection::conninfo(url.expose(), "brainops-provision"))?;
        let mut attempt = 1;
        loop {
            match run(&mut conn, &schema, &passwords) {
                Err(Error::Query(error)) if attempt < ATTEMPTS && is_collision(&error) => {
                    std::thread::sleep(std::time::Duration::from_millis(u64::from(attempt) * 20));
                    attempt += 1;
                }
                Err(Error::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    })
    .await?
}

fn run(conn: &mut PgConnection, schema: &str, passwords: &Passwords) -> Result<(), Error> {
    transaction::open(conn, "BEGIN")?;
    transaction::finish(conn, |conn| {
        for (name, value) in [
            ("brainops.schema", schema),
            ("brainops.owner_password", passwords.owner.expose().as_str()),
            ("brainops.app_password", passwords.app.expose().as_str()),
        ] {
            // Bound, so that a password never is part of a statement that a server may log.
            diesel::select(set_config(name, value, true)).execute(conn)?;
        }
        conn.batch_execute(PROVISION)?;
        Ok(())
    })
}

/// What Postgres says when two transactions write the same row of a catalog.
fn is_collision(error: &diesel::result::Error) -> bool {
    matches!(error, diesel::result::Error::DatabaseError(_, info)
        if info.message().contains("concurrently updated") || info.message().contains("already exists"))
}

diesel::define_sql_function! {
    fn set_config(name: Text, value: Text, is_local: diesel::sql_types::Bool) -> Text;
}
