//! An admin deletes a model. Doing it again is no mistake.

use contracts::ModelId;
use kit::{ExpectedVersion, Principal};
use serde_json::json;

use super::{change::Change, update_model::realm};
use crate::{
    domain::{
        access::{self, Realm},
        model,
    },
    error::Error,
    state::AppState,
    store::{models, tombstones},
};

/// A changed model of the catalogue is reset to what it came as; one as it came can only be disabled.
pub async fn delete_model(
    state: &AppState,
    who: &Principal,
    id: ModelId,
    expected: ExpectedVersion,
) -> Result<(), Error> {
    let org = who.org;
    // What is nowhere to be seen may have been the organization's own.
    let realm = realm(state, org, id).await?.unwrap_or_default();
    let change = Change::new(state, who, access::may_change(who, realm, state.operator)?);
    let (owner, came_with_us) = (change.owner(), state.catalog.built_in(id).is_some());
    change
        .scope(state)
        .tx::<_, Error, _>(move |conn| {
            let Some(model) = models::lock(conn, owner, id)? else {
                let was_there = tombstones::exists(conn, org, id.uuid())?;
                let never =
                    if realm == Realm::Global && came_with_us { Error::BuiltIn } else { Error::ModelNotFound(id) };
                return if was_there { Ok(()) } else { Err(never) };
            };
            expected.check(model.version)?;
            models::delete(conn, id)?;
            tombstones::insert(conn, owner, id.uuid(), change.at())?;
            let model = model::ModelRecord { version: model.version + 1, ..model };
            change.publish(conn, &model, &model.changed(model::Change::Deleted, change.at()))?;
            let details = json!({"alias": model.definition.alias, "scope": realm.as_str()});
            change.note(conn, "model.deleted", ("model", &id.to_string()), details)
        })
        .await?;
    state.catalog.changed(owner);
    Ok(())
}
