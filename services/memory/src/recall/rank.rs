//! What may follow the score: another fusion, boosts, a threshold, diversity, and packing into a budget. Each is optional, and
//! each keeps the scale on which the best answers are about 1.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    constants::{DIVERSITY_POOL, RRF_K},
    score::{Parts, Scored},
};
use crate::domain::entry::EntryId;

/// How the parts of a score become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fusion {
    /// The weighted sum that was measured to be best.
    #[default]
    Scores,
    /// Reciprocal ranks, by vectors and by words.
    Rrf,
}

/// What is added to a score for reasons that are not in the words.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Boosts {
    pub recency: Option<Recency>,
    /// For what is pinned, from 0 to 1.
    pub pinned: f64,
}

/// Adds `weight` to what happens now, half of it to what happened `half_life_days` ago, and so on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recency {
    /// From 0 to 1.
    pub weight: f64,
    /// Above 0.
    pub half_life_days: f64,
}

/// Gives each its score by `fusion` and sorts again.
pub fn fuse(scored: &mut [Scored], fusion: Fusion) {
    match fusion {
        Fusion::Scores => scored.iter_mut().for_each(|one| one.score = one.parts.sum()),
        Fusion::Rrf => reciprocal_ranks(scored),
    }
    scored.sort_by(Scored::order);
}

/// Adds the boosts and sorts again. Weights out of their range count as the nearest that is within.
pub fn boost(scored: &mut [Scored], boosts: Boosts, now: DateTime<Utc>) {
    for one in &mut *scored {
        if one.pinned {
            one.score += share(boosts.pinned);
        }
        if let Some(recency) = boosts.recency {
            one.score += recency.of(one.occurred_at, now);
        }
    }
    scored.sort_by(Scored::order);
}

impl Recency {
    fn of(self, occurred_at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
        let age = (now - occurred_at).max(TimeDelta::zero());
        let half_lives = age.as_seconds_f64() / TimeDelta::days(1).as_seconds_f64() / self.half_life_days;
        // A half-life that is no positive number gives no boost.
        if self.half_life_days > 0.0 { share(self.weight) * (-half_lives).exp2() } else { 0.0 }
    }
}

/// Leaves out what scores less.
pub fn at_least(scored: &mut Vec<Scored>, threshold: f64) {
    scored.retain(|one| one.score >= threshold);
}

/// Picks `limit` of the best that are not much like each other: maximal marginal relevance, Carbonell and Goldstein (SIGIR
/// 1998). `lambda` of 1 looks at the score alone and 0 at the difference alone; `likeness` is from 0 to 1, of vectors or of
/// [words](super::words::overlap). The scores stay what they are, so the result is not sorted by them.
pub fn diverse(
    mut scored: Vec<Scored>,
    lambda: f64,
    limit: usize,
    likeness: impl Fn(EntryId, EntryId) -> f64,
) -> Vec<Scored> {
    scored.truncate(DIVERSITY_POOL.max(limit));
    let lambda = share(lambda);
    let best = scored.iter().map(|one| one.score).fold(0.0, f64::max);
    let scale = if best > 0.0 { best } else { 1.0 };
    let mut left: Vec<(f64, Scored)> = scored.into_iter().map(|one| (0.0, one)).collect();
    let mut picked: Vec<Scored> = Vec::with_capacity(limit.min(left.len()));
    while picked.len() < limit && !left.is_empty() {
        let worth = |(likest, one): &(f64, Scored)| lambda * one.score / scale - (1.0 - lambda) * likest;
        // Of equals the first, which has the better score.
        let next = (1..left.len()).fold(0, |next, i| match worth(&left[i]).total_cmp(&worth(&left[next])) {
            Ordering::Greater => i,
            _ => next,
        });
        let (_, chosen) = left.remove(next);
        for (likest, one) in &mut left {
            *likest = likest.max(likeness(one.id, chosen.id));
        }
        picked.push(chosen);
    }
    picked
}

/// Takes items in their order, each whole, while they fit into a budget of tokens; one that does not is passed over.
pub fn packed<T>(items: Vec<T>, budget_tokens: usize, tokens: impl Fn(&T) -> usize) -> Vec<T> {
    let mut left = budget_tokens;
    let mut fits = |item: &T| {
        let rest = left.checked_sub(tokens(item));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    items.into_iter().filter(|item| fits(item)).collect()
}

/// Divided by the most that there can be, so that what is first in both lists has 1.
fn reciprocal_ranks(scored: &mut [Scored]) {
    let lists: [fn(&Parts) -> Option<f64>; 2] = [
        |parts| parts.cosine,
        |parts| Some(Parts { cosine: None, ..*parts }.sum()).filter(|_| parts.field + parts.surroundings > 0.0),
    ];
    for one in &mut *scored {
        one.score = 0.0;
    }
    for list in lists {
        let mut ranked: Vec<(f64, &mut Scored)> =
            scored.iter_mut().filter_map(|one| list(&one.parts).map(|value| (value, one))).collect();
        ranked.sort_by(|(a, one), (b, other)| {
            b.total_cmp(a).then_with(|| (one.occurred_at, one.id).cmp(&(other.occurred_at, other.id)))
        });
        let mut reciprocal = RRF_K;
        for (_, one) in ranked {
            reciprocal += 1.0;
            one.score += (RRF_K + 1.0) / reciprocal / 2.0;
        }
    }
}

/// A number from 0 to 1.
fn share(of: f64) -> f64 {
    // What is no number is not above 0.
    if of > 0.0 { of.min(1.0) } else { 0.0 }
}
