//! Whoever may use the models: everybody who reaches the port, or who has the key when there is one.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data};
use kit::Problem;

use crate::{error::Error, state::AppState};

/// Proof that the caller may use the models.
pub struct Caller;

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(if may_enter(req) { Ok(Self) } else { Err(Error::InvalidApiKey.into()) })
    }
}

fn may_enter(req: &HttpRequest) -> bool {
    let Some(state) = req.app_data::<Data<AppState>>() else { return false };
    let Some(key) = &state.api_key else { return true };
    let shown = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    // Hashes compare in constant time, and say nothing about the length.
    shown.is_some_and(|shown| blake3::hash(shown.as_bytes()) == blake3::hash(key.expose().as_bytes()))
}
