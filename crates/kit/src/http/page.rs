//! Lists: `?limit=` and an opaque `cursor` in, items and the next cursor out.
use std::{fmt, future::Ready, future::ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::{Problem, query};

/// How many items at most: 1 to 100, 25 when not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(u16);

impl Limit {
    /// The most items in one answer.
    pub const MAX: u16 = 100;

    /// The number; `None` outside 1 to 100.
    pub const fn new(items: u16) -> Option<Self> {
        if items >= 1 && items <= Self::MAX { Some(Self(items)) } else { None }
    }

    /// The number of items.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(25)
    }
}

impl From<Limit> for i64 {
    fn from(limit: Limit) -> Self {
        limit.0.into()
    }
}

impl From<Limit> for usize {
    fn from(limit: Limit) -> Self {
        limit.0.into()
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = u16::deserialize(deserializer)?;
        Self::new(items).ok_or_else(|| de::Error::custom("limit out of range, expected 1 to 100"))
    }
}

/// The paging parameters. As an extractor it takes nothing else; a route with filters too repeats both fields in its own
/// query type and calls [`Page::new`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
}

impl Page {
    /// From the fields of a larger query type.
    pub fn new(limit: Limit, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }
}

impl FromRequest for Page {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(query::parse(req.query_string()))
    }
}

/// The answer of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct List<T> {
    /// This page.
    pub items: Vec<T>,
    /// Send it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_1_to_100_with_25_by_default() {
        let limit = |query: &str| query::parse::<Page>(query).map(|page| page.limit.get());
        assert_eq!(limit("").unwrap(), 25);
        assert_eq!(limit("limit=1").unwrap(), 1);
        assert_eq!(limit("limit=100&cursor=abc").unwrap(), 100);
        for query in ["limit=0", "limit=101", "limit=-1", "limit=99999", "limit=", "limit=x", "page=2", "cursor="] {
            assert_eq!(limit(query).unwrap_err().code().status, 400, "{query}");
        }
    }
}
