//! Everything that belongs to a person is forgotten, in all organizations.

use contracts::{OrgId, Origin, UserId};
use db::idempotency;
use kit::ExpectedVersion;

use super::{delete_collection::delete_collection, delete_session::delete_session, forget::forget};
use crate::{
    domain::{
        access::{Allowed, Write},
        collection,
        forgetting::Forgetting,
        session,
    },
    error::Error,
    state::AppState,
    store::{collections, erasure, sessions},
};

/// Rows of one look.
const SOME: i64 = 100;

/// Once or more often, with the same result. What the organization shares stays: it is not the person's.
pub async fn erase_user(state: &AppState, origin: &Origin, user: UserId) -> Result<(), Error> {
    let system = state.db.system("erasure");
    let orgs = system.tx(move |conn| Ok::<_, db::Error>(erasure::organizations_of(conn, user)?)).await?;
    for org in orgs {
        let origin = Origin { actor: None, org: Some(org), at: state.clock.now(), ..origin.clone() };
        erase_in_org(state, &origin, &Allowed::of_the_person(org, user)).await?;
    }
    // Answers are repeated for a day, with what was said in them.
    Ok(system.tx(move |conn| idempotency::forget_user(conn, user)).await?)
}

async fn erase_in_org(state: &AppState, origin: &Origin, allowed: &Allowed<Write>) -> Result<(), Error> {
    let subject = Some(allowed.user.to_string());
    let all = Forgetting { subject: subject.clone(), ..Forgetting::default() };
    while !forget(state, allowed, (origin.clone(), None), all.clone(), false).await?.complete {}
    let (org, reach) = (allowed.org, allowed.reach);
    loop {
        let wanted = session::Wanted { subject: subject.clone(), ..session::Wanted::default() };
        let page = move |conn: &mut db::diesel::PgConnection| {
            Ok::<_, db::Error>(sessions::list_in_org(conn, org, reach, &wanted, None, SOME)?)
        };
        let some = state.db.tenant(org).tx(page).await?;
        if some.is_empty() {
            break;
        }
        for session in some {
            delete_session(state, allowed, origin.clone(), session.id, ExpectedVersion::ANY).await?;
        }
    }
    erase_collections(state, origin, allowed, org, subject).await
}

async fn erase_collections(
    state: &AppState,
    origin: &Origin,
    allowed: &Allowed<Write>,
    org: OrgId,
    subject: Option<String>,
) -> Result<(), Error> {
    let reach = allowed.reach;
    loop {
        let wanted = collection::Wanted { subject: subject.clone(), ..collection::Wanted::default() };
        let page = move |conn: &mut db::diesel::PgConnection| {
            Ok::<_, db::Error>(collections::list_in_org(conn, org, reach, &wanted, None, SOME)?)
        };
        let some = state.db.tenant(org).tx(page).await?;
        if some.is_empty() {
            return Ok(());
        }
        for collection in some {
            delete_collection(state, allowed, origin.clone(), collection.id, ExpectedVersion::ANY).await?;
        }
    }
}
