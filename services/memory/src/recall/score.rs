//! The score of ADR 0013: a sum whose constants do not depend on what else is scored, so that scoring fewer entries changes no
//! score. Without any vectors it is the score of the words alone.

use std::{cmp::Ordering, collections::HashMap};

use chrono::{DateTime, Datelike, Utc};

use super::{
    constants::{
        B, DATE_WEIGHT, FIELD_WEIGHT, K1, NAME_WEIGHT, SURROUNDINGS_DECAY, SURROUNDINGS_REACH, SURROUNDINGS_WEIGHT,
    },
    question::Question,
};
use crate::domain::entry::EntryId;

/// An entry and how well it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub id: EntryId,
    pub score: f64,
    pub parts: Parts,
    pub occurred_at: DateTime<Utc>,
    pub pinned: bool,
}

/// What a score is made of, before it is weighed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// `None` if the entry has no vector yet, or there is none to compare it with.
    pub cosine: Option<f64>,
    /// What the entry says and replies to: BM25, each word of the question at most 1.9 times its rarity.
    pub field: f64,
    /// What is said around it, on the same scale.
    pub surroundings: f64,
    /// 1 if the question names the author.
    pub name: f64,
    /// 1 if the question names the month, 2 if also the day.
    pub date: f64,
}

impl Parts {
    /// The score.
    pub fn sum(&self) -> f64 {
        self.cosine.unwrap_or_default()
            + FIELD_WEIGHT * self.field
            + SURROUNDINGS_WEIGHT * self.surroundings
            + NAME_WEIGHT * self.name
            + DATE_WEIGHT * self.date
    }
}

impl Scored {
    /// Best first; of equals the one that came first, so that the same question gives the same order.
    pub fn order(&self, other: &Self) -> Ordering {
        let age = |of: &Self| (of.occurred_at, of.id);
        other.score.total_cmp(&self.score).then_with(|| age(self).cmp(&age(other)))
    }
}

/// What is known of a candidate beside its words.
pub(super) struct Candidate<'a> {
    pub id: EntryId,
    pub author: Option<&'a str>,
    pub occurred_at: DateTime<Utc>,
    pub pinned: bool,
    /// Of the field, in quarters.
    pub length: u32,
}

/// A word of the question in a candidate: in quarters in its field, and how often at each distance around it.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub field: u16,
    pub own_at: [u32; SURROUNDINGS_REACH as usize + 1],
}

/// The score of one candidate from its counts for the question's terms, in their order.
pub(super) fn scored(
    candidate: &Candidate<'_>,
    question: &Question,
    counts: &[Counts],
    cosines: &HashMap<EntryId, f32>,
) -> Scored {
    let (mut field, mut surroundings) = (0.0, 0.0);
    for (term, counts) in question.terms().iter().zip(counts) {
        field += term.idf * field_weight(counts.field, candidate.length, question.mean_length());
        surroundings += term.idf * surroundings_weight(&counts.own_at);
    }
    let parts = Parts {
        cosine: cosines.get(&candidate.id).copied().map(f64::from),
        field: field * question.damping(),
        surroundings: surroundings * question.damping(),
        name: f64::from(u8::from(candidate.author.is_some_and(|author| question.names(author)))),
        date: f64::from(date(question, candidate.occurred_at)),
    };
    let Candidate { id, occurred_at, pinned, .. } = *candidate;
    Scored { id, score: parts.sum(), parts, occurred_at, pinned }
}

/// How telling a word is that `frequency` of `entries` have, from 0 to about 1 however many there are.
pub(super) fn inverse_document_frequency(entries: u32, frequency: u32) -> f64 {
    let (n, df) = (f64::from(entries), f64::from(frequency));
    (1.0 + (n - df + 0.5) / (df + 0.5)).ln() / (1.0 + n).ln()
}

/// BM25 of a count in a field; all in quarters.
pub(super) fn field_weight(count: u16, length: u32, mean_length: f64) -> f64 {
    let count = f64::from(count) / 4.0;
    saturated(count, K1 * (1.0 - B + B * f64::from(length) / mean_length))
}

fn surroundings_weight(own_at: &[u32]) -> f64 {
    let (mut sum, mut share) = (0.0, 1.0);
    for count in own_at {
        sum += share * f64::from(*count);
        share *= SURROUNDINGS_DECAY;
    }
    saturated(sum, K1)
}

fn saturated(count: f64, half: f64) -> f64 {
    if count > 0.0 { (K1 + 1.0) * count / (count + half) } else { 0.0 }
}

fn date(question: &Question, at: DateTime<Utc>) -> u8 {
    let named = question.dates().iter().filter(|date| date.month == at.month());
    named.map(|date| if date.day == Some(at.day()) { 2 } else { 1 }).max().unwrap_or_default()
}
