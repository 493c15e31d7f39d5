//! What operators watch: how logins and exchanges of API keys end, and refresh tokens of which somebody had a copy.

use std::sync::LazyLock;

use kit::{Service as _, metrics::counters};
use prometheus::IntCounterVec;

use crate::{Auth, app::exchange_api_key::Refusal, error::Error};

static LOGINS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counters("auth_logins_total", "Logins by how they ended.", &["service", "outcome"]));

static EXCHANGES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Exchanges of API keys by how they ended.";
    counters("auth_api_key_exchanges_total", help, &["service", "outcome"])
});

static REUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Refresh tokens that were used again too late, each of which ended a session. Alert on any.";
    counters("auth_refresh_tokens_reused_total", help, &["service"])
});

/// Makes the metrics appear with zeros, so that an alert on an increase sees the first one.
pub fn announce() {
    REUSED.with_label_values(&[Auth::NAME]).inc_by(0);
    for outcome in ["succeeded", "failed", "limited", "error"] {
        LOGINS.with_label_values(&[Auth::NAME, outcome]).inc_by(0);
    }
    for outcome in ["exchanged", "malformed", "unknown", "wrong_secret", "over", "address", "owner", "error"] {
        EXCHANGES.with_label_values(&[Auth::NAME, outcome]).inc_by(0);
    }
}

/// Counts a login.
pub fn login<T>(result: &Result<T, Error>) {
    let outcome = match result {
        Ok(_) => "succeeded",
        Err(Error::InvalidCredentials | Error::AccountDisabled | Error::NoOrganization(_)) => "failed",
        Err(Error::TooMany(_)) => "limited",
        Err(_) => "error",
    };
    LOGINS.with_label_values(&[Auth::NAME, outcome]).inc();
}

/// Counts an exchange of an API key.
pub fn exchange(result: Result<Result<(), Refusal>, &Error>) {
    let outcome = match result {
        Ok(Ok(())) => "exchanged",
        Ok(Err(Refusal::Malformed)) => "malformed",
        Ok(Err(Refusal::Unknown)) => "unknown",
        Ok(Err(Refusal::WrongSecret)) => "wrong_secret",
        Ok(Err(Refusal::Over)) => "over",
        Ok(Err(Refusal::Address)) => "address",
        Ok(Err(Refusal::Owner)) => "owner",
        Err(_) => "error",
    };
    EXCHANGES.with_label_values(&[Auth::NAME, outcome]).inc();
}

/// Counts a copy of a refresh token that was found out.
pub fn refresh_token_reused() {
    REUSED.with_label_values(&[Auth::NAME]).inc();
}
