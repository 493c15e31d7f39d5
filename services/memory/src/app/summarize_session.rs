//! Somebody wants to know what a conversation was about.

use std::time::{Duration, Instant};

use contracts::{MemorySessionId, OrgId};
use db::diesel::PgConnection;

use super::{
    ask_model::{Trouble, ask_model},
    get_session::{locked, visible},
    list_messages::spans,
};
use crate::{
    clients::language_model::Task,
    domain::{
        access::{Allowed, Read, Write},
        extraction::Turn,
        message::Message,
        session::{Session, Summary},
        tokens,
    },
    error::Error,
    extraction::cut,
    state::{AppState, Language},
    store::{
        messages::{self, Span},
        sessions,
    },
    summaries::{PIECE_TOKENS, PIECES, TURN_TOKENS, extractive, pieces, prompt},
};

/// Of a longer conversation the end counts, and what was kept of what comes before.
const READ_TOKENS: usize = 100_000;
/// Turns that are read at a time.
const PAGE: i64 = 50;
/// For all calls of a model together: the request must be answered.
const LONGEST: Duration = Duration::from_secs(20);

/// How a summary was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the language model.
    Model,
    /// Of the conversation's own sentences.
    Extractive,
}

/// What a conversation was about.
#[derive(Clone, Debug)]
pub struct Summarized {
    /// Empty when nobody said anything.
    pub text: String,
    pub method: Method,
    /// The first position that it is not about.
    pub covers: i64,
    /// Whether the session has it from now on.
    pub kept: bool,
}

/// The turns of a conversation, or its end.
struct Conversation {
    session: Session,
    spans: Vec<Span>,
    /// How many turns there are, those included that say nothing.
    count: i64,
    turns: Vec<Turn>,
}

/// A summary of at most about `budget_tokens`: by the language model if there is one and it answers, else in the conversation's
/// own sentences. With `keep` the session has it from now on, unless turns were forgotten meanwhile, and the next summary goes on
/// from there.
pub async fn summarize_session(
    state: &AppState,
    allowed: &Allowed<Read>,
    id: MemorySessionId,
    budget_tokens: usize,
    keep: Option<Allowed<Write>>,
) -> Result<Summarized, Error> {
    let mut made = None;
    if let Some(language) = &state.language {
        made = by_model(state, allowed, id, language, budget_tokens).await?;
    }
    let method = if made.is_some() { Method::Model } else { Method::Extractive };
    let (conversation, text) = match made {
        Some(made) => made,
        None => in_own_sentences(state, allowed, id, budget_tokens).await?,
    };
    let covers = conversation.session.next_position;
    let kept = match keep {
        Some(keeper) if !text.is_empty() => kept(state, keeper, conversation, text.clone()).await?,
        _ => false,
    };
    Ok(Summarized { text, method, covers, kept })
}

async fn in_own_sentences(
    state: &AppState,
    allowed: &Allowed<Read>,
    id: MemorySessionId,
    budget_tokens: usize,
) -> Result<(Conversation, String), Error> {
    let conversation = read(state, allowed, id, false).await?;
    let condense = move || {
        let text = extractive::written(&extractive::condensed(&conversation.turns, budget_tokens));
        (conversation, text)
    };
    tokio::task::spawn_blocking(condense).await.map_err(|_| Error::Db(db::Error::Busy))
}

