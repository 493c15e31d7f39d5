//! The caller as a person who has signed in.

use std::ops::Deref;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;

use super::Principal;
use crate::Problem;

crate::error_codes! {
    /// What [`Person`] refuses with, for the services that take one.
    pub static PERSON_CODES;

    /// An API key came where only a person may act.
    PERSON_REQUIRED = "person_required", 403, "An API key may not do this";
}

/// A caller who is no program with an API key: for what is not among the things that a key can be given, so that no key may
/// do it.
#[derive(Debug, Clone)]
pub struct Person(Principal);

impl Deref for Person {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl FromRequest for Person {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let principal = Principal::from_request(req, payload);
        Box::pin(async move {
            match principal.await? {
                program if program.api_key.is_some() => Err(Problem::new(&PERSON_REQUIRED)),
                person => Ok(Self(person)),
            }
        })
    }
}
