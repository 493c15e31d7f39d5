//! The caller as a person who has signed in.

use std::ops::Deref;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;
use kit::{Principal, Problem};

use crate::error::Error;

/// A caller who is no program with an API key: what concerns passwords and sessions is not among what a key can be given,
/// so no key may do it.
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
                program if program.api_key.is_some() => Err(Error::PersonRequired.into()),
                person => Ok(Self(person)),
            }
        })
    }
}
