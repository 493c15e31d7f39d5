//! How a tool has the vector index made anew: it writes a request, which the process that keeps the index takes up.

use db::Db;

use crate::{domain::rebuild::Rebuild, store::rebuilds};

/// Rebuilds of an installation.
pub struct Rebuilds(Db);

impl Rebuilds {
    /// `db` is that of this service, or of anybody who may become its system role.
    pub fn new(db: Db) -> Self {
        Self(db)
    }

    /// Asks for one; gives the one that is under way, if there is one.
    pub async fn request(&self) -> Result<Rebuild, db::Error> {
        self.0.system("rebuild").tx(|conn| Ok(rebuilds::request(conn)?)).await
    }

    /// How far it is.
    pub async fn find(&self, id: i64) -> Result<Option<Rebuild>, db::Error> {
        self.0.system("rebuild").tx(move |conn| Ok(rebuilds::find(conn, id)?)).await
    }
}
