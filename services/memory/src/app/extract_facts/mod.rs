//! Turns that wait have facts taken from them by a language model. Whoever does so claims them first; when they do not come
//! back, somebody else begins anew. Facts and the end of the job are one transaction.

mod load;
mod propose;
mod store;

use std::{sync::Arc, time::Duration};

use contracts::{MessageId, OrgId, UserId};
use db::diesel::PgConnection;

use super::ask_model::Trouble;
use crate::{
    domain::extraction::{Frame, Turn},
    error::Error,
    metrics,
    state::{AppState, Language},
    store::{extraction_jobs, extraction_usage, extractions},
};

/// For the model's answer, the second one included: a small model on a small machine takes its time.
const DEADLINE: Duration = Duration::from_mins(2);
/// Somebody who is not done by then is taken for dead.
const LEASE: Duration = Duration::from_mins(6);
/// Turns that a model could not deal with so often are left as they are.
const ATTEMPTS: i32 = 5;
/// Before the second attempt; twice as long before the third, and so on. Also while the model is away.
pub const PAUSE: Duration = Duration::from_secs(5);

/// Turns of one owner, to be dealt with together.
struct Work {
    claim: Claim,
    org: OrgId,
    by: UserId,
    frame: Frame,
    /// Earlier turns, only to be understood.
    context: Vec<Turn>,
    turns: Vec<Turn>,
    /// Of the turns, in their order. Empty when they are no messages of a session.
    messages: Vec<MessageId>,
    /// The first turn that is not among them.
    to: i64,
}

/// Where the turns are from.
enum Claim {
    Session(extraction_jobs::Job),
    Given(Box<extractions::Job>),
}

/// Deals with some turns; whether there were any.
///
/// # Errors
/// [`Trouble::Unavailable`] and [`Trouble::Failed`]: nothing is lost, and it is better to wait before going on.
pub async fn extract_facts(state: &AppState, language: &Language) -> Result<bool, Trouble> {
    let today = state.clock.now().date_naive();
    let claim = move |conn: &mut PgConnection| {
        if let Some(job) = extraction_jobs::claim(conn, today, LEASE)? {
            return Ok::<_, db::Error>(Some(Claim::Session(job)));
        }
        Ok(extractions::claim(conn, today, LEASE)?.map(|job| Claim::Given(Box::new(job))))
    };
    let Some(claim) = state.db.system("extraction").tx(claim).await? else { return Ok(false) };
    // A session that is gone has taken its job with it.
    let Some(work) = load::work(state, claim).await? else { return Ok(true) };
    let work = Arc::new(work);
    let done = match propose::facts(state, language, &work).await {
        Ok(proposals) => store::finish(state, &work, proposals).await.map_err(Trouble::from),
        Err(trouble) => Err(trouble),
    };
    let Err(trouble) = done else { return Ok(true) };
    let attempts = work.claim.attempts();
    match trouble {
        Trouble::Exhausted => {
            tracing::info!(org.id = %work.org, "An organization has used its tokens of this day; its turns wait for the next");
            metrics::extraction("exhausted");
            let org = work.org;
            let exhaust =
                move |conn: &mut PgConnection| Ok::<_, db::Error>(extraction_usage::exhaust(conn, org, today)?);
            state.db.tenant(org).tx(exhaust).await?;
            postpone(state, &work, Duration::ZERO, false).await?;
            Ok(true)
        }
        Trouble::Malformed => {
            tracing::warn!("A language model does not keep to the schema, and no facts are taken from some turns");
            give_up(state, &work, "malformed").await
        }
        Trouble::Unacceptable(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                extraction.attempts = attempts,
                "A language model did not take facts from some turns"
            );
            if attempts >= ATTEMPTS {
                return give_up(state, &work, "refused").await;
            }
            postpone(state, &work, PAUSE * 2_u32.saturating_pow(attempts.unsigned_abs()), true).await?;
            Ok(true)
        }
        Trouble::Unavailable(error) => {
            metrics::extraction("unavailable");
            postpone(state, &work, PAUSE, false).await?;
            Err(Trouble::Unavailable(error))
        }
        Trouble::Failed(error) if attempts >= ATTEMPTS => {
            tracing::error!(error = &error as &dyn std::error::Error, "Facts could not be taken from some turns");
            give_up(state, &work, "failed").await
        }
        Trouble::Failed(error) => {
            postpone(state, &work, PAUSE * 2_u32.saturating_pow(attempts.unsigned_abs()), true).await?;
            Err(error.into())
        }
    }
}

/// These turns stay without facts.
async fn give_up(state: &AppState, work: &Arc<Work>, outcome: &'static str) -> Result<bool, Trouble> {
    metrics::extraction(outcome);
    store::give_up(state, work).await?;
    Ok(true)
}

async fn postpone(state: &AppState, work: &Arc<Work>, pause: Duration, counts: bool) -> Result<(), Error> {
    let held = Arc::clone(work);
    let postpone = move |conn: &mut PgConnection| match &held.claim {
        Claim::Session(job) => Ok(extraction_jobs::postpone(conn, *job, pause, counts)?),
        Claim::Given(job) => Ok(extractions::postpone(conn, job, pause, counts)?),
    };
    state.db.tenant(work.org).tx(postpone).await
}

impl Claim {
    fn attempts(&self) -> i32 {
        match self {
            Self::Session(job) => job.attempts,
            Self::Given(job) => job.attempts,
        }
    }
}
