//! The three ends of a transaction.

use diesel::{
    PgConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
};

use crate::Error;

/// In a transaction that has failed, COMMIT rolls back and reports success. The empty SELECT before it makes Postgres say
/// so, in the same round trip.
const COMMIT: &str = "SELECT; COMMIT";

/// Begins with `sql`, which starts with BEGIN and may scope the transaction, in one round trip.
pub(crate) fn open(conn: &mut PgConnection, sql: &str) -> diesel::QueryResult<()> {
    AnsiTransactionManager::begin_transaction_sql(conn, sql).inspect_err(|_| {
        // BEGIN may have worked and the rest not; diesel then knows nothing of the transaction.
        if !is_lost(conn) && conn.batch_execute("ROLLBACK").is_err() {
            AnsiTransactionManager::transaction_manager_status_mut(conn).set_in_error();
        }
    })
}

/// Runs `work` in the transaction that is open and ends it: commit when it succeeded, rollback when it failed.
pub(crate) fn finish<T, E: From<Error>>(
    conn: &mut PgConnection,
    work: impl FnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<T, E> {
    match work(conn) {
        Ok(value) => commit(conn).map(|()| value).map_err(E::from),
        Err(error) => {
            rollback(conn);
            Err(error)
        }
    }
}

pub(crate) fn commit(conn: &mut PgConnection) -> Result<(), Error> {
    conn.batch_execute(COMMIT).map_err(|error| {
        rollback(conn);
        match &error {
            diesel::result::Error::DatabaseError(_, info)
                if info.message().starts_with("current transaction is aborted") =>
            {
                Error::Aborted(error)
            }
            _ => error.into(),
        }
    })
}

/// Never fails: a connection that cannot roll back is broken, and the pool drops it.
pub(crate) fn rollback(conn: &mut PgConnection) {
    if conn.batch_execute("ROLLBACK").is_err() {
        AnsiTransactionManager::transaction_manager_status_mut(conn).set_in_error();
    }
}

/// Whether the connection to the server is gone, as libpq sees it.
pub(crate) fn is_lost(conn: &mut PgConnection) -> bool {
    AnsiTransactionManager::transaction_manager_status_mut(conn).transaction_depth().is_err()
}
