//! An admin changes a model of their organization, or an operator one of the installation. A model that came with the
//! installation is kept as changed from then on; deleting it brings the original back.

use contracts::{ModelId, OrgId};
use kit::{ExpectedVersion, Principal};
use serde_json::json;

use super::{change::Change, model_routes};
use crate::{
    domain::{
        access::{self, Realm},
        definition::{Definition, RouteSpec},
        model::ModelRecord,
    },
    error::Error,
    state::AppState,
    store::models,
};

/// `edit` changes everything but the routes; those are replaced as a whole when there are any. `expected` is the
/// `If-Match` of the caller.
pub async fn update_model(
    state: &AppState,
    who: &Principal,
    id: ModelId,
    expected: ExpectedVersion,
    edit: impl FnOnce(Definition) -> Definition + Send + 'static,
    routes: Option<Vec<RouteSpec>>,
) -> Result<ModelRecord, Error> {
    let realm = realm(state, who.org, id).await?.ok_or(Error::ModelNotFound(id))?;
    let change = Change::new(state, who, access::may_change(who, realm, state.operator)?);
    let owner = change.owner();
    let catalog = state.catalog.clone();
    let model = change
        .scope(state)
        .tx::<_, Error, _>(move |conn| {
            let stored = models::lock(conn, owner, id)?;
            let is_stored = stored.is_some();
            let original = || catalog.built_in(id).filter(|_| owner.is_none());
            let model = stored.or_else(original).ok_or(Error::ModelNotFound(id))?;
            expected.check(model.version)?;
            let rerouted = routes.is_some();
            let definition = edit(model.definition.clone());
            let definition = model_routes::put(conn, &*change.ids, catalog.installation(), owner, definition, routes)?;
            let (model, event) = model.redefine(definition, change.at());
            let Some(event) = event else { return Ok(model) };
            if is_stored {
                models::update(conn, &model, rerouted)?;
            } else {
                models::insert(conn, &model)?;
            }
            change.publish(conn, &model, &event)?;
            let providers = rerouted.then(|| model.definition.providers());
            let details = json!({"alias": model.definition.alias, "providers": providers, "version": model.version});
            change.note(conn, "model.updated", ("model", &model.id.to_string()), details)?;
            Ok(model)
        })
        .await?;
    state.catalog.changed(owner);
    Ok(model)
}

/// Whose a model is that the organization can see.
pub(super) async fn realm(state: &AppState, org: OrgId, id: ModelId) -> Result<Option<Realm>, Error> {
    let stored = state.db.tenant(org).tx::<_, Error, _>(move |conn| Ok(models::realm(conn, org, id)?)).await?;
    Ok(stored.or_else(|| state.catalog.built_in(id).map(|_| Realm::Global)))
}
