//! Writes a lexicon anew without what is gone from it.

use std::sync::Arc;

use super::{Lexicon, Place, interned::Renewed, number};

impl Lexicon {
    /// Closes up empty slots and drops terms and attributes that no entry has any more. Postings stay in their order.
    pub(super) fn compact(&mut self) {
        let mut old = std::mem::take(self);
        let mut moved = vec![None; old.rows.len()];
        let mut places = Renewed::new(&old.places);
        let mut subjects = Renewed::new(&old.subjects);
        let mut agents = Renewed::new(&old.agents);
        let mut labels = Renewed::new(&old.labels);
        let mut label_sets = Renewed::new(&old.label_sets);
        let mut authors = Renewed::new(&old.authors);
        let mut threads = Renewed::new(&old.threads);
        let mut order = Vec::with_capacity(old.order.len());
        for (at, mut row) in old.rows.into_iter().enumerate() {
            let Some(place) = row.place else { continue };
            let slot = number(self.rows.len());
            moved[at] = Some(slot);
            row.place = Some(places.number_with(place, |place| {
                Arc::new(Place {
                    subject: place.subject.map(|subject| subjects.number(subject)),
                    agent: place.agent.map(|agent| agents.number(agent)),
                    ..Place::clone(place)
                })
            }));
            row.labels = label_sets.number_with(row.labels, |set| {
                let mut set: Vec<u32> = set.iter().map(|label| labels.number(*label)).collect();
                set.sort_unstable();
                Arc::from(set)
            });
            row.author = row.author.map(|author| authors.number(author));
            row.thread = row.thread.map(|thread| threads.number(thread));
            order.extend(row.thread.map(|thread| (thread, row.position, slot)));
            self.lengths.push(old.lengths[at]);
            self.rows.push(row);
        }
        let mut terms = Renewed::new(&old.terms);
        for (term, mut postings) in (0..).zip(old.postings) {
            postings.retain_mut(|posting| {
                let slot = moved[posting.slot as usize];
                posting.slot = slot.unwrap_or_default();
                slot.is_some()
            });
            if !postings.is_empty() {
                postings.shrink_to_fit();
                terms.number(term);
                self.postings.push(postings);
            }
        }
        for slot in old.slots.values_mut() {
            *slot = moved[*slot as usize].unwrap_or_default();
        }
        self.slots = old.slots;
        self.slots.shrink_to(2 * self.rows.len());
        self.order = order.into_iter().collect();
        self.places = places.finish();
        self.subjects = subjects.finish();
        self.agents = agents.finish();
        self.labels = labels.finish();
        self.label_sets = label_sets.finish();
        self.authors = authors.finish();
        self.threads = threads.finish();
        self.terms = terms.finish();
    }
}
