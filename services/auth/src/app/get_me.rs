//! Who am I, and where may I act?

use contracts::{OrgId, Role};
use kit::Principal;

use crate::{
    domain::user::User,
    error::Error,
    state::AppState,
    store::{memberships, users},
};

/// The caller's account and the organizations they belong to, with their role in each. A key learns of its own only.
pub async fn get_me(state: &AppState, who: &Principal) -> Result<(User, Vec<(OrgId, Role)>), Error> {
    let (id, only) = (who.user, who.confined_to());
    state
        .db
        .person(id)
        .tx(move |conn| {
            let user = users::find(conn, id)?.ok_or(Error::UserNotFound(id))?;
            let mut memberships = memberships::list_of_user(conn, id)?;
            memberships.retain(|(org, _)| only.is_none_or(|only| only == *org));
            Ok((user, memberships))
        })
        .await
}
