//! Keeps the signing keys: makes the next one in time, deletes the last one when nothing of it is left, and loads what
//! other replicas did.

use contracts::Origin;
use db::{audit, diesel::PgConnection, outbox};
use serde_json::json;

use crate::{
    domain::signing_key::{self, KeyTimes},
    error::Error,
    state::AppState,
    store::signing_keys::{self, StoredKey},
};

/// Every replica does it, one at a time; whoever comes first does what is due.
pub async fn rotate_keys(state: &AppState) -> Result<(), Error> {
    let (inner, origin) = (state.clone(), Origin::system(state.clock.now()));
    let keys = state.db.system("rotate_keys").tx(move |conn| rotate(conn, &inner, &origin)).await?;
    state.signing.load(&keys)
}

fn rotate(conn: &mut PgConnection, state: &AppState, origin: &Origin) -> Result<Vec<StoredKey>, Error> {
    signing_keys::lock(conn)?;
    let mut keys = signing_keys::list(conn)?;
    let mut plan = signing_key::plan(&times(&keys), state.config.schedule, origin.at);
    if let Some(signs_from) = plan.create {
        let key = state.signing.generate(&*state.ids, signs_from)?;
        signing_keys::insert(conn, &key, origin.at)?;
        note(conn, state, origin, "signing_key.created", &key.times)?;
        keys.push(key);
        // The very first key signs at once.
        plan.announce = signing_key::plan(&times(&keys), state.config.schedule, origin.at).announce;
    }
    if let Some(id) = plan.announce {
        let event = signing_key::rotated(&times(&keys), id, origin.at);
        outbox::append(conn, &*state.ids, origin, 1, &event)?;
        signing_keys::set_announced(conn, id, origin.at)?;
    }
    for key in keys.iter().filter(|key| plan.delete.contains(&key.times.id)) {
        note(conn, state, origin, "signing_key.deleted", &key.times)?;
    }
    signing_keys::delete(conn, &plan.delete)?;
    keys.retain(|key| !plan.delete.contains(&key.times.id));
    reseal(conn, state, &mut keys)?;
    Ok(keys)
}

/// After a new master key was put first, nothing stays under the old one.
fn reseal(conn: &mut PgConnection, state: &AppState, keys: &mut [StoredKey]) -> Result<(), Error> {
    for key in keys {
        if let Some(sealed) = state.signing.reseal(key)? {
            signing_keys::set_sealed(conn, key.times.id, &sealed)?;
            key.sealed = sealed;
        }
    }
    Ok(())
}

fn times(keys: &[StoredKey]) -> Vec<KeyTimes> {
    keys.iter().map(|key| key.times.clone()).collect()
}

fn note(conn: &mut PgConnection, state: &AppState, origin: &Origin, action: &str, key: &KeyTimes) -> Result<(), Error> {
    let details = json!({"signs_from": key.signs_from});
    let entry =
        audit::Entry { action, subject_type: "signing_key", subject_id: &key.id.to_string(), address: None, details };
    audit::append(conn, &*state.ids, origin, &entry)?;
    Ok(())
}
