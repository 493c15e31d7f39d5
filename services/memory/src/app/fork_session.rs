//! Somebody goes on from an earlier turn of a conversation, in another one.

use contracts::{MemorySessionId, Origin};
use db::{
    idempotency::{self, Answer, Answered},
    outbox,
};
use kit::NewId as _;

use super::get_session::visible;
use crate::{
    domain::{
        access::{Allowed, Write},
        session::Session,
    },
    error::Error,
    state::AppState,
    store::sessions,
};

/// Keeps the first `at` turns, or all there are. With a `request` a repetition gets the first answer, which is why the
/// answer is made here, in the transaction.
pub async fn fork_session(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    id: MemorySessionId,
    (at, title): (Option<i64>, Option<String>),
    request: Option<idempotency::Request>,
    answer: fn(Session) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let (allowed, ids) = (*allowed, state.ids.clone());
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                let session = visible(conn, &allowed, id)?;
                let at = at.unwrap_or(session.next_position);
                if !(0..=session.next_position).contains(&at) {
                    return Err(Error::field("at", "out_of_range", "There are fewer turns."));
                }
                let (fork, started) = session.fork(ids.new(), at, title, allowed.user, origin.at);
                sessions::insert(conn, &fork)?;
                outbox::append(conn, &*ids, &origin, fork.version, &started)?;
                answer(fork).map_err(|error| Error::Db(error.into()))
            })
        })
        .await
}
