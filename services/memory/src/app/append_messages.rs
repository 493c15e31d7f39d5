//! Turns are added to a conversation.

use std::time::Duration;

use contracts::{MemorySessionId, Origin};
use db::{
    diesel::PgConnection,
    idempotency::{self, Answer, Answered},
    outbox,
};
use kit::{Ids, NewId as _};

use super::get_session::locked;
use crate::{
    domain::{
        access::{Allowed, Write},
        entry::Entry,
        message::{Message, NewMessage},
        session::Session,
        tokens,
    },
    error::Error,
    recall::sentences::question_in,
    state::AppState,
    store::{entries, extraction_jobs, messages, sessions},
};

/// By then what somebody asks and what they are answered are both there, and facts are taken from them together.
const SETTLED: Duration = Duration::from_secs(2);

/// All of them or none. With a `request` a repetition gets the first answer, which is why the answer is made here, in the
/// transaction.
pub async fn append_messages(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    id: MemorySessionId,
    new: Vec<NewMessage>,
    request: Option<idempotency::Request>,
    answer: fn(Vec<Message>) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let (allowed, ids) = (*allowed, state.ids.clone());
    let extracts = state.language.is_some();
    let answered = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                let session = locked(conn, &allowed, id)?;
                let messages = append(conn, &*ids, &origin, session, new)?;
                if extracts {
                    have_facts_taken(conn, &messages)?;
                }
                answer(messages).map_err(|error| Error::Db(error.into()))
            })
        })
        .await?;
    state.signals.entries_changed();
    Ok(answered)
}

/// Has facts taken from turns that this transaction has added to one session, if they say anything.
pub(super) fn have_facts_taken(conn: &mut PgConnection, added: &[Message]) -> Result<(), Error> {
    if let Some(first) = added.iter().find(|message| message.said().is_some()) {
        extraction_jobs::enqueue(conn, first.org, first.session, first.position, SETTLED)?;
    }
    Ok(())
}

/// Adds to a session that this transaction has locked.
pub(super) fn append(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    mut session: Session,
    new: Vec<NewMessage>,
) -> Result<Vec<Message>, Error> {
    let added: Vec<_> = new
        .into_iter()
        .map(|message| session.append(ids.new(), message, origin.at, question_in, tokens::estimate))
        .collect();
    let stored: Vec<&Message> = added.iter().map(|added| &added.message).collect();
    messages::insert_all(conn, &stored)?;
    let found: Vec<&Entry> = added.iter().filter_map(|added| added.entry.as_ref()).collect();
    entries::put(conn, &found)?;
    sessions::update(conn, &session)?;
    let events = added.iter().map(|added| (origin.clone(), added.message.position + 1, added.event.clone()));
    outbox::append_all(conn, ids, events)?;
    Ok(added.into_iter().map(|added| added.message).collect())
}
