//! Memories of an import.

use std::mem::take;

use db::{diesel::PgConnection, outbox};
use kit::Ids;
use uuid::Uuid;

use super::{Batch, fresh, other_kinds};
use crate::{
    domain::{
        entry::{EntryId, Kind},
        memory::{Change, Memory, Turn},
    },
    error::Error,
    store::{entries, memories, memory_history},
};

impl Batch {
    pub(super) fn memories(&mut self, conn: &mut PgConnection, ids: &dyn Ids) -> Result<(), Error> {
        let org = self.allowed.org;
        let items = take(&mut self.memories);
        let asked: Vec<Uuid> = items.iter().map(|(_, memory)| memory.id.uuid()).collect();
        let mut found = memories::find_all(conn, org, &asked)?;
        let others = other_kinds(conn, self, &asked, Kind::Memory)?;
        // One that was forgotten and comes again goes on from its history.
        let versions = memory_history::versions(conn, org, &asked)?;
        let taken = |memory: &Memory| others.contains(&memory.id.uuid());
        let (new, skipped) = fresh(items, |memory| memory.id.uuid(), &mut found, &mut self.report, taken);
        self.report.memories.skipped += skipped;
        self.report.memories.imported += new.len();
        let new: Vec<_> = new
            .into_iter()
            .map(|(_, memory)| {
                let version = versions.get(&memory.id.uuid()).map_or(1, |last| last + 1);
                Memory { version, ..memory }
            })
            .collect();
        memories::insert_all(conn, &new)?;
        let found: Vec<_> = new.iter().map(Memory::entry).collect();
        entries::revive(conn, org, &found.iter().map(|entry| entry.id).collect::<Vec<EntryId>>())?;
        entries::put(conn, &found.iter().collect::<Vec<_>>())?;
        let added = |memory: &Memory| {
            let turn = Turn {
                version: memory.version,
                change: Change::Added,
                old_text: None,
                new_text: Some(memory.text.clone()),
                by: None,
                actor: Some(self.allowed.user),
                at: self.origin.at,
            };
            (memory.id, turn)
        };
        memory_history::insert_all(conn, org, &new.iter().map(added).collect::<Vec<_>>())?;
        let events = new.iter().map(|memory| (self.origin.clone(), memory.version, memory.added()));
        outbox::append_all(conn, ids, events)?;
        Ok(())
    }
}
