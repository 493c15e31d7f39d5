//! Who am I, and where may I act?

use contracts::{OrgId, Role};
use kit::Principal;

use crate::{
    domain::user::User,
    error::Error,
    state::AppState,
    store::{memberships, users},
};

/// The caller's account and the organizations they belong to, with their role in each.
pub async fn get_me(state: &AppState, who: &Principal) -> Result<(User, Vec<(OrgId, Role)>), Error> {
    let id = who.user;
    state
        .db
        .person(id)
        .tx(move |conn| {
            let user = users::find(conn, id)?.ok_or(Error::UserNotFound(id))?;
            Ok((user, memberships::list_of_user(conn, id)?))
        })
        .await
}
