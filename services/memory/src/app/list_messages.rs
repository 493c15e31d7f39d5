//! The turns of a conversation.

use contracts::MemorySessionId;
use db::diesel::PgConnection;
use kit::http::Limit;

use super::get_session::visible;
use crate::{
    domain::{
        access::{Allowed, Read},
        message::Message,
        session::Session,
    },
    error::Error,
    state::AppState,
    store::{
        messages::{self, Span},
        sessions,
    },
};

/// Forks of forks that are followed; what lies behind is left out.
const GENERATIONS: usize = 32;

/// The turns after position `after`, or before it and backwards; one more than `limit`, so that the caller knows whether
/// there is a next page. Those of a fork begin with those of the session that it came from.
pub async fn list_messages(
    state: &AppState,
    allowed: &Allowed<Read>,
    id: MemorySessionId,
    after: Option<i64>,
    backwards: bool,
    limit: Limit,
) -> Result<Vec<Message>, Error> {
    let (allowed, limit) = (*allowed, usize::from(limit) + 1);
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let session = visible(conn, &allowed, id)?;
            let mut spans = spans(conn, session)?;
            if !backwards {
                spans.reverse();
            }
            let mut found = Vec::new();
            for mut span in spans {
                if let Some(position) = after {
                    if backwards {
                        span.to = span.to.min(position);
                    } else {
                        span.from = span.from.max(position + 1);
                    }
                }
                let missing = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
                if span.from < span.to && missing > 0 {
                    found.extend(messages::list_span(conn, allowed.org, span, backwards, missing)?);
                }
            }
            Ok(found)
        })
        .await
}

/// Where the turns of a session are, its own first.
pub(super) fn spans(conn: &mut PgConnection, mut session: Session) -> Result<Vec<Span>, Error> {
    let mut spans = Vec::new();
    let mut to = session.next_position;
    while spans.len() < GENERATIONS {
        let fork = session.forked;
        spans.push(Span { session: session.id, from: fork.map_or(0, |fork| fork.at), to });
        let Some(fork) = fork else { break };
        // What it came from may have been forgotten.
        let Some(parent) = sessions::find_in_org(conn, session.org, fork.from)? else { break };
        to = to.min(fork.at);
        session = parent;
    }
    Ok(spans)
}
