//! Whether the database answers.

use futures_util::future::BoxFuture;
use kit::HealthCheck;

use crate::{Db, Error, connection};

impl HealthCheck for Db {
    fn name(&self) -> &'static str {
        "database"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            match self.system("health").tx(|conn| connection::ping(conn).map_err(Error::from)).await {
                Ok(()) => Ok(()),
                // Busy is not broken. Were every replica to leave for being busy, nobody would be left to serve; when
                // Postgres hangs instead, nothing commits any more.
                Err(Error::Busy) if self.inner.pool.is_moving() => Ok(()),
                Err(Error::Unavailable(cause)) => Err(format!("cannot be reached: {cause}")),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}
