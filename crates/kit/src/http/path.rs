//! Ids in the path.
use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;

use super::{Problem, codes};

/// The path's parameters as `T`: an id, a tuple of ids in order, or a struct by name. What does not parse names nothing
/// that exists, so it is a 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathId<T>(pub T);

impl<T> PathId<T> {
    /// The id.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for PathId<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(match web::Path::<T>::from_request(req, payload).into_inner() {
            Ok(path) => Ok(Self(path.into_inner())),
            Err(_) => Err(Problem::new(&codes::NOT_FOUND)),
        })
    }
}
