//! Somebody brings what was exported, here or elsewhere.
//!
//! Nothing that is there is ever changed. An id is kept unless another organization has it; then the item gets another one,
//! always the same, and so does everything that refers to it. An import can therefore be repeated, whole or in part.

mod memories;
mod messages;
mod sessions;

use std::collections::{HashMap, HashSet};

use contracts::Origin;
use db::diesel::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Allowed, Write},
        entry::Kind,
        transfer::{Item, Names, SameAs, other_id},
    },
    error::Error,
    state::AppState,
    store::{entries, known},
};

/// Lines of one transaction.
const BATCH: usize = 500;
/// Refused lines that are named.
const NAMED: usize = 100;

/// A line of a file.
#[derive(Debug)]
pub struct Line {
    /// From 1.
    pub number: usize,
    pub item: Result<Item, Refusal>,
}

/// Why a line is not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn different() -> Self {
        Self::new("different", "Something else has this id.")
    }
}

/// What became of the lines of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub imported: usize,
    /// They were there already.
    pub skipped: usize,
}

#[derive(Debug, Default)]
pub struct Report {
    pub sessions: Tally,
    pub messages: Tally,
    pub memories: Tally,
    pub refused: usize,
    /// The first of them, with their lines.
    pub errors: Vec<(usize, Refusal)>,
}

impl Report {
    fn refuse(&mut self, line: usize, refusal: Refusal) {
        self.refused += 1;
        if self.errors.len() < NAMED {
            self.errors.push((line, refusal));
        }
    }
}

/// Imports the lines that can be, in their order: a turn needs its session before it. A failure leaves what was imported
/// before it, some hundred lines at a time.
pub async fn import(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    mut lines: Vec<Line>,
) -> Result<Report, Error> {
    let names = names(state, allowed, &lines).await?;
    let mut report = Report::default();
    while !lines.is_empty() {
        let rest = lines.split_off(lines.len().min(BATCH));
        let mut batch = Batch::new(*allowed, origin.clone(), std::mem::replace(&mut lines, rest), &names, report);
        let ids = state.ids.clone();
        report = state
            .db
            .tenant(allowed.org)
            .tx(move |conn| {
                batch.sessions(conn, &*ids)?;
                batch.messages(conn, &*ids)?;
                batch.memories(conn, &*ids)?;
                batch.report.errors.sort_by_key(|(line, _)| *line);
                Ok::<_, Error>(batch.report)
            })
            .await?;
        state.signals.entries_changed();
    }
    Ok(report)
}

/// The only question that is asked across organizations: which of these ids cannot be used.
async fn names(state: &AppState, allowed: &Allowed<Write>, lines: &[Line]) -> Result<Names, Error> {
    let org = allowed.org;
    let ids: Vec<Uuid> = lines.iter().filter_map(|line| line.item.as_ref().ok().map(Item::id)).collect();
    let others: HashMap<Uuid, Uuid> = ids.iter().map(|id| (*id, other_id(org, *id))).collect();
    let asked: Vec<_> = ids.iter().chain(others.values()).copied().collect();
    let ours: HashSet<Uuid> =
        state.db.tenant(org).tx(move |conn| Ok::<_, Error>(known::in_org(conn, org, &asked)?)).await?;
    let theirs: HashSet<Uuid> =
        state.db.system("import").tx(move |conn| Ok::<_, Error>(known::elsewhere(conn, org, &ids)?)).await?;
    let replaced = |(id, other): &(Uuid, Uuid)| !ours.contains(id) && (ours.contains(other) || theirs.contains(id));
    Ok(Names(others.into_iter().filter(replaced).collect()))
}

/// Lines of one transaction.
struct Batch {
    allowed: Allowed<Write>,
    origin: Origin,
    sessions: Vec<(usize, crate::domain::session::Session)>,
    messages: Vec<(usize, crate::domain::message::Message)>,
    memories: Vec<(usize, crate::domain::memory::Memory)>,
    report: Report,
}

impl Batch {
    fn new(allowed: Allowed<Write>, origin: Origin, lines: Vec<Line>, names: &Names, report: Report) -> Self {
        let (sessions, messages, memories) = (Vec::new(), Vec::new(), Vec::new());
        let mut batch = Self { allowed, origin, sessions, messages, memories, report };
        for Line { number, item } in lines {
            match item {
                Err(refusal) => batch.report.refuse(number, refusal),
                Ok(mut item) => {
                    item.rename(names);
                    match item {
                        Item::Session(session) => batch.sessions.push((number, session)),
                        Item::Message(message) => batch.messages.push((number, message)),
                        Item::Memory(memory) => batch.memories.push((number, memory)),
                    }
                }
            }
        }
        batch
    }
}

/// Items whose ids are not taken, and how many are there already. What is in `found` grows by the new ones, so that a line
/// which is there twice is imported once.
fn fresh<T: SameAs + Clone>(
    items: Vec<(usize, T)>,
    id: impl Fn(&T) -> Uuid,
    found: &mut HashMap<Uuid, T>,
    report: &mut Report,
    taken: impl Fn(&T) -> bool,
) -> (Vec<(usize, T)>, usize) {
    let (mut new, mut skipped) = (Vec::new(), 0);
    for (line, item) in items {
        match found.get(&id(&item)) {
            Some(known) if known.same_as(&item) => skipped += 1,
            Some(_) => report.refuse(line, Refusal::different()),
            None if taken(&item) => report.refuse(line, Refusal::different()),
            None => {
                found.insert(id(&item), item.clone());
                new.push((line, item));
            }
        }
    }
    (new, skipped)
}

/// Ids that an entry of another kind has.
fn other_kinds(conn: &mut PgConnection, batch: &Batch, ids: &[Uuid], kind: Kind) -> Result<HashSet<Uuid>, Error> {
    let kinds = entries::kinds(conn, batch.allowed.org, ids)?;
    Ok(kinds.into_iter().filter(|(_, other)| *other != kind).map(|(id, _)| id).collect())
}
