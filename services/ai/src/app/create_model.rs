//! An admin makes a model for their organization, or an operator one for all.

use db::idempotency::{self, Answer, Answered};
use kit::{NewId as _, Principal};
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

/// Most models of one owner.
pub const MOST: i64 = 200;

/// With a `request` a repetition gets the first answer, which is why the answer is made here, in the transaction.
pub async fn create_model(
    state: &AppState,
    who: &Principal,
    realm: Realm,
    definition: Definition,
    routes: Vec<RouteSpec>,
    request: Option<idempotency::Request>,
    answer: fn(ModelRecord) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let change = Change::new(state, who, access::may_change(who, realm, state.operator)?);
    let (owner, catalog) = (change.owner(), state.catalog.clone());
    let answered = change
        .scope(state)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                let installation = catalog.installation();
                let definition = model_routes::put(conn, &*change.ids, installation, owner, definition, Some(routes))?;
                if models::count(conn, owner)? >= MOST {
                    return Err(Error::LimitReached { limit: MOST });
                }
                let (model, event) = ModelRecord::create(change.ids.new(), owner, definition, change.at());
                models::insert(conn, &model)?;
                change.publish(conn, &model, &event)?;
                let (alias, providers) = (&model.definition.alias, model.definition.providers());
                let details = json!({"alias": alias, "providers": providers, "scope": realm.as_str()});
                change.note(conn, "model.created", ("model", &model.id.to_string()), details)?;
                answer(model).map_err(|error| Error::Db(error.into()))
            })
        })
        .await?;
    state.catalog.changed(owner);
    Ok(answered)
}
