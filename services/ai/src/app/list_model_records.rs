//! The models that somebody may see: an admin all of their organization and of the installation, everybody else those that
//! they may use.

use std::collections::HashSet;

use contracts::{ModelId, Scope};
use kit::Principal;

use crate::{
    catalog::Denied,
    domain::{
        access::{self, Realm},
        caller::Caller,
        model::{Capability, ModelRecord},
    },
    error::Error,
    state::AppState,
    store::models,
};

/// Which models are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub capability: Option<Capability>,
    pub enabled: Option<bool>,
    pub realm: Option<Realm>,
}

impl Filter {
    fn takes(self, model: &ModelRecord) -> bool {
        self.capability.is_none_or(|capability| model.definition.capabilities.contains(&capability))
            && self.enabled.is_none_or(|enabled| model.definition.enabled == enabled)
            && self.realm.is_none_or(|realm| Realm::of(model.org) == realm)
    }
}

/// A model, and whether the caller may know its routes and its access rules: those who may change it do.
pub type Seen = (ModelRecord, bool);

/// Where a page goes on: the last model's alias and id.
pub type After = (String, ModelId);

/// By alias, at most `limit`. An owner has at most some hundred models, so they are read at once and chosen from here.
pub async fn list_model_records(
    state: &AppState,
    who: &Principal,
    filter: Filter,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<Seen>, Error> {
    let mut seen = visible(state, who).await?;
    seen.retain(|(model, _)| filter.takes(model));
    seen.sort_by(|(a, _), (b, _)| (&a.definition.alias, a.id).cmp(&(&b.definition.alias, b.id)));
    if let Some((alias, id)) = after {
        seen.retain(|(model, _)| (&model.definition.alias, model.id) > (&alias, id));
    }
    seen.truncate(limit);
    Ok(seen)
}

/// One of them.
pub async fn get_model_record(state: &AppState, who: &Principal, id: ModelId) -> Result<Seen, Error> {
    let found = visible(state, who).await?.into_iter().find(|(model, _)| model.id == id);
    found.ok_or(Error::ModelNotFound(id))
}

async fn visible(state: &AppState, who: &Principal) -> Result<Vec<Seen>, Error> {
    let (org, catalog) = (who.org, state.catalog.clone());
    let mut models = state
        .db
        .tenant(org)
        .tx::<_, Error, _>(move |conn| {
            let mut models = models::list(conn, Some(org))?;
            models.extend(catalog.global_records(conn)?);
            Ok(models)
        })
        .await?;
    if !who.scopes.contains(Scope::AiWrite) {
        let usable = state.catalog.list(&Caller::from(who)).await.map_err(unreadable)?;
        let usable: HashSet<ModelId> = usable.iter().map(|model| model.id).collect();
        models.retain(|model| usable.contains(&model.id));
    }
    let known = |model: &ModelRecord| access::may_change(who, Realm::of(model.org), state.operator).is_ok();
    Ok(models.into_iter().map(|model| (model.clone(), known(&model))).collect())
}

/// Listing refuses nobody; it can only fail.
fn unreadable(denied: Denied) -> Error {
    match denied {
        Denied::Unavailable(error) => Error::Db(error),
        Denied::NotFound | Denied::NotAllowed => Error::Db(db::Error::NotFound),
    }
}
