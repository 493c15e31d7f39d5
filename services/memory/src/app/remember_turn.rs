//! What was said in a call of a model becomes part of the conversation that the caller named.

use contracts::{CompletionId, EventId, OrgId, Origin};
use db::{diesel::PgConnection, inbox, outbox};
use kit::{Ids, NewId as _};
use serde_json::{Map, Value};

use super::append_messages::{append, have_facts_taken};
use crate::{
    clients::ai::{Said, Turn},
    domain::{
        message::{NewMessage, Role},
        session::{Belonging, NewSession, Session},
    },
    error::Error,
    events::AI_QUEUE,
    state::AppState,
    store::sessions,
};

/// `event` names the news of the call: hearing it again changes nothing. A conversation that is not there begins.
pub async fn remember_turn(
    state: &AppState,
    event: EventId,
    origin: &Origin,
    (org, completion): (OrgId, CompletionId),
    turn: Turn,
) -> Result<(), Error> {
    let (ids, origin) = (state.ids.clone(), Origin { at: state.clock.now(), ..origin.clone() });
    let extracts = state.language.is_some();
    let tenant = state.db.tenant(org).as_user(turn.user_id);
    tenant
        .tx(move |conn| {
            inbox::once(conn, AI_QUEUE, event, |conn| {
                if turn.messages.is_empty() {
                    return Ok(());
                }
                let session = conversation(conn, &*ids, &origin, org, &turn)?;
                let stored = append(conn, &*ids, &origin, session, messages(completion, turn))?;
                if extracts {
                    have_facts_taken(conn, &stored)?;
                }
                Ok::<_, Error>(())
            })
        })
        .await?;
    state.signals.entries_changed();
    Ok(())
}

/// The conversation, locked; a new one if there is none.
fn conversation(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    org: OrgId,
    turn: &Turn,
) -> Result<Session, Error> {
    let subject = turn.user.clone().unwrap_or_else(|| turn.user_id.to_string());
    if let Some(session) = sessions::lock_called(conn, org, &subject, &turn.session_id)? {
        return Ok(session);
    }
    let new = NewSession {
        belonging: Belonging { subject: Some(subject.clone()), ..Belonging::default() },
        external_id: Some(turn.session_id.clone()),
        ..NewSession::default()
    };
    let (session, started) = Session::start(ids.new(), org, new, turn.user_id, origin.at);
    if sessions::insert_new(conn, &session)? {
        outbox::append(conn, ids, origin, session.version, &started)?;
        return Ok(session);
    }
    // Another turn of it began it meanwhile.
    sessions::lock_called(conn, org, &subject, &turn.session_id)?.ok_or(Error::SessionExists)
}

fn messages(completion: CompletionId, turn: Turn) -> Vec<NewMessage> {
    let Turn { model, messages, finished_at, .. } = turn;
    let message = |said: Said| NewMessage {
        metadata: about(&said, &model),
        role: said.role,
        author: said.author,
        content: said.content,
        tool_calls: said.tool_calls,
        tool_call_id: said.tool_call_id,
        parent: None,
        completion: Some(completion),
        occurred_at: Some(finished_at),
    };
    messages.into_iter().map(message).collect()
}

/// Which model spoke, and whether it was cut off.
fn about(said: &Said, model: &str) -> Map<String, Value> {
    let mut about = Map::new();
    if said.role == Role::Assistant {
        about.insert("model".to_owned(), model.into());
    }
    if said.interrupted {
        about.insert("interrupted".to_owned(), true.into());
    }
    about
}
