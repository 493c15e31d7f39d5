//! Requests that carry an `Idempotency-Key` take effect once. The answer is stored in the transaction of the change, so
//! there is never a change without its answer nor an answer without its change.
//!
//! A key that is being worked on is locked with an advisory lock and not with a row: whoever comes second learns it at once
//! (409) instead of waiting with a connection in hand, and there are no half-finished rows to clean up. The primary key
//! stands behind the lock as the last word.

use contracts::{OrgId, UserId};
use diesel::{PgConnection, dsl, dsl::IntervalDsl, prelude::*, sql_types};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{Error, schema::idempotency_keys as table};

/// How long an answer is kept, in hours by the database's clock, which all replicas share.
pub const KEPT_HOURS: i32 = 24;

/// The largest body that is stored, in bytes: what a request of the usual size (1 MiB) asks to be stored, as an answer.
pub const LARGEST_BODY: usize = 2 << 20;

/// Who asks for what, under which key.
#[derive(Clone, Debug)]
pub struct Request {
    scope: [u8; 32],
    body_hash: [u8; 32],
    org: Option<OrgId>,
    user: Option<UserId>,
    route: String,
}

impl Request {
    /// `route` is method and template (`POST /v1/projects`), `body_hash` that of the body as it came
    /// ([`kit::http::body_hash`]).
    pub fn new(org: Option<OrgId>, user: Option<UserId>, route: &str, key: &str, body_hash: [u8; 32]) -> Self {
        let mut hash = blake3::Hasher::new_derive_key("brainops 2026 idempotency scope");
        for id in [org.map(OrgId::uuid), user.map(UserId::uuid)] {
            hash.update(id.unwrap_or(Uuid::nil()).as_bytes());
        }
        // Both lengths are bounded by the HTTP layer; the separator cannot be in a route.
        hash.update(route.as_bytes()).update(&[0]).update(key.as_bytes());
        Self { scope: *hash.finalize().as_bytes(), body_hash, org, user, route: route.to_owned() }
    }

    fn lock_key(&self) -> i64 {
        let mut key = [0; 8];
        key.copy_from_slice(&self.scope[..8]);
        i64::from_le_bytes(key)
    }
}

/// An answer as it is stored and replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// Headers to repeat, such as `Location` and `ETag`.
    pub headers: Vec<(String, String)>,
    /// At most [`LARGEST_BODY`] bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// 201 with what was made as JSON: where it is (`Location`) and its version (`ETag`).
    ///
    /// # Errors
    /// When `made` cannot be JSON.
    pub fn created(location: String, version: i64, made: &impl Serialize) -> Result<Self, serde_json::Error> {
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("location", location),
            ("etag", format!("\"{version}\"")),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
        Ok(Self { status: 201, headers, body: serde_json::to_vec(made)? })
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// An answer, and whether it is a repetition (`Idempotency-Replayed: true`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// It was stored by an earlier request.
    pub replayed: bool,
}

/// What is known of a request.
#[derive(Debug)]
pub enum Begin {
    /// Nothing: do it, then [`finish`].
    Fresh(Ticket),
    /// It was done; this was the answer.
    Replay(Answer),
}

/// The right to store the answer to a fresh request, in the transaction that began it.
#[derive(Debug)]
#[must_use = "without `finish` a repetition of the request takes effect again"]
pub struct Ticket(Request);

/// Runs `change` unless the request was answered before, and stores its answer. Without a request (no key was sent) it
/// just runs.
///
/// # Errors
/// What `change` gives: nothing is stored then, and the key can be used again. [`Error::IdempotencyInFlight`],
/// [`Error::IdempotencyMismatch`].
pub fn once<E: From<Error>>(
    conn: &mut PgConnection,
    request: Option<Request>,
    change: impl FnOnce(&mut PgConnection) -> Result<Answer, E>,
) -> Result<Answered, E> {
    let ticket = match request.map(|request| begin(conn, request)).transpose()? {
        Some(Begin::Replay(answer)) => return Ok(Answered { answer, replayed: true }),
        Some(Begin::Fresh(ticket)) => Some(ticket),
        None => None,
    };
    let answer = change(conn)?;
    if let Some(ticket) = ticket {
        finish(conn, ticket, &answer)?;
    }
    Ok(Answered { answer, replayed: false })
}

/// Looks a request up and, when it is fresh, reserves its key until the end of the transaction.
///
/// # Errors
/// [`Error::IdempotencyInFlight`] when another transaction works on this key, [`Error::IdempotencyMismatch`] when the key
/// was used with another body.
pub fn begin(conn: &mut PgConnection, request: Request) -> Result<Begin, Error> {
    // In a statement of its own: the next one must see what the last holder of the lock has committed.
    if !diesel::select(pg_try_advisory_xact_lock(request.lock_key())).get_result::<bool>(conn)? {
        return Err(Error::IdempotencyInFlight);
    }
    let stored = table::table
        .find(request.scope.as_slice())
        .filter(table::created_at.gt(dsl::now.into_sql::<sql_types::Timestamptz>() - KEPT_HOURS.hours()))
        .select(Stored::as_select())
        .first(conn)
        .optional()?;
    match stored {
        None => Ok(Begin::Fresh(Ticket(request))),
        Some(stored) if stored.body_hash != request.body_hash => Err(Error::IdempotencyMismatch),
        Some(stored) => stored.try_into().map(Begin::Replay),
    }
}

/// Stores the answer to a fresh request, in the same transaction as [`begin`].
///
/// # Errors
/// [`Error::Setup`] when the answer is too large to be stored: the change is rolled back, because it could not be repeated.
pub fn finish(conn: &mut PgConnection, ticket: Ticket, answer: &Answer) -> Result<(), Error> {
    let Ticket(request) = ticket;
    if answer.body.len() > LARGEST_BODY {
        return Err(Error::Setup(format!(
            "the answer to {} has {} bytes, too many to store",
            request.route,
            answer.body.len()
        )));
    }
    let row = (
        table::scope.eq(request.scope.as_slice()),
        table::org_id.eq(request.org.map(OrgId::uuid)),
        table::user_id.eq(request.user.map(UserId::uuid)),
        table::route.eq(request.route),
        table::body_hash.eq(request.body_hash.as_slice()),
        table::status.eq(i16::try_from(answer.status).unwrap_or(i16::MAX)),
        table::headers.eq(serde_json::to_value(&answer.headers)?),
        table::body.eq(answer.body.as_slice()),
        table::created_at.eq(dsl::now),
    );
    // A row that is there is past its time and was not swept yet.
    diesel::insert_into(table::table)
        .values(row.clone())
        .on_conflict(table::scope)
        .do_update()
        .set(row)
        .execute(conn)?;
    Ok(())
}

/// Forgets what a person asked and was answered, in all organizations; runs as the system role.
///
/// # Errors
/// When the database fails.
pub fn forget_user(conn: &mut PgConnection, user: UserId) -> Result<(), Error> {
    diesel::delete(table::table.filter(table::user_id.eq(user.uuid()))).execute(conn)?;
    Ok(())
}

diesel::define_sql_function! {
    fn pg_try_advisory_xact_lock(key: sql_types::BigInt) -> sql_types::Bool;
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = table)]
struct Stored {
    body_hash: Vec<u8>,
    status: i16,
    headers: Value,
    body: Vec<u8>,
}

impl TryFrom<Stored> for Answer {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        Ok(Self {
            status: u16::try_from(stored.status).unwrap_or(500),
            headers: serde_json::from_value(stored.headers)?,
            body: stored.body,
        })
    }
}
