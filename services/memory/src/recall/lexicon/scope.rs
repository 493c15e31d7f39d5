//! What one filter lets through, with the statistics that words are weighed by.

use std::cmp::Ordering;

use super::{Gate, Lexicon, Posting, number};
use crate::{
    domain::{entry::EntryId, filter::Filter},
    recall::{
        question::{Question, Term},
        score::{field_weight, inverse_document_frequency},
    },
};

/// The entries of a lexicon that a filter lets through.
pub struct Scope<'a> {
    lexicon: &'a Lexicon,
    /// By slot.
    accepted: Vec<bool>,
    entries: u32,
    /// In quarters, as the lengths are.
    mean_length: f64,
    /// By number of the author.
    authors: Vec<bool>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(lexicon: &'a Lexicon, filter: &Filter) -> Self {
        let gate = Gate::new(lexicon, filter);
        let mut accepted = vec![false; lexicon.rows.len()];
        let mut authors = vec![false; lexicon.authors.values().len()];
        let (mut entries, mut length) = (0_u32, 0.0);
        for slot in (0..number(lexicon.rows.len())).filter(|slot| gate.admits(*slot)) {
            accepted[slot as usize] = true;
            entries += 1;
            length += f64::from(lexicon.lengths[slot as usize]);
            if let Some(author) = lexicon.rows[slot as usize].author {
                authors[author as usize] = true;
            }
        }
        Self { lexicon, accepted, entries, mean_length: length / f64::from(entries.max(1)), authors }
    }

    /// How many entries the filter lets through.
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// Whether somebody of that name, folded, said something here.
    pub(in crate::recall) fn has_author(&self, folded: &str) -> bool {
        self.lexicon.authors.get(folded).is_some_and(|author| self.authors[author as usize])
    }

    pub(in crate::recall) fn mean_length(&self) -> f64 {
        self.mean_length
    }

    /// The term with its weight here; `None` if no entry has it.
    pub(in crate::recall) fn term(&self, word: String) -> Option<Term> {
        let mut frequency = 0;
        let mut known = false;
        for posting in self.accepted(&word) {
            known = true;
            frequency += u32::from(posting.own > 0);
        }
        known.then(|| Term { word, idf: inverse_document_frequency(self.entries, frequency) })
    }

    /// The `limit` entries that answer best by the words of their field, best first; none without a word of the question.
    pub fn best_by_words(&self, question: &Question, limit: usize) -> Vec<EntryId> {
        let rows = &self.lexicon.rows;
        let mut sums = vec![0.0; rows.len()];
        for term in question.terms() {
            for posting in self.accepted(&term.word).filter(|posting| posting.field > 0) {
                let length = self.lexicon.lengths[posting.slot as usize];
                sums[posting.slot as usize] += term.idf * field_weight(posting.field, length, self.mean_length);
            }
        }
        let mut found: Vec<(f64, usize)> =
            sums.into_iter().enumerate().filter(|(_, sum)| *sum > 0.0).map(|(slot, sum)| (sum, slot)).collect();
        let better = |a: &(f64, usize), b: &(f64, usize)| -> Ordering {
            let age = |slot: usize| (rows[slot].occurred_at, rows[slot].id);
            b.0.total_cmp(&a.0).then_with(|| age(a.1).cmp(&age(b.1)))
        };
        if found.len() > limit {
            found.select_nth_unstable_by(limit, better);
            found.truncate(limit);
        }
        found.sort_unstable_by(better);
        found.into_iter().map(|(_, slot)| rows[slot].id).collect()
    }

    fn accepted(&self, word: &str) -> impl Iterator<Item = &'a Posting> {
        self.lexicon.postings(word).iter().filter(|posting| self.accepted[posting.slot as usize])
    }
}
