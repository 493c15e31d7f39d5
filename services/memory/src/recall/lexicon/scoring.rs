//! The counts that a score is made of, for many candidates at once.

use std::collections::HashMap;

use super::{Gate, Lexicon, Posting};
use crate::{
    domain::{entry::EntryId, filter::Filter},
    recall::{
        constants::SURROUNDINGS_REACH,
        question::Question,
        score::{Candidate, Counts, Scored, scored},
    },
};

impl Lexicon {
    /// Scores those of the candidates that the filter lets through, best first. What the filter holds back is no part of
    /// anybody's surroundings either.
    pub fn score(
        &self,
        filter: &Filter,
        question: &Question,
        cosines: &HashMap<EntryId, f32>,
        candidates: &[EntryId],
    ) -> Vec<Scored> {
        let gate = Gate::new(self, filter);
        let mut slots: Vec<u32> = candidates.iter().filter_map(|id| self.slots.get(id)).copied().collect();
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|slot| gate.admits(*slot));
        let places = self.places_to_look(&gate, &slots);
        let counts = self.count(question, &places, slots.len());
        let mut scores: Vec<Scored> = slots
            .iter()
            .enumerate()
            .map(|(i, slot)| {
                let terms = question.terms().len();
                scored(&self.candidate(*slot), question, &counts[i * terms..(i + 1) * terms], cosines)
            })
            .collect();
        scores.sort_unstable_by(Scored::order);
        scores
    }

    fn candidate(&self, slot: u32) -> Candidate<'_> {
        let row = &self.rows[slot as usize];
        Candidate {
            id: row.id,
            author: row.author.map(|author| self.authors.value(author)),
            occurred_at: row.occurred_at,
            pinned: row.pinned,
            length: self.lengths[slot as usize],
        }
    }

    /// The slots whose words count for a candidate, in the order of slots.
    fn places_to_look(&self, gate: &Gate<'_>, candidates: &[u32]) -> Vec<Look> {
        let mut looks = Vec::with_capacity(candidates.len());
        for (candidate, slot) in candidates.iter().enumerate() {
            looks.push(Look { slot: *slot, candidate, distance: 0, itself: true });
            for (distance, slot) in self.around(*slot, SURROUNDINGS_REACH) {
                looks.push(Look { slot, candidate, distance, itself: false });
            }
        }
        looks.sort_unstable_by_key(|look| look.slot);
        let mut known = None;
        looks.retain(|look| {
            let admitted =
                known.filter(|(slot, _)| *slot == look.slot).map_or_else(|| gate.admits(look.slot), |(_, is)| is);
            known = Some((look.slot, admitted));
            admitted
        });
        looks
    }

    /// Counts by candidate and within it by term. Goes through each term's postings once, beside the slots to look at.
    fn count(&self, question: &Question, looks: &[Look], candidates: usize) -> Vec<Counts> {
        let terms = question.terms();
        let mut counts = vec![Counts::default(); candidates * terms.len()];
        for (i, term) in terms.iter().enumerate() {
            let mut rest = self.postings(&term.word);
            for look in looks {
                rest = from_slot(rest, look.slot);
                let Some(posting) = rest.first() else { break };
                if posting.slot == look.slot {
                    let counts = &mut counts[look.candidate * terms.len() + i];
                    counts.own_at[look.distance] += u32::from(posting.own);
                    if look.itself {
                        counts.field = posting.field;
                    }
                }
            }
        }
        counts
    }
}

/// A slot whose words count for a candidate, given by its index.
struct Look {
    slot: u32,
    candidate: usize,
    distance: usize,
    itself: bool,
}

/// The postings from `slot` on, found by steps that double: cheap when it is near, and never worse than halving.
fn from_slot(postings: &[Posting], slot: u32) -> &[Posting] {
    let mut step = 1;
    while postings.get(step - 1).is_some_and(|posting| posting.slot < slot) {
        step *= 2;
    }
    let (from, to) = (step / 2, step.min(postings.len()));
    let skipped = postings[from..to].partition_point(|posting| posting.slot < slot);
    &postings[from + skipped..]
}
