//! The language model is asked something for an organization, within what it may cost a day.

use std::time::{Duration, Instant};

use contracts::OrgId;
use db::diesel::PgConnection;

use crate::{
    clients::{language_model::Task, server::CallError},
    domain::tokens,
    error::Error,
    metrics,
    state::{AppState, Language},
    store::extraction_usage,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Until the next day of UTC.
    #[error("the organization has used its tokens of this day")]
    Exhausted,
    /// Until it answers again.
    #[error("the language model is away")]
    Unavailable(#[source] CallError),
    /// It may be this task.
    #[error("the language model does not do it")]
    Unacceptable(#[source] CallError),
    /// Also when it was told so.
    #[error("the language model does not keep to the schema")]
    Malformed,
    #[error("something of ours failed")]
    Failed(#[from] Error),
}

impl From<db::Error> for Trouble {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// What `read` makes of the answer. An answer that it cannot read goes back to the model once, with the reason. All of it within
/// `deadline`.
pub async fn ask_model<T, E: std::fmt::Display>(
    state: &AppState,
    language: &Language,
    org: OrgId,
    mut task: Task,
    deadline: Duration,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Trouble> {
    let begun = Instant::now();
    loop {
        let answer = once(state, language, org, &task, deadline.saturating_sub(begun.elapsed())).await?;
        match read(&answer) {
            Ok(read) => return Ok(read),
            Err(_) if task.correction.is_some() => return Err(Trouble::Malformed),
            Err(problem) => {
                let problem = format!("{problem}. Answer again, with nothing but a JSON document of that schema.");
                task.correction = Some((answer, problem));
            }
        }
    }
}

/// Reserves what it may cost, asks, and settles what it did cost.
async fn once(
    state: &AppState,
    language: &Language,
    org: OrgId,
    task: &Task,
    deadline: Duration,
) -> Result<String, Trouble> {
    let (day, limit) = (state.clock.now().date_naive(), language.tokens_per_day);
    let reserved = cost(task);
    let tenant = state.db.tenant(org);
    let reserve =
        move |conn: &mut PgConnection| Ok::<_, db::Error>(extraction_usage::reserve(conn, org, day, reserved, limit)?);
    if !tenant.tx(reserve).await? {
        return Err(Trouble::Exhausted);
    }
    let said = language.client.ask(&language.model, task, deadline).await;
    let used = match &said {
        Ok(said) => said.tokens.and_then(|tokens| i64::try_from(tokens).ok()).unwrap_or(reserved),
        Err(CallError::Malformed(..) | CallError::Late(_)) => reserved,
        Err(CallError::Unavailable(..) | CallError::Refused(..)) => 0,
    };
    metrics::model_tokens(used);
    let settle =
        move |conn: &mut PgConnection| Ok::<_, db::Error>(extraction_usage::settle(conn, org, day, reserved, used)?);
    tenant.tx(settle).await?;
    match said {
        Ok(said) => Ok(said.text),
        Err(error @ (CallError::Refused(..) | CallError::Malformed(..))) => Err(Trouble::Unacceptable(error)),
        Err(away) => Err(Trouble::Unavailable(away)),
    }
}

/// At most, about.
fn cost(task: &Task) -> i64 {
    let correction =
        task.correction.iter().map(|(answer, problem)| tokens::estimate(answer) + tokens::estimate(problem));
    let question = tokens::estimate(task.instructions) + tokens::estimate(&task.data) + correction.sum::<usize>();
    i64::try_from(question).unwrap_or(i64::MAX).saturating_add(i64::from(task.answer_tokens))
}
