//! What every use case can reach.

use std::sync::Arc;

use db::Db;
use kit::{Clock, Ids};

#[derive(Clone)]
pub struct AppState {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}
