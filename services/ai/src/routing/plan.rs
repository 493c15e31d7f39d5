//! What one call tries next. Pure: how the routes stand and the time are arguments.
//!
//! The rank with the smallest `fallback` comes first. Within a rank a route that was not tried goes before a second try of
//! one that was, and a second try is made only while it leaves an attempt for every later rank. What only a route's own
//! illness explains takes it out of this call; what is the request's own fault ends the call.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    choose::choose,
    dice::Dice,
    health::{Access, Standing},
};
use crate::{clients::Failure, domain::model::Route};

/// Pause before the second try of a route at most, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause before a try.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The attempts of one call so far.
#[derive(Debug)]
pub struct Plan<'a> {
    routes: &'a [Route],
    tried: Vec<Tried>,
    attempts_left: u32,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    times: u32,
    /// Trying it again is of no use to this call.
    out: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Call the route at this index of the model's, after a pause.
    Try { route: usize, pause: Duration },
    /// Every route that is left asked to be left alone, this one for the shortest time.
    Wait { until: Instant },
    /// Nothing is left. When it may be worth to come back, as far as that is known.
    GiveUp { come_back: Option<Instant> },
}

impl<'a> Plan<'a> {
    /// Nothing was tried yet.
    pub fn new(routes: &'a [Route], attempts: u32) -> Self {
        Self { routes, tried: vec![Tried::default(); routes.len()], attempts_left: attempts, over: false }
    }

    /// What to do now that the routes stand as `standing` says, by index.
    pub fn next(&self, standing: impl Fn(usize) -> Standing, dice: &Dice) -> Next {
        if self.over || self.attempts_left == 0 {
            return Next::GiveUp { come_back: None };
        }
        let usable: Vec<_> = (0..self.routes.len())
            .filter(|index| self.routes[*index].weight > 0 && !self.tried[*index].out)
            .map(|index| (index, self.routes[index].weight, standing(index)))
            .collect();
        let mut ranks: Vec<u32> = usable.iter().map(|(index, ..)| self.routes[*index].fallback).collect();
        ranks.sort_unstable();
        ranks.dedup();

        let free = |rank: u32, tried: bool| -> Vec<_> {
            let fits = |(index, _, standing): &&(usize, u32, Standing)| {
                self.routes[*index].fallback == rank
                    && (self.tried[*index].times > 0) == tried
                    && standing.access == Access::Free
            };
            usable.iter().filter(fits).copied().collect()
        };
        for (position, rank) in ranks.iter().enumerate() {
            if let Some(route) = choose(&free(*rank, false), dice) {
                return Next::Try { route, pause: Duration::ZERO };
            }
            let later = ranks[position + 1..].iter().filter(|rank| !free(**rank, false).is_empty()).count();
            if usize::try_from(self.attempts_left).is_ok_and(|left| left > later)
                && let Some(route) = choose(&free(*rank, true), dice)
            {
                return Next::Try { route, pause: pause(self.tried[route].times, dice) };
            }
        }
        let soonest = |wanted: fn(Access) -> Option<Instant>| {
            usable.iter().filter_map(|(_, _, standing)| wanted(standing.access)).min()
        };
        let waiting = soonest(|access| if let Access::Waiting(until) = access { Some(until) } else { None });
        let broken = soonest(|access| if let Access::Broken(until) = access { Some(until) } else { None });
        waiting.map_or(Next::GiveUp { come_back: broken }, |until| Next::Wait { until })
    }

    /// The route is being called.
    pub fn attempt(&mut self, route: usize) {
        self.attempts_left = self.attempts_left.saturating_sub(1);
        self.tried[route].times += 1;
    }

    /// The attempt at `route` failed before its first byte.
    pub fn failed(&mut self, route: usize, failure: &Failure) {
        self.tried[route].out |= !failure.kind.is_transient();
        self.over |= !failure.kind.may_fall_back();
    }
}

/// Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
fn pause(times: u32, dice: &Dice) -> Duration {
    dice.up_to(FIRST_PAUSE.saturating_mul(1 << times.saturating_sub(1).min(16)).min(LONGEST_PAUSE))
}
