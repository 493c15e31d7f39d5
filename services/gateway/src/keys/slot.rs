//! What is known of one key from one address, and for how long it is good.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use kit::auth::Claims;
use tokio::sync::Mutex;

/// An answer of auth is good for so long, whatever events come or do not come.
const KEPT_FOR: TimeDelta = TimeDelta::seconds(30);
/// From this age on it is asked for again in the background.
const RENEWED_AFTER: TimeDelta = TimeDelta::seconds(20);
/// A refused key may be made good again (its expiry prolonged, an address allowed); until then auth is not asked.
const REFUSED_FOR: TimeDelta = TimeDelta::seconds(10);
/// After a failure auth is left alone for so long.
const HOLD_OFF: TimeDelta = TimeDelta::seconds(1);

/// The token that a key was exchanged for.
#[derive(Debug)]
pub struct Exchanged {
    /// The `Authorization` that services get.
    pub authorization: hyper::header::HeaderValue,
    /// What the token says.
    pub claims: Arc<Claims>,
}

/// What auth said.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The key is good.
    Token(Arc<Exchanged>),
    /// It is not.
    Refused,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Verdict {
    /// This token is good.
    Use(Arc<Exchanged>),
    /// It is, and will soon be too old.
    UseAndRenew(Arc<Exchanged>),
    /// The key is not good.
    Refuse,
    /// Nothing is known, and auth failed a moment ago.
    Unavailable,
    /// Nothing is known.
    Ask,
}

/// The place of one key from one address.
#[derive(Debug, Default)]
pub struct Slot {
    /// None before the first answer.
    pub known: ArcSwapOption<Known>,
    /// Held while auth is asked.
    pub asking: Arc<Mutex<()>>,
}

/// The moment before a question.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// By the clock.
    pub at: DateTime<Utc>,
    /// In the order of changes, see [`Changed::heard`](super::Changed::heard).
    pub heard: u64,
}

/// What one exchange brought, and whether a later one failed.
#[derive(Clone, Debug)]
pub struct Known {
    /// None when auth has never answered.
    answer: Option<Answer>,
    /// The question that was answered so.
    pub asked: Asked,
    /// The last question since then that auth did not answer.
    failed_at: Option<DateTime<Utc>>,
}

impl Slot {
    /// auth answered what was `asked`.
    pub fn learn(&self, asked: Asked, answer: Answer) {
        self.known.store(Some(Arc::new(Known { answer: Some(answer), asked, failed_at: None })));
    }

    /// auth did not answer what was `asked`, until `now`.
    pub fn failed(&self, asked: Asked, now: DateTime<Utc>) {
        let before = self.known.load();
        let (answer, asked) = before.as_ref().map_or((None, asked), |known| (known.answer.clone(), known.asked));
        self.known.store(Some(Arc::new(Known { answer, asked, failed_at: Some(now) })));
    }
}

impl Known {
    /// What it is worth at `now`; `is_good` says whether a token is, its age aside. A token that was revoked is asked for
    /// again like one that has expired: whether its key still is good, as after all sessions of its owner were ended, is
    /// auth's to say.
    pub fn judge(&self, now: DateTime<Utc>, is_good: impl FnOnce(&Exchanged) -> bool) -> Verdict {
        let younger = |than: TimeDelta| within(now - self.asked.at, than);
        let failing = self.failed_at.is_some_and(|at| within(now - at, HOLD_OFF));
        let ask = if failing { Verdict::Unavailable } else { Verdict::Ask };
        match &self.answer {
            Some(Answer::Refused) if younger(REFUSED_FOR) => Verdict::Refuse,
            // While auth is away, the last token is good for as long as it lives.
            Some(Answer::Token(token)) if (younger(KEPT_FOR) || failing) && is_good(token) => {
                if younger(RENEWED_AFTER) || failing {
                    Verdict::Use(Arc::clone(token))
                } else {
                    Verdict::UseAndRenew(Arc::clone(token))
                }
            }
            _ => ask,
        }
    }
}

/// A negative age comes from a clock that was set back: then nothing is known about the real one.
fn within(age: TimeDelta, limit: TimeDelta) -> bool {
    age >= TimeDelta::zero() && age < limit
}

#[cfg(test)]
mod tests {
    use contracts::{Role, ScopeSet};

    use super::*;

    fn token() -> Answer {
        let id = uuid::Uuid::nil();
        let claims = Claims {
            iss: String::new(),
            aud: String::new(),
            sub: contracts::UserId::from_uuid(id),
            org: contracts::OrgId::from_uuid(id),
            sid: contracts::SessionId::from_uuid(id),
            role: Role::Member,
            scope: ScopeSet::default(),
            amr: Vec::new(),
            auth_time: 0,
            iat: 0,
            nbf: 0,
            exp: 0,
            jti: id,
            api_key: None,
        };
        let authorization = hyper::header::HeaderValue::from_static("Bearer x");
        Answer::Token(Arc::new(Exchanged { authorization, claims: Arc::new(claims) }))
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000 + seconds, 0).unwrap()
    }

    /// The verdict's name, `age` seconds after the answer and, if there was one, `failed` seconds after a failure.
    fn verdict(answer: Option<Answer>, age: i64, failed: Option<i64>, good: bool) -> &'static str {
        let known = Known { answer, asked: Asked { at: at(0), heard: 0 }, failed_at: failed.map(|ago| at(age - ago)) };
        match known.judge(at(age), |_| good) {
            Verdict::Use(_) => "use",
            Verdict::UseAndRenew(_) => "renew",
            Verdict::Refuse => "refuse",
            Verdict::Unavailable => "unavailable",
            Verdict::Ask => "ask",
        }
    }

    #[test]
    fn a_token_is_used_renewed_and_asked_for_as_it_ages() {
        for (age, expected) in [(0, "use"), (19, "use"), (20, "renew"), (29, "renew"), (30, "ask"), (-1, "ask")] {
            assert_eq!(verdict(Some(token()), age, None, true), expected, "{age}");
        }
        assert_eq!(verdict(Some(token()), 1, None, false), "ask");
    }

    #[test]
    fn a_refusal_is_remembered_for_a_while() {
        assert_eq!(verdict(Some(Answer::Refused), 9, None, true), "refuse");
        assert_eq!(verdict(Some(Answer::Refused), 10, None, true), "ask");
    }

    #[test]
    fn while_auth_is_away_the_last_token_lives_on_and_nothing_else_does() {
        assert_eq!(verdict(Some(token()), 45, Some(0), true), "use");
        assert_eq!(verdict(Some(token()), 45, Some(1), true), "ask", "auth is tried again");
        assert_eq!(verdict(Some(token()), 45, Some(0), false), "unavailable");
        assert_eq!(verdict(None, 0, Some(0), true), "unavailable");
        assert_eq!(verdict(Some(Answer::Refused), 11, Some(0), true), "unavailable");
    }
}
