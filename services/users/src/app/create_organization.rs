//! Somebody founds an organization and owns it.

use contracts::OrgId;
use db::idempotency::{self, Answer, Answered};
use kit::Principal;

use super::welcome_user::found_organization;
use crate::{
    domain::{
        membership::Membership,
        organization::{NewOrganization, Organization, Slug},
    },
    error::Error,
    state::AppState,
};

/// Without a slug one is derived from the name. With a `request` a repetition gets the first answer, which is why the answer
/// is made here, in the transaction. The founder's token does not change: `switch-organization` at auth does.
pub async fn create_organization(
    state: &AppState,
    founder: &Principal,
    name: String,
    slug: Option<Slug>,
    request: Option<idempotency::Request>,
    answer: fn((Organization, Membership)) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let id = OrgId::from_uuid(state.ids.uuid());
    let slug = slug.unwrap_or_else(|| {
        let mut tail = [0; 4];
        state.ids.random(&mut tail);
        Slug::derive(&name, tail)
    });
    let new = NewOrganization { id, name, slug, personal: false, created_by: founder.user };
    let origin = founder.origin(&*state.clock);
    let ids = state.ids.clone();
    state
        .db
        .tenant(id)
        .as_user(founder.user)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                let created = found_organization(conn, &*ids, &origin, new)?;
                answer(created).map_err(|error| Error::Db(error.into()))
            })
        })
        .await
}
