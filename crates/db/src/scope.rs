//! Transactions and whom they work for. There is no way to a connection of the pool but through a scope.

use contracts::{OrgId, UserId};
use diesel::PgConnection;
use tokio::{sync::oneshot, task::spawn_blocking};
use tracing::field;
use uuid::Uuid;

use crate::{
    Db, Error, Inner, outbox,
    pool::{Pooled, Turn},
    probe::{Facts, Probe},
    roles, transaction,
};

/// How often [`Scope::tx_retrying`] runs its work at most.
const ATTEMPTS: u32 = 4;

impl Db {
    /// Work for one organization: its rows and no others can be seen or written.
    pub fn tenant(&self, org: OrgId) -> Scope {
        Scope::new(self, Whom::Tenant { org, user: None })
    }

    /// Work for one person, across organizations: the rows that are theirs.
    pub fn person(&self, user: UserId) -> Scope {
        Scope::new(self, Whom::Person(user))
    }

    /// The service's own work across all tenants, by the system role: relays, sweeps, log-ins that do not know the tenant
    /// yet. `purpose` says which and is counted, so that it can be watched; it is a word of the source code, never of a
    /// request.
    pub fn system(&self, purpose: &'static str) -> Scope {
        Scope::new(self, Whom::System(purpose))
    }
}

/// Whom a transaction works for, and how it is isolated. Made by [`Db::tenant`], [`Db::person`] and [`Db::system`].
#[derive(Clone)]
#[must_use = "a scope does nothing until a transaction runs in it"]
pub struct Scope {
    db: Db,
    whom: Whom,
    serializable: bool,
}

#[derive(Clone, Copy)]
enum Whom {
    Tenant { org: OrgId, user: Option<UserId> },
    Person(UserId),
    System(&'static str),
}

impl Whom {
    fn label(self) -> &'static str {
        match self {
            Self::Tenant { .. } => "tenant",
            Self::Person(_) => "person",
            Self::System(_) => "system",
        }
    }
}

impl Scope {
    fn new(db: &Db, whom: Whom) -> Self {
        Self { db: db.clone(), whom, serializable: false }
    }

    /// Also as this person: rows that are theirs become reachable beside the organization's.
    pub fn as_user(mut self, user: UserId) -> Self {
        self.whom = match self.whom {
            Whom::Tenant { org, .. } => Whom::Tenant { org, user: Some(user) },
            Whom::Person(_) => Whom::Person(user),
            // The system role reaches everything already.
            Whom::System(purpose) => Whom::System(purpose),
        };
        self
    }

    /// Isolated as if transactions ran one after another. It may then fail with [`Error::Serialization`]; pair it with
    /// [`tx_retrying`](Self::tx_retrying).
    pub fn serializable(mut self) -> Self {
        self.serializable = true;
        self
    }

    /// Runs `work` in one transaction on a blocking thread: commits when it gives `Ok`, rolls back when it gives `Err`
    /// or panics (the panic goes on to the caller).
    ///
    /// When the future is dropped, the work that has begun still runs to its end and commits.
    ///
    /// # Errors
    /// What `work` gives; [`Error::Busy`] when no connection was free within two seconds; [`Error::Unavailable`];
    /// and what a commit can fail with.
    pub async fn tx<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, E> + Send + 'static,
    {
        self.run(|conn, _begin| transaction::finish(conn, work)).await
    }

