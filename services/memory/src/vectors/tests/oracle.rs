//! What a search has to find: every entry compared with the question.

use std::collections::BTreeMap;

use crate::{
    domain::entry::{Attributes, EntryId},
    vectors::{Change, Hit, Query},
};

#[derive(Clone, Default)]
pub(super) struct Oracle(BTreeMap<EntryId, (Attributes, Vec<f32>)>);

impl Oracle {
    pub(super) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change.clone() {
                Change::Upsert { id, attributes, vector } => {
                    self.0.insert(id, (attributes, vector));
                }
                Change::Delete { org, id } => {
                    if self.0.get(&id).is_some_and(|(attributes, _)| attributes.org == org) {
                        self.0.remove(&id);
                    }
                }
            }
        }
    }

    pub(super) fn search(&self, query: &Query) -> Vec<Hit> {
        let accepted = self.0.iter().filter(|(_, (attributes, _))| query.filter.accepts(attributes));
        let hits = accepted.map(|(&id, (_, vector))| Hit { id, cosine: cosine(vector, &query.vector) });
        let mut hits = Hit::ranked(hits);
        hits.truncate(query.limit);
        hits
    }
}

#[expect(clippy::cast_possible_truncation, reason = "compared with 32-bit cosines")]
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let lengths = (product(a, a) * product(b, b)).sqrt();
    if lengths > 0.0 { (product(a, b) / lengths) as f32 } else { 0.0 }
}

/// The same entries with the same cosines; entries that are equally like may change places.
#[track_caller]
pub(super) fn assert_same(found: &[Hit], expected: &[Hit]) {
    assert_eq!(found.len(), expected.len(), "found {found:?}\nexpected {expected:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found.cosine - expected.cosine).abs() < 1e-4, "{found:?} instead of {expected:?}");
    }
    // Which of those that share the last cosine made it is open.
    let last = expected.last().map_or(0.0, |hit| hit.cosine) + 2e-4;
    let sure = |hits: &[Hit]| {
        let mut ids: Vec<_> = hits.iter().filter(|hit| hit.cosine > last).map(|hit| hit.id).collect();
        ids.sort_unstable();
        ids
    };
    let (sure_found, sure_expected) = (sure(found), sure(expected));
    assert!(sure_found.len().abs_diff(sure_expected.len()) <= 2, "found {sure_found:?}\nexpected {sure_expected:?}");
    for id in &sure_expected {
        assert!(found.iter().any(|hit| hit.id == *id), "{id:?} is missing");
    }
}
