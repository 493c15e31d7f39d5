//! What there is to take facts from.

use db::diesel::PgConnection;

use super::{Claim, Work};
use crate::{
    domain::{
        extraction::{Frame, Turn},
        message::Message,
        tokens,
    },
    error::Error,
    extraction::{CONTEXT_TOKENS, CONTEXT_TURNS, TURN_TOKENS, cut},
    state::AppState,
    store::{
        extraction_jobs, extractions,
        messages::{self, Span},
        sessions,
    },
};

/// Turns that are read at a time.
const TURNS: usize = 50;

/// `None` when the session is gone.
pub(super) async fn work(state: &AppState, claim: Claim) -> Result<Option<Work>, Error> {
    match claim {
        Claim::Given(job) => Ok(Some(given(job))),
        Claim::Session(job) => state.db.tenant(job.org).tx(move |conn| session(conn, job)).await,
    }
}

fn session(conn: &mut PgConnection, job: extraction_jobs::Job) -> Result<Option<Work>, Error> {
    let Some(session) = sessions::find_in_org(conn, job.org, job.session)? else { return Ok(None) };
    let span = |from, to| Span { session: job.session, from, to };
    let some = i64::try_from(TURNS).unwrap_or(i64::MAX);
    let waiting = messages::list_span(conn, job.org, span(job.from, session.next_position), false, some)?;
    let earlier = messages::list_span(conn, job.org, span(0, job.from), true, some)?;
    let mut to = if waiting.len() < TURNS { session.next_position } else { job.from };
    let (mut turns, mut ids, mut left) = (Vec::new(), Vec::new(), TURN_TOKENS);
    for message in waiting {
        if let Some(turn) = turn(&message, TURN_TOKENS) {
            let length = tokens::estimate(&turn.text);
            if length > left {
                to = message.position;
                break;
            }
            left -= length;
            turns.push(turn);
            ids.push(message.id);
        }
        to = to.max(message.position + 1);
    }
    Ok(Some(Work {
        claim: Claim::Session(job),
        org: job.org,
        by: session.created_by,
        frame: Frame { belonging: session.belonging, ..Frame::default() },
        context: before(earlier.iter().filter_map(|message| turn(message, CONTEXT_TOKENS))),
        turns,
        messages: ids,
        to,
    }))
}

fn turn(message: &Message, most_tokens: usize) -> Option<Turn> {
    let said = message.said()?;
    Some(Turn { speaker: message.speaker(), at: message.occurred_at, text: cut(&said, most_tokens).to_owned() })
}

fn given(job: Box<extractions::Job>) -> Work {
    let from = usize::try_from(job.from).unwrap_or(usize::MAX).min(job.given.turns.len());
    let (earlier, waiting) = job.given.turns.split_at(from);
    let (mut turns, mut left) = (Vec::new(), TURN_TOKENS);
    for turn in waiting {
        let text = cut(&turn.text, TURN_TOKENS).to_owned();
        let Some(rest) = left.checked_sub(tokens::estimate(&text)) else { break };
        left = rest;
        turns.push(Turn { text, ..turn.clone() });
    }
    let shortened = |turn: &Turn| Turn { text: cut(&turn.text, CONTEXT_TOKENS).to_owned(), ..turn.clone() };
    Work {
        org: job.org,
        by: job.by,
        frame: job.given.frame.clone(),
        context: before(earlier.iter().rev().map(shortened)),
        to: job.from + i64::try_from(turns.len()).unwrap_or(i64::MAX),
        turns,
        messages: Vec::new(),
        claim: Claim::Given(job),
    }
}

/// The last few turns, given from the last one backwards, in their order.
fn before(backwards: impl Iterator<Item = Turn>) -> Vec<Turn> {
    let mut left = CONTEXT_TOKENS;
    let fits = |turn: &Turn| {
        let rest = left.checked_sub(tokens::estimate(&turn.text));
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    let mut turns: Vec<_> = backwards.take(CONTEXT_TURNS).take_while(fits).collect();
    turns.reverse();
    turns
}
