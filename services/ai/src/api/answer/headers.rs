//! What the headers of an answer tell about its making. Those of a stream tell what is known when its head leaves: no cost.

use std::time::Duration;

use actix_web::{HttpResponseBuilder, http::header::HeaderValue};

use crate::{app::About, ledger::Limit};

/// Bytes of `x-brainops-warnings` at most.
const LONGEST: usize = 1_024;

/// Puts them all.
pub fn put(response: &mut HttpResponseBuilder, about: &About) {
    let mut text = |name: &'static str, value: &str| {
        // Names of providers and models are an administrator's choice, those of fields a caller's.
        let visible: String = value.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(LONGEST).collect();
        if let Ok(value) = HeaderValue::try_from(visible) {
            response.insert_header((name, value));
        }
    };
    text("x-brainops-model", &about.upstream_model);
    text("x-brainops-provider", &about.provider);
    if !about.warnings.is_empty() {
        text("x-brainops-warnings", &about.warnings.to_string());
    }
    text("x-brainops-cache", about.cache.as_str());
    text("x-brainops-overhead-ms", &milliseconds(about.overhead));
    text(
        "server-timing",
        &format!("provider;dur={}, overhead;dur={}", milliseconds(about.away), milliseconds(about.overhead)),
    );
    if let Some(limit) = about.headroom.requests {
        limited(&mut text, limit, "requests");
    }
    if let Some(limit) = about.headroom.tokens {
        limited(&mut text, limit, "tokens");
    }
    if let Some(memories) = about.recalled {
        response.insert_header(("x-brainops-recalled", memories));
    }
    response.insert_header(("x-brainops-attempts", u64::from(about.attempts)));
    if let Some(cost) = about.cost {
        response.insert_header(("x-brainops-cost-nanousd", cost));
    }
}

/// OpenAI's three headers of a limit.
fn limited(text: &mut impl FnMut(&'static str, &str), limit: Limit, of: &'static str) {
    let names: [&'static str; 3] = match of {
        "requests" => ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        _ => ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    };
    text(names[0], &limit.limit.to_string());
    text(names[1], &limit.remaining.max(0).to_string());
    text(names[2], &duration(limit.resets_in));
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}

/// As OpenAI writes them: `12ms`, `1s`, `6m0s`, `1h0m0s`; rounded up to whole seconds from one second on.
fn duration(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_millis());
    }
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_openai_writes_them() {
        for (ms, written) in [
            (0, "0ms"),
            (12, "12ms"),
            (1_000, "1s"),
            (59_001, "1m0s"),
            (360_000, "6m0s"),
            (3_600_000, "1h0m0s"),
            (90_061_000, "25h1m1s"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), written);
        }
    }
}
