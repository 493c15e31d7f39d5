//! Somebody begins a conversation.

use contracts::Origin;
use db::{
    idempotency::{self, Answer, Answered},
    outbox,
};
use kit::NewId as _;

use crate::{
    domain::{
        access::{Allowed, Refused, Write},
        session::{NewSession, Session},
    },
    error::Error,
    state::AppState,
    store::sessions,
};

/// With a `request` a repetition gets the first answer, which is why the answer is made here, in the transaction.
pub async fn create_session(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    new: NewSession,
    request: Option<idempotency::Request>,
    answer: fn(Session) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    if !allowed.sees(new.belonging.subject.as_deref()) {
        return Err(Refused::Subject.into());
    }
    let (session, started) = Session::start(state.ids.new(), allowed.org, new, allowed.user, origin.at);
    let ids = state.ids.clone();
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                sessions::insert(conn, &session)?;
                outbox::append(conn, &*ids, &origin, session.version, &started)?;
                answer(session).map_err(|error| Error::Db(error.into()))
            })
        })
        .await
}