/// `None` when the model does not do it.
async fn by_model(
    state: &AppState,
    allowed: &Allowed<Read>,
    id: MemorySessionId,
    language: &Language,
    budget_tokens: usize,
) -> Result<Option<(Conversation, String)>, Error> {
    let conversation = read(state, allowed, id, true).await?;
    let mut turns = conversation.turns.clone();
    let all: usize = turns.iter().map(|turn| tokens::estimate(&turn.text)).sum();
    if all > PIECES * PIECE_TOKENS {
        let condense = move || extractive::condensed(&turns, (PIECES - 1) * PIECE_TOKENS);
        turns = tokio::task::spawn_blocking(condense).await.map_err(|_| Error::Db(db::Error::Busy))?;
    }
    let mut summary = conversation.session.summary.as_ref().map(|summary| summary.text.clone()).unwrap_or_default();
    let begun = Instant::now();
    for piece in pieces(&turns) {
        let left = LONGEST.saturating_sub(begun.elapsed());
        if left.is_zero() {
            tracing::warn!("A model takes too long to sum a conversation up; its own sentences must do");
            return Ok(None);
        }
        match one(state, language, allowed.org, &summary, piece, budget_tokens, left).await {
            Ok(next) => summary = next,
            Err(Trouble::Failed(error)) => return Err(error),
            Err(trouble) => {
                tracing::warn!(
                    error = &trouble as &dyn std::error::Error,
                    "No model sums a conversation up; its own sentences must do"
                );
                return Ok(None);
            }
        }
    }
    Ok(Some((conversation, summary)))
}

async fn one(
    state: &AppState,
    language: &Language,
    org: OrgId,
    summary: &str,
    piece: &[Turn],
    budget_tokens: usize,
    deadline: Duration,
) -> Result<String, Trouble> {
    let task = Task {
        instructions: prompt::INSTRUCTIONS,
        data: prompt::data(summary, piece, budget_tokens),
        schema: ("summary", prompt::schema()),
        // Its idea of a token is another one, and there is the JSON around it.
        answer_tokens: u32::try_from(budget_tokens * 2 + 50).unwrap_or(u32::MAX),
        correction: None,
    };
    ask_model(state, language, org, task, deadline, |answer| prompt::read(answer, budget_tokens)).await
}

/// The turns after the summary that is kept, if it is to go on from there; all of them otherwise.
async fn read(
    state: &AppState,
    allowed: &Allowed<Read>,
    id: MemorySessionId,
    goes_on: bool,
) -> Result<Conversation, Error> {
    let allowed = *allowed;
    let read = move |conn: &mut PgConnection| {
        let session = visible(conn, &allowed, id)?;
        let spans = spans(conn, session.clone())?;
        let count = messages::count(conn, allowed.org, &spans)?;
        let from = session.summary.as_ref().filter(|_| goes_on).map_or(0, |summary| summary.covers);
        let (mut turns, mut left) = (Vec::new(), READ_TOKENS);
        for span in &spans {
            let mut to = span.to;
            while left > 0 {
                let span = Span { from: span.from.max(from), to, ..*span };
                let page = messages::list_span(conn, allowed.org, span, true, PAGE)?;
                let Some(first) = page.last() else { break };
                to = first.position;
                for turn in page.iter().filter_map(turn) {
                    left = left.saturating_sub(tokens::estimate(&turn.text));
                    turns.push(turn);
                }
            }
        }
        turns.reverse();
        Ok::<_, Error>(Conversation { session, spans, count, turns })
    };
    state.db.tenant(allowed.org).tx(read).await
}

fn turn(message: &Message) -> Option<Turn> {
    let said = message.said()?;
    Some(Turn { speaker: message.speaker(), at: message.occurred_at, text: cut(&said, TURN_TOKENS).to_owned() })
}

/// Gives the session its summary, unless some of the turns are not there any more.
async fn kept(
    state: &AppState,
    keeper: Allowed<Write>,
    conversation: Conversation,
    text: String,
) -> Result<bool, Error> {
    let now = state.clock.now();
    let keep = move |conn: &mut PgConnection| {
        let (org, id) = (keeper.org, conversation.session.id);
        // Those that it came from first, as forgetting takes them: no turn goes while we look.
        for span in conversation.spans.iter().rev().filter(|span| span.session != id) {
            sessions::lock_in_org(conn, org, span.session)?;
        }
        let session = locked(conn, &keeper, id)?;
        if messages::count(conn, org, &conversation.spans)? != conversation.count {
            return Ok::<_, Error>(false);
        }
        let covers = conversation.session.next_position;
        if session.summary.as_ref().is_some_and(|other| other.covers > covers) {
            return Ok(false);
        }
        sessions::update(conn, &session.summarized(Summary { text, covers }, now))?;
        Ok(true)
    };
    state.db.tenant(keeper.org).tx(keep).await
}
