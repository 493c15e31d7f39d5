//! Somebody has whatever passes some conditions forgotten.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use contracts::{MemorySessionId, MessageId, Origin};
use db::{audit, diesel::PgConnection, outbox};
use kit::Ids;
use serde_json::json;

use super::{
    delete_memory::forget_memories,
    delete_session::forget_session,
    get_session::{locked, visible},
};
use crate::{
    domain::{
        access::{Allowed, Write},
        entry::EntryId,
        forgetting::{Counts, Forgetting},
    },
    error::Error,
    recall::sentences::question_in,
    state::AppState,
    store::{entries, forgetting, memories, messages, sessions},
};

/// Memories of one transaction.
const MEMORIES: usize = 200;
/// Turns of one transaction.
const TURNS: usize = 500;
/// No further transaction begins after this: the request must be answered.
const LONGEST: Duration = Duration::from_secs(15);

/// What was forgotten, or would be.
#[derive(Clone, Copy, Debug)]
pub struct Forgotten {
    pub counts: Counts,
    /// Whether that is all; the rest goes when it is asked for again.
    pub complete: bool,
}

/// What was taken from the turns goes before the turns do, so that it is the same whether it takes one transaction or many.
/// Each transaction leaves its line in the audit log. With `dry_run` it is only counted.
pub async fn forget(
    state: &AppState,
    allowed: &Allowed<Write>,
    (origin, address): (Origin, Option<IpAddr>),
    what: Forgetting,
    dry_run: bool,
) -> Result<Forgotten, Error> {
    if !what.is_narrow() {
        return Err(Error::ForgetUnscoped);
    }
    let scope = state.db.tenant(allowed.org);
    let request = Request { allowed: *allowed, origin, address, what };
    if dry_run {
        let counts = scope.tx(move |conn| request.count(conn)).await?;
        return Ok(Forgotten { counts, complete: true });
    }
    let begun = Instant::now();
    let mut counts = Counts::default();
    loop {
        let (ids, request) = (state.ids.clone(), request.clone());
        let (gone, complete) = scope.tx(move |conn| request.step(conn, &*ids)).await?;
        state.signals.entries_changed();
        counts.memories += gone.memories;
        counts.messages += gone.messages;
        counts.sessions += gone.sessions;
        if complete || begun.elapsed() > LONGEST {
            return Ok(Forgotten { counts, complete });
        }
    }
}

#[derive(Clone)]
struct Request {
    allowed: Allowed<Write>,
    origin: Origin,
    address: Option<IpAddr>,
    what: Forgetting,
}

impl Request {
    fn count(&self, conn: &mut PgConnection) -> Result<Counts, Error> {
        let counts = forgetting::count(conn, self.allowed.org, self.allowed.reach, &self.what)?;
        let sessions = match self.what.whole_session().map(|id| visible(conn, &self.allowed, id)) {
            None | Some(Err(Error::SessionNotFound(_))) => 0,
            Some(session) => session.map(|_| 1)?,
        };
        Ok(Counts { sessions, ..counts })
    }

    /// As much as one transaction may forget, and whether nothing is left.
    fn step(&self, conn: &mut PgConnection, ids: &dyn Ids) -> Result<(Counts, bool), Error> {
        let (org, reach) = (self.allowed.org, self.allowed.reach);
        let (some_memories, some_turns) =
            (i64::try_from(MEMORIES).unwrap_or(i64::MAX), i64::try_from(TURNS).unwrap_or(i64::MAX));
        let mut gone = Counts::default();
        forgetting::drop_waiting(conn, org, reach, &self.what)?;
        let facts = forgetting::some_memories(conn, org, reach, &self.what, some_memories)?;
        forget_memories(conn, ids, &self.origin, org, &facts)?;
        gone.memories = facts.len();
        let mut complete = facts.len() < MEMORIES;
        if complete {
            let turns = forgetting::some_turns(conn, org, reach, &self.what, some_turns)?;
            complete = turns.len() < TURNS;
            gone.messages = self.forget_turns(conn, ids, turns)?;
        }
        if complete && let Some(id) = self.what.whole_session() {
            match locked(conn, &self.allowed, id) {
                Err(Error::SessionNotFound(_)) => {}
                session => {
                    forget_session(conn, ids, &self.origin, reach, &session?)?;
                    gone.sessions = 1;
                }
            }
        }
        if gone != Counts::default() {
            self.note(conn, ids, gone)?;
        }
        Ok((gone, complete))
    }

    /// Forgets turns for good: rows, entries, vectors, and what other rows repeat of them. Gives how many there were.
    fn forget_turns(
        &self,
        conn: &mut PgConnection,
        ids: &dyn Ids,
        turns: Vec<(MemorySessionId, MessageId)>,
    ) -> Result<usize, Error> {
        let (org, at) = (self.allowed.org, self.origin.at);
        let mut of_sessions: BTreeMap<MemorySessionId, Vec<MessageId>> = BTreeMap::new();
        for (session, turn) in turns {
            of_sessions.entry(session).or_default().push(turn);
        }
        let mut count = 0;
        for (id, turns) in of_sessions {
            let Some(session) = sessions::lock_in_org(conn, org, id)? else { continue };
            let gone = messages::delete_all(conn, org, id, &turns)?;
            let found: Vec<_> = gone.iter().map(|turn| EntryId(turn.uuid())).collect();
            entries::forget(conn, org, &found, at)?;
            forget_questions(conn, &session)?;
            let last = messages::last_talk(conn, org, id, i64::MAX)?.map(|last| last.as_last(question_in));
            let (session, event) = session.forget_turns(gone.len(), last, at);
            sessions::update(conn, &session)?;
            sessions::forget_summaries_of_forks(conn, org, id, at)?;
            memories::forget_sources(conn, org, self.allowed.reach, &gone, at)?;
            outbox::append(conn, ids, &self.origin, session.version, &event)?;
            count += gone.len();
        }
        Ok(count)
    }

    fn note(&self, conn: &mut PgConnection, ids: &dyn Ids, gone: Counts) -> Result<(), Error> {
        let details = json!({
            "messages": gone.messages,
            "memories": gone.memories,
            "sessions": gone.sessions,
            "what": self.what.described(),
        });
        let org = self.allowed.org.to_string();
        let entry = audit::Entry {
            action: "memory.forgotten",
            subject_type: "organization",
            subject_id: &org,
            address: self.address,
            details,
        };
        Ok(audit::append(conn, ids, &self.origin, &entry)?)
    }
}

/// A turn knows the question that it answers, which goes with the turn that asked it.
fn forget_questions(conn: &mut PgConnection, session: &crate::domain::session::Session) -> Result<(), Error> {
    let answers = entries::answers_to_gone(conn, session.org, session.id)?;
    let mut answers = entries::find_all(conn, session.org, &answers)?;
    for answer in &mut answers {
        answer.reply_to.clear();
    }
    Ok(entries::put(conn, &answers.iter().collect::<Vec<_>>())?)
}
