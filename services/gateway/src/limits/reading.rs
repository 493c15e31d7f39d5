//! What a caller is told of its limits: draft-ietf-httpapi-ratelimit-headers-10.

use std::fmt::Write as _;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Seconds of every window.
const WINDOW_S: u64 = 60;

/// One limit as a call left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The name of the limit.
    pub limit: &'static str,
    /// Calls in a window.
    pub quota: u32,
    /// Calls that are left.
    pub remaining: u32,
}

impl Reading {
    /// Seconds until nothing is missing, rounded up.
    fn reset_s(&self) -> u64 {
        let missing = self.quota.saturating_sub(self.remaining);
        (u64::from(missing) * WINDOW_S).div_ceil(u64::from(self.quota.max(1)))
    }
}

/// The limits that a call was counted against, at most two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readings([Option<Reading>; 2]);

impl Readings {
    /// One more; a third is not kept.
    pub fn push(&mut self, reading: Reading) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(reading);
        }
    }

    /// In the order they were met.
    pub fn iter(&self) -> impl Iterator<Item = &Reading> {
        self.0.iter().flatten()
    }

    /// Writes both headers: lists of structured fields (RFC 9651) whose members are named after the limits.
    pub fn write(&self, headers: &mut HeaderMap) {
        let (mut policy, mut limit) = (String::with_capacity(80), String::with_capacity(80));
        for reading in self.iter() {
            let comma = if policy.is_empty() { "" } else { ", " };
            let Reading { limit: name, quota, remaining } = reading;
            // Writing to a text cannot fail.
            let _ = write!(policy, "{comma}\"{name}\";q={quota};w={WINDOW_S}");
            let _ = write!(limit, "{comma}\"{name}\";r={remaining};t={}", reading.reset_s());
        }
        for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_lists_of_all_limits() {
        let mut readings = Readings::default();
        readings.push(Reading { limit: "caller", quota: 60_000, remaining: 59_999 });
        readings.push(Reading { limit: "organization", quota: 300, remaining: 0 });
        let mut headers = HeaderMap::new();
        readings.write(&mut headers);
        assert_eq!(headers.get(POLICY).unwrap(), "\"caller\";q=60000;w=60, \"organization\";q=300;w=60");
        assert_eq!(headers.get(LIMIT).unwrap(), "\"caller\";r=59999;t=1, \"organization\";r=0;t=60");
    }

    #[test]
    fn without_limits_there_are_no_headers() {
        let mut headers = HeaderMap::new();
        Readings::default().write(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn the_reset_is_rounded_up() {
        let reset = |quota, remaining| Reading { limit: "x", quota, remaining }.reset_s();
        assert_eq!((reset(60, 60), reset(60, 59), reset(7, 6), reset(7, 0)), (0, 1, 9, 60));
    }
}
