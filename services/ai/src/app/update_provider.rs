//! An admin changes a provider: its name, its address, its key.

use contracts::ProviderId;
use kit::{ExpectedVersion, Principal, Secret};
use serde_json::json;
use url::Url;

use super::{
    change::Change,
    create_provider::{fitting_url, seal},
    get_provider::get_provider,
};
use crate::{
    domain::{
        access::{self, Realm},
        model,
        provider::{KeyEdit, ProviderEdit, ProviderRecord, ProviderSource},
    },
    error::Error,
    state::AppState,
    store::{models, providers},
};

/// What an admin asks for; `None` stays as it is.
#[derive(Debug, Default)]
pub struct ProviderChange {
    pub name: Option<String>,
    pub base_url: Option<Url>,
    pub key: KeyEdit<Secret<String>>,
}

/// Models with routes to the provider get their next version: what a call of them does has changed, and every replica
/// learns of it by their events. `expected` is the `If-Match` of the caller.
pub async fn update_provider(
    state: &AppState,
    who: &Principal,
    id: ProviderId,
    expected: ExpectedVersion,
    asked: ProviderChange,
) -> Result<ProviderRecord, Error> {
    let known = get_provider(state, who, id).await?;
    if known.source == ProviderSource::Environment {
        return Err(Error::BuiltIn);
    }
    let realm = Realm::of(known.org);
    let change = Change::new(state, who, access::may_change(who, realm, state.operator)?);
    let edit = ProviderEdit {
        name: asked.name,
        base_url: asked.base_url.map(|url| fitting_url(state, realm, url)).transpose()?,
        key: asked.key.try_map(|key| seal(&state.keyring, id, &key))?,
    };
    let owner = change.owner();
    let provider = change
        .scope(state)
        .tx::<_, Error, _>(move |conn| {
            let provider = providers::lock(conn, owner, id)?.ok_or(Error::ProviderNotFound(id))?;
            expected.check(provider.version)?;
            let key = match &edit.key {
                KeyEdit::Keep => "kept",
                KeyEdit::Remove => "removed",
                KeyEdit::Set(_) => "set",
            };
            let before = provider.base_url.clone();
            let (provider, changed) = provider.edit(edit, change.at())?;
            if !changed {
                return Ok(provider);
            }
            providers::update(conn, &provider)?;
            for model in models::touch_routed_by(conn, id, change.at())? {
                change.publish(conn, &model, &model.changed(model::Change::Updated, change.at()))?;
            }
            // Where prompts go is what matters most to whoever reads the log after an attack.
            let moved = (provider.base_url != before).then(|| json!({"from": before, "to": provider.base_url}));
            let details = json!({"name": provider.name, "key": key, "base_url": moved, "version": provider.version});
            change.note(conn, "provider.updated", ("provider", &id.to_string()), details)?;
            Ok(provider)
        })
        .await?;
    state.catalog.changed(owner);
    Ok(provider)
}
