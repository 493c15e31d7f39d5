//! What every use case can reach.

use std::sync::Arc;

use contracts::OrgId;
use db::Db;
use kit::{Clock, Ids, seal::Keyring};

use crate::{catalog::Catalog, clients::Providers};

#[derive(Clone)]
pub struct AppState {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    /// Seals the keys of providers.
    pub keyring: Keyring,
    /// The organization whose admins change what belongs to the whole installation.
    pub operator: Option<OrgId>,
    pub providers: Providers,
    pub catalog: Catalog,
}