    /// Like [`tx`](Self::tx), and runs `work` again, up to four times in all, when the transaction lost against another
    /// one (serialization failure, deadlock). `work` must therefore do nothing outside of the database.
    pub async fn tx_retrying<T, E, F>(&self, mut work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnMut(&mut PgConnection) -> Result<T, E> + Send + 'static,
    {
        self.run(move |conn, begin| {
            let mut outcome = transaction::finish(conn, &mut work);
            for attempt in 1..ATTEMPTS {
                let lost = outcome.is_err() && Probe::take_facts(conn).lost_race;
                if !lost || transaction::is_lost(conn) {
                    break;
                }
                std::thread::sleep(pause(attempt));
                transaction::open(conn, begin).map_err(Error::from)?;
                outcome = transaction::finish(conn, &mut work);
            }
            outcome
        })
        .await
    }

    /// The statement that begins the transaction, in one round trip. Both settings are written each time, so that nothing
    /// which an earlier transaction left in the session shows through.
    fn begin(&self) -> String {
        let isolation = if self.serializable { " ISOLATION LEVEL SERIALIZABLE" } else { "" };
        let (org, user, role) = match self.whom {
            Whom::Tenant { org, user } => (Some(org.uuid()), user.map(UserId::uuid), None),
            Whom::Person(user) => (None, Some(user.uuid()), None),
            Whom::System(_) => (None, None, Some(roles::system(self.db.inner.schema))),
        };
        let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        let role = role.map(|role| format!("SET LOCAL ROLE \"{role}\";")).unwrap_or_default();
        format!(
            "BEGIN{isolation};{role}SELECT set_config('app.org','{}',true),set_config('app.user','{}',true)",
            text(org),
            text(user)
        )
    }

    async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Pooled, &str) -> Result<T, E> + Send + 'static,
    {
        let db = &self.db.inner;
        let scope = self.whom.label();
        if let Whom::System(purpose) = self.whom {
            db.pool.metrics.system(purpose);
        }
        let span = tracing::info_span!(
            "db.transaction",
            otel.kind = "client",
            db.system.name = "postgresql",
            db.namespace = db.schema,
            db.scope = scope,
            db.purpose = field::Empty,
        );
        if let Whom::System(purpose) = self.whom {
            span.record("db.purpose", purpose);
        }
        let turn = db.pool.turn().await?;
        let begin = self.begin();
        let (sender, outcome) = oneshot::channel();
        let inner = std::sync::Arc::clone(db);
        let job = spawn_blocking(move || {
            let _entered = span.enter();
            transact(&inner, turn, &begin, scope, work, sender);
        });
        match outcome.await {
            Ok(outcome) => outcome,
            // The sender is gone without a word: the work panicked, or the runtime is shutting down.
            Err(_) => match job.await {
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                _ => Err(Error::unavailable("the process is shutting down").into()),
            },
        }
    }
}

/// One transaction from taking the connection to giving it back.
fn transact<T, E: From<Error>>(
    db: &Inner,
    turn: Turn,
    begin: &str,
    scope: &str,
    work: impl FnOnce(&mut Pooled, &str) -> Result<T, E>,
    sender: oneshot::Sender<Result<T, E>>,
) {
    let mut conn = match db.pool.open(&turn, begin) {
        Ok(conn) => conn,
        Err(error) => {
            drop(turn);
            db.pool.metrics.ended(scope, "not_begun");
            drop(sender.send(Err(error.into())));
            return;
        }
    };
    Probe::take_facts(&mut conn);
    let outcome = work(&mut conn, begin);
    let Facts { events_appended, .. } = Probe::take_facts(&mut conn);
    db.pool.metrics.ended(scope, if outcome.is_ok() { "committed" } else { "rolled_back" });
    if outcome.is_ok() && events_appended {
        // The caller has its answer while the relay is being woken.
        drop(sender.send(outcome));
        outbox::wake_relay(db, &mut conn);
    } else {
        // The connection is back before the caller goes on to its next transaction.
        drop(conn);
        drop(turn);
        drop(sender.send(outcome));
    }
}

/// Grows with the attempts; the process's own randomness keeps two losers from meeting again.
fn pause(attempt: u32) -> std::time::Duration {
    use std::hash::{BuildHasher, RandomState};
    let jitter = RandomState::new().hash_one(attempt) % 10;
    std::time::Duration::from_millis(u64::from(attempt) * 5 + jitter)
}
