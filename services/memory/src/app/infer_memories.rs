//! Somebody has facts taken from what was said, without keeping it.

use contracts::Origin;
use db::{
    diesel::PgConnection,
    idempotency::{self, Answer, Answered},
};
use kit::NewId as _;

use crate::{
    domain::{
        access::{Allowed, Refused, Write},
        extraction::{Extraction, Given, Status},
    },
    error::Error,
    state::AppState,
    store::extractions,
};

/// It is done a moment later. With a `request` a repetition gets the first answer, which is why the answer is made here, in the
/// transaction.
pub async fn infer_memories(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    given: Given,
    request: Option<idempotency::Request>,
    answer: fn(Extraction) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let subject = given.frame.belonging.subject.clone();
    if !allowed.sees(subject.as_deref()) {
        return Err(Refused::Subject.into());
    }
    if state.language.is_none() {
        return Err(Error::ExtractionUnavailable);
    }
    let extraction = Extraction {
        id: state.ids.new(),
        org: allowed.org,
        subject,
        status: Status::Waiting,
        memories: Vec::new(),
        created_by: allowed.user,
        created_at: origin.at,
        updated_at: origin.at,
    };
    let infer = move |conn: &mut PgConnection| {
        idempotency::once(conn, request, |conn| {
            extractions::insert(conn, &extraction, &given)?;
            answer(extraction).map_err(|error| Error::Db(error.into()))
        })
    };
    state.db.tenant(allowed.org).tx(infer).await
}
