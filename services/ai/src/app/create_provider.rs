//! An admin names a provider with its key for their organization, or an operator one for all.

use contracts::ProviderId;
use db::idempotency::{self, Answer, Answered};
use kit::{NewId as _, Principal, Secret, seal::Keyring};
use serde_json::json;
use url::Url;

use super::change::Change;
use crate::{
    domain::{
        access::{self, Realm},
        provider::{KeptKey, ProviderKind, ProviderRecord, ProviderSource, hint},
    },
    error::Error,
    state::AppState,
    store::providers,
};

/// Most providers of one owner.
pub const MOST: i64 = 50;

/// A provider as an admin asks for it.
#[derive(Debug)]
pub struct NewProvider {
    pub name: String,
    pub kind: ProviderKind,
    pub base_url: Url,
    pub key: Option<Secret<String>>,
}

/// With a `request` a repetition gets the first answer, which is why the answer is made here, in the transaction.
pub async fn create_provider(
    state: &AppState,
    who: &Principal,
    realm: Realm,
    new: NewProvider,
    request: Option<idempotency::Request>,
    answer: fn(ProviderRecord) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let change = Change::new(state, who, access::may_change(who, realm, state.operator)?);
    let base_url = fitting_url(state, realm, new.base_url)?;
    let id: ProviderId = state.ids.new();
    let provider = ProviderRecord {
        id,
        org: change.owner(),
        name: new.name,
        kind: new.kind,
        base_url,
        key: new.key.map(|key| seal(&state.keyring, id, &key)).transpose()?,
        source: ProviderSource::Custom,
        version: 1,
        created_at: change.at(),
        updated_at: change.at(),
    };
    change
        .scope(state)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                if providers::count(conn, provider.org)? >= MOST {
                    return Err(Error::LimitReached { limit: MOST });
                }
                providers::insert(conn, &provider)?;
                let (name, kind, base_url) = (&provider.name, provider.kind, &provider.base_url);
                let details = json!({"name": name, "kind": kind, "base_url": base_url, "scope": realm.as_str()});
                change.note(conn, "provider.created", ("provider", &id.to_string()), details)?;
                answer(provider).map_err(|error| Error::Db(error.into()))
            })
        })
        .await
}

/// The key as it is kept for the provider of this id.
pub(super) fn seal(keyring: &Keyring, id: ProviderId, key: &Secret<String>) -> Result<KeptKey, Error> {
    let sealed = keyring.seal(&ProviderRecord::place(id), key.expose().as_bytes())?;
    Ok(KeptKey { sealed: Some(sealed), hint: hint(key.expose()) })
}

/// The URL without a slash at its end, if it may be called for this realm as far as can be told without asking anybody: an
/// organization reaches public https servers only. The client looks again at each call.
pub(super) fn fitting_url(state: &AppState, realm: Realm, mut url: Url) -> Result<Url, Error> {
    let refuse = |message: &str| Err(Error::Fields(vec![kit::FieldError::new("base_url", "url", message)]));
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("Leave out the query and the fragment.");
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.has_host();
    match realm {
        Realm::Organization => {
            if let Err(error) = state.http.check(&url) {
                return refuse(&format!("It cannot be called: {error}."));
            }
        }
        Realm::Global if plain && ["http", "https"].contains(&url.scheme()) => {}
        Realm::Global => return refuse("Give an http or https URL without user name and password."),
    }
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty();
    }
    Ok(url)
}
