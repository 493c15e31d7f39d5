//! Bodies of OpenAI's protocol. Its clients send fields that we have never heard of, so an unknown one is no mistake; one
//! that would change the answer and that we cannot honour is refused by name. What does not fit is a 400, as there.

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;
use kit::{
    Problem,
    http::{ValidJson, codes},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use validator::{Validate, ValidationErrors};

use crate::error::{self, Error};

/// A body whose fields have the right types and which asks for nothing unsupported.
pub struct Body<T>(pub T);

/// A body of the protocol.
pub trait OpenAi: DeserializeOwned + 'static {
    /// Fields that cannot be honoured.
    fn unsupported(&self) -> Vec<Unsupported<'_>>;
}

/// A field's name, what was sent, and whether that asks for nothing.
pub type Unsupported<'a> = (&'static str, &'a Option<Value>, fn(&Value) -> bool);

/// Values that ask for nothing, for [`OpenAi::unsupported`].
pub mod nothing {
    use serde_json::Value;

    pub fn off(value: &Value) -> bool {
        value == false
    }

    pub fn zero(value: &Value) -> bool {
        value == 0
    }

    pub fn one(value: &Value) -> bool {
        value == 1
    }

    pub fn empty(value: &Value) -> bool {
        value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(serde_json::Map::is_empty)
            || value == ""
    }

    /// Without tools there is nothing to choose.
    pub fn no_choice(value: &Value) -> bool {
        value == "none" || value == "auto"
    }

    pub fn text_only(value: &Value) -> bool {
        value.as_array().is_some_and(|all| all.iter().all(|one| one == "text"))
    }

    pub fn never(_: &Value) -> bool {
        false
    }
}

/// The rules of a body are looked at later, where their values are read.
#[derive(Deserialize)]
#[serde(transparent)]
struct Unruled<T>(T);

impl<T> Validate for Unruled<T> {
    fn validate(&self) -> Result<(), ValidationErrors> {
        Ok(())
    }
}

impl<T: OpenAi> FromRequest for Body<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = ValidJson::<Unruled<T>>::from_request(req, payload);
        Box::pin(async move {
            let body = body.await.map_err(as_bad_request)?.into_inner().0;
            for (param, value, asks_nothing) in body.unsupported() {
                if value.as_ref().is_some_and(|value| !asks_nothing(value)) {
                    let message = "is not supported by this server; leave it out".into();
                    return Err(Error::Unsupported { param: param.into(), message }.into());
                }
            }
            Ok(Self(body))
        })
    }
}

/// OpenAI's clients know no 422 for a field that does not fit.
fn as_bad_request(problem: Problem) -> Problem {
    if problem.code() == &codes::VALIDATION_FAILED {
        return Problem::new(&error::INVALID_VALUE).fields(problem.field_errors().iter().cloned());
    }
    problem
}
