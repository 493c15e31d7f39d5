//! Sessions of an import.

use std::{collections::HashSet, mem::take};

use db::{diesel::PgConnection, outbox};
use kit::Ids;
use uuid::Uuid;

use super::{Batch, Refusal, fresh};
use crate::{domain::session::Session, error::Error, store::sessions};

impl Batch {
    pub(super) fn sessions(&mut self, conn: &mut PgConnection, ids: &dyn Ids) -> Result<(), Error> {
        let org = self.allowed.org;
        let items = take(&mut self.sessions);
        let asked: Vec<Uuid> = items.iter().map(|(_, session)| session.id.uuid()).collect();
        let mut found = sessions::find_all(conn, org, &asked)?;
        let wanted: Vec<_> = items.iter().filter_map(|(_, session)| session.external_id.clone()).collect();
        let mut named: HashSet<_> = sessions::external_ids(conn, org, &wanted)?;
        let (new, skipped) = fresh(items, |session| session.id.uuid(), &mut found, &mut self.report, |_| false);
        self.report.sessions.skipped += skipped;
        let new = new.into_iter().filter(|(line, session)| {
            let name = session.external_id.clone().map(|name| (session.belonging.subject.clone(), name));
            let free = name.is_none_or(|name| named.insert(name));
            if !free {
                self.report
                    .refuse(*line, Refusal::new("session_exists", "There is another session of this external_id."));
            }
            free
        });
        let mut new: Vec<Session> = new.map(|(_, session)| session).collect();
        self.graft(conn, &mut new)?;
        sessions::insert_all(conn, &new)?;
        let events = new.iter().map(|session| (self.origin.clone(), session.version, session.started()));
        outbox::append_all(conn, ids, events)?;
        self.report.sessions.imported += new.len();
        Ok(())
    }

    /// A fork reads the turns of the session that it came from. That has to be one of the same subject, or else anybody's
    /// turns could be read by an import; the fork stands for itself then.
    fn graft(&self, conn: &mut PgConnection, new: &mut [Session]) -> Result<(), Error> {
        let parents: Vec<_> = new.iter().filter_map(|session| session.forked.map(|fork| fork.from.uuid())).collect();
        let mut known = sessions::find_all(conn, self.allowed.org, &parents)?;
        known.extend(new.iter().map(|session| (session.id.uuid(), session.clone())));
        for session in new {
            let subject = &session.belonging.subject;
            let fits = |parent: &Session| parent.belonging.subject == *subject;
            session.forked = session.forked.filter(|fork| known.get(&fork.from.uuid()).is_some_and(fits));
        }
        Ok(())
    }
}
