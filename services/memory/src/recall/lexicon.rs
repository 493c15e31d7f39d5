//! The words of one organization's entries, in memory. It is told changes in any order and any number of times; two lexicons
//! that were told of the same entries last give the same scores.
//!
//! An entry has a *slot*, in the order of coming. One that changes or goes leaves its slot empty, and its words are passed over
//! until so many slots are empty that the whole is written anew. So postings are in the order of slots without being searched
//! or moved on a change, and a change costs the same on average however much is contained.

mod compaction;
mod gate;
mod interned;
mod scope;
mod scoring;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use contracts::OrgId;
use uuid::Uuid;

pub use self::scope::Scope;
use self::{gate::Gate, interned::Interned};
use super::{
    constants::{ASKED_QUARTERS, COMPACTION_FLOOR, SAID_QUARTERS},
    question::folded,
    sentences::Sentences,
    words::each_word,
};
use crate::domain::{
    entry::{Attributes, Entry, EntryId, Kind},
    filter::Filter,
};

/// The index of words. See the module.
#[derive(Default)]
pub struct Lexicon {
    rows: Vec<Row>,
    /// Weighted number of words of each slot's field, in quarters; apart from the rows because searches go through them.
    lengths: Vec<u32>,
    slots: HashMap<EntryId, u32>,
    terms: Interned<str>,
    /// By term, in the order of slots.
    postings: Vec<Vec<Posting>>,
    places: Interned<Place>,
    subjects: Interned<str>,
    agents: Interned<str>,
    labels: Interned<str>,
    /// The labels of an entry, sorted.
    label_sets: Interned<[u32]>,
    authors: Interned<str>,
    threads: Interned<Uuid>,
    /// Slots by thread and position.
    order: BTreeSet<(u32, i64, u32)>,
}

/// What is kept of an entry beside its words.
struct Row {
    id: EntryId,
    /// `None` when the slot is empty.
    place: Option<u32>,
    author: Option<u32>,
    /// The session of a message, the document of a chunk.
    thread: Option<u32>,
    pinned: bool,
    position: i64,
    /// A set of labels.
    labels: u32,
    occurred_at: DateTime<Utc>,
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

/// What the entries of a session or a document share.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    org: OrgId,
    kind: Kind,
    subject: Option<u32>,
    agent: Option<u32>,
    session: Option<Uuid>,
    project: Option<Uuid>,
    collection: Option<Uuid>,
    document: Option<Uuid>,
}

/// A term in an entry: how often in the whole text, and in quarters in the field. Both stop at the most that fits.
#[derive(Clone, Copy, Debug, Default)]
struct Posting {
    slot: u32,
    own: u16,
    field: u16,
}

impl Lexicon {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds an entry or replaces what was known of it.
    pub fn upsert(&mut self, entry: &Entry) {
        self.remove(entry.id);
        let slot = number(self.rows.len());
        let row = self.row(entry);
        if let Some(thread) = row.thread {
            self.order.insert((thread, row.position, slot));
        }
        self.rows.push(row);
        self.slots.insert(entry.id, slot);
        let length = self.add_words(slot, entry);
        self.lengths.push(length);
    }

    /// Removes an entry. It may never have been there.
    pub fn remove(&mut self, id: EntryId) {
        let Some(slot) = self.slots.remove(&id) else { return };
        let row = &mut self.rows[slot as usize];
        row.place = None;
        if let Some(thread) = row.thread {
            self.order.remove(&(thread, row.position, slot));
        }
        let empty = self.rows.len() - self.slots.len();
        if empty > COMPACTION_FLOOR.max(self.slots.len() / 2) {
            self.compact();
        }
    }

