//! Turns of an import.

use std::{
    collections::{BTreeMap, HashSet},
    mem::take,
};

use contracts::MemorySessionId;
use db::{diesel::PgConnection, outbox};
use kit::Ids;
use uuid::Uuid;

use super::{Batch, Refusal, fresh, other_kinds};
use crate::{
    app::get_session::locked,
    domain::{
        entry::{Entry, EntryId, Kind},
        message::Message,
        session::Session,
    },
    error::Error,
    recall::sentences::question_in,
    store::{entries, messages, sessions},
};

impl Batch {
    pub(super) fn messages(&mut self, conn: &mut PgConnection, ids: &dyn Ids) -> Result<(), Error> {
        let items = take(&mut self.messages);
        let asked: Vec<Uuid> = items.iter().map(|(_, message)| message.id.uuid()).collect();
        let mut found = messages::find_all(conn, self.allowed.org, &asked)?;
        let others = other_kinds(conn, self, &asked, Kind::Message)?;
        // In one order for everybody who locks sessions.
        let mut of_sessions: BTreeMap<MemorySessionId, Vec<(usize, Message)>> = BTreeMap::new();
        for (line, message) in items {
            of_sessions.entry(message.session).or_default().push((line, message));
        }
        for (id, items) in of_sessions {
            let session = match locked(conn, &self.allowed, id) {
                Err(Error::SessionNotFound(_)) => {
                    let refusal = Refusal::new("session_not_found", "Its session is not there, or not before it.");
                    for (line, _) in items {
                        self.report.refuse(line, refusal.clone());
                    }
                    continue;
                }
                session => session?,
            };
            let taken = |message: &Message| others.contains(&message.id.uuid());
            let (new, skipped) = fresh(items, |message| message.id.uuid(), &mut found, &mut self.report, taken);
            self.report.messages.skipped += skipped;
            let new = self.with_a_place(conn, &session, new)?;
            self.report.messages.imported += new.len();
            self.add(conn, ids, session, &new)?;
        }
        Ok(())
    }

    /// Those whose place in the session is free, in their order.
    fn with_a_place(
        &mut self,
        conn: &mut PgConnection,
        session: &Session,
        items: Vec<(usize, Message)>,
    ) -> Result<Vec<Message>, Error> {
        let positions: Vec<_> = items.iter().map(|(_, message)| message.position).collect();
        let mut taken: HashSet<i64> = messages::positions(conn, session.org, session.id, &positions)?;
        let begins = session.forked.map_or(0, |fork| fork.at);
        let mut new = Vec::new();
        for (line, message) in items {
            if message.position >= begins && taken.insert(message.position) {
                new.push(message);
            } else {
                let message = "Another turn has its place in the session.";
                self.report.refuse(line, Refusal::new("position_taken", message));
            }
        }
        new.sort_by_key(|message| message.position);
        Ok(new)
    }

    fn add(&self, conn: &mut PgConnection, ids: &dyn Ids, mut session: Session, new: &[Message]) -> Result<(), Error> {
        let (org, at) = (self.allowed.org, self.origin.at);
        let Some(end) = new.last().map(|last| last.position + 1) else { return Ok(()) };
        messages::insert_all(conn, &new.iter().collect::<Vec<_>>())?;
        let found = found_as(conn, &mut session, new)?;
        entries::revive(conn, org, &found.iter().map(|entry| entry.id).collect::<Vec<EntryId>>())?;
        entries::put(conn, &found.iter().collect::<Vec<_>>())?;
        let last = messages::last_talk(conn, org, session.id, i64::MAX)?.map(|last| last.as_last(question_in));
        session.last = last;
        session.next_position = session.next_position.max(end);
        session.version += 1;
        session.updated_at = at;
        sessions::update(conn, &session)?;
        let events = new.iter().map(|message| (self.origin.clone(), message.position + 1, message.stored()));
        outbox::append_all(conn, ids, events)?;
        Ok(())
    }
}

/// How turns that are stored by now are found; each may answer the one before it.
fn found_as(conn: &mut PgConnection, session: &mut Session, new: &[Message]) -> Result<Vec<Entry>, Error> {
    let (mut found, mut next) = (Vec::new(), None);
    for message in new {
        if next != Some(message.position) {
            let before = messages::last_talk(conn, session.org, session.id, message.position)?;
            session.last = before.map(|before| before.as_last(question_in));
        }
        next = Some(message.position + 1);
        if let Some(entry) = message.entry(session) {
            found.push(entry);
            session.last = Some(message.as_last(question_in));
        }
    }
    Ok(found)
}
