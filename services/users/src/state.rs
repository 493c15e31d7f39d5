//! What every use case can reach.

use std::sync::Arc;

use db::Db;
use kit::{Clock, Ids};

use crate::clients::auth::Directory;

#[derive(Clone)]
pub struct AppState {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub directory: Arc<dyn Directory>,
}