    /// What the filter lets through, as it is now: frequencies and lengths are of that alone.
    pub fn scope(&self, filter: &Filter) -> Scope<'_> {
        Scope::new(self, filter)
    }

    /// The entries that the filter lets through with those of their session or document that are up to `reach` places away,
    /// each once.
    pub fn with_neighbours(&self, filter: &Filter, ids: &[EntryId], reach: u32) -> Vec<EntryId> {
        let gate = Gate::new(self, filter);
        let mut slots: Vec<u32> = ids.iter().filter_map(|id| self.slots.get(id)).copied().collect();
        slots.retain(|slot| gate.admits(*slot));
        let mut around: Vec<u32> =
            slots.iter().flat_map(|slot| self.around(*slot, reach)).map(|(_, slot)| slot).collect();
        around.retain(|slot| gate.admits(*slot));
        slots.append(&mut around);
        slots.sort_unstable();
        slots.dedup();
        slots.into_iter().map(|slot| self.rows[slot as usize].id).collect()
    }

    /// The slots up to `reach` places away in the same thread, each with its distance; the slot itself is not among them.
    fn around(&self, slot: u32, reach: u32) -> impl Iterator<Item = (usize, u32)> {
        let row = &self.rows[slot as usize];
        let (position, reach) = (row.position, i64::from(reach));
        let range = row.thread.map(|thread| {
            let (from, to) = (position.saturating_sub(reach), position.saturating_add(reach));
            self.order.range((thread, from, 0)..=(thread, to, u32::MAX))
        });
        let near = range
            .into_iter()
            .flatten()
            .map(move |(_, at, near)| (usize::try_from(at.abs_diff(position)).unwrap_or(usize::MAX), *near));
        near.filter(move |(_, near)| *near != slot)
    }

    fn row(&mut self, entry: &Entry) -> Row {
        let Attributes { occurred_at, valid_from, valid_to, expires_at, .. } = entry.attributes;
        let of = &entry.attributes;
        let place = Place {
            org: of.org,
            kind: of.kind,
            subject: of.subject.as_deref().map(|subject| self.subjects.number(subject)),
            agent: of.agent.as_deref().map(|agent| self.agents.number(agent)),
            session: of.session,
            project: of.project,
            collection: of.collection,
            document: of.document,
        };
        let thread = match of.kind {
            Kind::Message => of.session,
            Kind::Chunk => of.document,
            Kind::Memory => None,
        };
        Row {
            id: entry.id,
            place: Some(self.places.number(&place)),
            author: entry.author.as_deref().map(|author| self.authors.number(&folded(author))),
            thread: thread.map(|thread| self.threads.number(&thread)),
            pinned: entry.pinned,
            position: entry.position,
            labels: self.label_set(of.labels.iter().map(String::as_str)),
            occurred_at,
            valid_from,
            valid_to,
            expires_at,
        }
    }

    fn label_set<'a>(&mut self, labels: impl Iterator<Item = &'a str>) -> u32 {
        let mut set: Vec<u32> = labels.map(|label| self.labels.number(label)).collect();
        set.sort_unstable();
        self.label_sets.number(&set[..])
    }

    /// Adds the words of an entry and gives the length of its field.
    fn add_words(&mut self, slot: u32, entry: &Entry) -> u32 {
        let Sentences { asked, said } = Sentences::of(&entry.text);
        let mut found: Vec<(u32, u16, u16)> = Vec::new();
        for (text, own, field) in
            [(&said, 1, SAID_QUARTERS), (&asked, 1, ASKED_QUARTERS), (&entry.reply_to, 0, SAID_QUARTERS)]
        {
            each_word(text, |word| found.push((self.terms.number(word), own, field)));
        }
        self.postings.resize_with(self.terms.values().len(), Vec::new);
        found.sort_unstable();
        for same in found.chunk_by(|a, b| a.0 == b.0) {
            let posting = same.iter().fold(Posting { slot, ..Posting::default() }, |sum, (_, own, field)| Posting {
                own: sum.own.saturating_add(*own),
                field: sum.field.saturating_add(*field),
                ..sum
            });
            self.postings[same[0].0 as usize].push(posting);
        }
        found.iter().fold(0, |sum, (_, _, field)| sum.saturating_add(u32::from(*field)))
    }

    fn postings(&self, term: &str) -> &[Posting] {
        self.terms.get(term).map_or(&[], |number| &self.postings[number as usize])
    }
}

/// A count as it is kept: no organization has four billion of anything here.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
