//! Somebody makes a collection.

use contracts::Origin;
use db::{
    idempotency::{self, Answer, Answered},
    outbox,
};
use kit::NewId as _;

use crate::{
    domain::{
        access::{Allowed, Refused, Write},
        collection::{Collection, MOST, NewCollection},
    },
    error::Error,
    state::AppState,
    store::collections,
};

/// With a `request` a repetition gets the first answer, which is why the answer is made here, in the transaction.
pub async fn create_collection(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    new: NewCollection,
    request: Option<idempotency::Request>,
    answer: fn(Collection) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    if !allowed.sees(new.subject.as_deref()) {
        return Err(Refused::Subject.into());
    }
    let (collection, created) = Collection::create(state.ids.new(), allowed.org, new, allowed.user, origin.at);
    let ids = state.ids.clone();
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                if collections::count(conn, collection.org)? >= MOST {
                    return Err(Error::LimitReached { limit: MOST });
                }
                collections::insert(conn, &collection)?;
                outbox::append(conn, &*ids, &origin, collection.version, &created)?;
                answer(collection).map_err(|error| Error::Db(error.into()))
            })
        })
        .await
}
