//! A filter in the lexicon's own numbers, so that it can be asked of every entry. Its meaning is [`Filter::accepts`].

use super::{Lexicon, Place, Row};
use crate::domain::filter::Filter;

/// Decides which slots a filter lets through.
pub(super) struct Gate<'a> {
    rows: &'a [Row],
    filter: &'a Filter,
    /// By number of the place.
    places: Vec<bool>,
    /// By number of the set of labels; `None` if any will do.
    labels: Option<Vec<bool>>,
}

impl<'a> Gate<'a> {
    pub fn new(lexicon: &'a Lexicon, filter: &'a Filter) -> Self {
        let wanted = |subject: &str| filter.subject.as_deref().is_none_or(|wanted| wanted == subject);
        let within = |subject: &str| wanted(subject) && filter.reach.includes(Some(subject));
        let subjects: Vec<bool> = lexicon.subjects.values().iter().map(|subject| within(subject)).collect();
        let shared = (filter.subject.is_none() || filter.shared) && filter.reach.includes(None);
        // An agent that no entry has is a number that no place has.
        let agent = filter.agent.as_deref().map(|agent| lexicon.agents.get(agent).unwrap_or(u32::MAX));
        let admits = |place: &Place| {
            place.org == filter.org
                && place.subject.map_or(shared, |subject| subjects[subject as usize])
                && (filter.kinds.is_empty() || filter.kinds.contains(&place.kind))
                && (agent.is_none() || place.agent == agent)
                && (filter.session.is_none() || place.session == filter.session)
                && (filter.project.is_none() || place.project == filter.project)
                && (filter.collections.is_empty()
                    || place.collection.is_some_and(|id| filter.collections.contains(&id)))
        };
        // None if a wanted label is on no entry.
        let labels: Option<Vec<u32>> = filter.labels.iter().map(|label| lexicon.labels.get(label)).collect();
        let carries =
            |set: &[u32]| labels.as_ref().is_some_and(|labels| labels.iter().all(|label| set.contains(label)));
        Self {
            rows: &lexicon.rows,
            filter,
            places: lexicon.places.values().iter().map(|place| admits(place)).collect(),
            labels: (!filter.labels.is_empty())
                .then(|| lexicon.label_sets.values().iter().map(|set| carries(set)).collect()),
        }
    }

    /// Whether the slot has an entry that the filter lets through.
    pub fn admits(&self, slot: u32) -> bool {
        let row = &self.rows[slot as usize];
        row.place.is_some_and(|place| self.places[place as usize])
            && row.valid_from <= self.filter.valid_at
            && row.valid_to.is_none_or(|to| self.filter.valid_at < to)
            && row.expires_at.is_none_or(|at| self.filter.now < at)
            && self.filter.occurred_from.is_none_or(|from| row.occurred_at >= from)
            && self.filter.occurred_to.is_none_or(|to| row.occurred_at < to)
            && self.labels.as_ref().is_none_or(|sets| sets[row.labels as usize])
    }
}
