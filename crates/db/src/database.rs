//! Making the database itself, for installations whose server is their own.

use diesel::{Connection, PgConnection, connection::SimpleConnection, prelude::*, sql_query, sql_types};
use kit::Secret;

use crate::{Error, connection, dedicated::blocking};

/// Creates `database` unless it is there; `admin_url` may name any other database of the server.
///
/// # Errors
/// [`Error::Unavailable`], and [`Error::Setup`] for a name that is not plain lower case.
pub async fn ensure_database(admin_url: &str, database: &str) -> Result<(), Error> {
    // The name goes into SQL as it is.
    if database.is_empty() || !database.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(Error::Setup(format!("{database:?} is not a plain name for a database")));
    }
    let (url, database) = (Secret::new(admin_url.to_owned()), database.to_owned());
    blocking(move || {
        let mut conn = PgConnection::establish(&connection::conninfo(url.expose(), "brainops-setup"))?;
        let found: i64 = sql_query("SELECT count(*) AS n FROM pg_database WHERE datname = $1")
            .bind::<sql_types::Text, _>(&database)
            .get_result::<Count>(&mut conn)?
            .n;
        if found == 0 {
            conn.batch_execute(&format!("CREATE DATABASE {database}"))?;
        }
        Ok(())
    })
    .await?
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = sql_types::BigInt)]
    n: i64,
}
