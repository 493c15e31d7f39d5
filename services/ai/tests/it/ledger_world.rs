//! A database with quotas in it, and ledgers on top, each as a replica of its own.

use std::{num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use ai::{
    Ai, MIGRATIONS,
    domain::{
        caller::Caller,
        chat::{Dialect, StopReason, TokenUsage},
        model::{Access, Model},
        money::{NanoUsd, Prices},
        quota::{Metric, Subject},
        window::Period,
    },
    ledger::{Estimate, Ledger, Operation, Outcome, Refusal, Reservation, Settings, Spent},
    teams::TeamBook,
};
use contracts::{CompletionId, ModelId, Role};
use db::{
    Db, Passwords,
    diesel::{self, Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, sql_query, sql_types},
};
use kit::{CancellationToken, Core, Ids as _, ManualClock, NewId as _, RandomIds};
use localinfra::{Postgres, PostgresOptions};
use testkit::{Actor, TestDb, test_start};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub struct World {
    app_url: String,
    admin_url: String,
    /// Dropped with the world; `None` on a server of the test's own.
    _db: Option<TestDb<Ai>>,
    pub clock: Arc<ManualClock>,
    pub caller: Caller,
    pub model: Model,
}

/// A ledger at work. Dropped it dies without a word, as after `kill -9`.
pub struct Replica {
    pub ledger: Ledger,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl World {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        Self::on(db.app_url(), db.admin_url(), Some(db))
    }

    /// On a server of the test's own, so that the test can end it; one that keeps what it has acknowledged.
    pub async fn with_own_postgres(dir: &Path) -> (Self, Postgres) {
        let dir = dir.to_owned();
        let start = move || Postgres::start(dir, PostgresOptions::durable()).unwrap();
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        let password = || "tests-only".to_owned().into();
        let passwords = Passwords { owner: password(), app: password() };
        db::provision(&server.admin_url(), "ai", &passwords).await.unwrap();
        let url = |role: &str| server.url_with_password("postgres", role, "tests-only");
        db::migrate(&url(&db::roles::owner("ai")), "ai", MIGRATIONS).await.unwrap();
        (Self::on(url(&db::roles::app("ai")), server.admin_url(), None), server)
    }

    fn on(app_url: String, admin_url: String, db: Option<TestDb<Ai>>) -> Self {
        let Actor { user, org, role, .. } = Actor::new(Role::Member);
        let caller = Caller { org, user, role, api_key: None };
        let clock = Arc::new(ManualClock::new(test_start()));
        Self { app_url, admin_url, _db: db, clock, caller, model: model("fast") }
    }

    /// Somebody else of the same organization.
    pub fn colleague(&self) -> Caller {
        Caller { user: Actor::new(Role::Member).user, ..self.caller }
    }

    pub fn replica(&self) -> Replica {
        self.replica_with(quick())
    }

    pub fn replica_with(&self, settings: Settings) -> Replica {
        self.replica_on(&self.app_url, settings)
    }

    pub fn replica_on(&self, url: &str, settings: Settings) -> Replica {
        let pool = db::Settings::new(url, NonZeroUsize::new(4).unwrap());
        let db = Db::open(&pool, "ai", &Core::outside("ai")).unwrap();
        let ledger = Ledger::open(&db, &TeamBook::new(&db), self.clock.clone(), Arc::new(RandomIds), settings);
        let stop = CancellationToken::new();
        let task = kit::tasks::spawn("ledger", (ledger.task().run)(stop.clone()));
        Replica { ledger, stop, task }
    }

    /// A quota of the caller's organization.
    pub async fn quota(&self, subject: Subject, period: Period, metric: Metric, limit: i64) -> Uuid {
        self.quota_of(subject, None, period, metric, limit).await
    }

    pub async fn quota_of(
        &self,
        subject: Subject,
        model: Option<&str>,
        period: Period,
        metric: Metric,
        limit: i64,
    ) -> Uuid {
        let (id, org, model) = (RandomIds.uuid(), self.caller.org.uuid(), model.map(str::to_owned));
        self.admin(move |conn| {
            sql_query(
                "INSERT INTO ai.quotas (id, org_id, subject, subject_id, model, period, metric, limit_amount, thresholds, \
                 created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '{50,80}', now(), now())",
            )
            .bind::<sql_types::Uuid, _>(id)
            .bind::<sql_types::Uuid, _>(org)
            .bind::<sql_types::Text, _>(subject.kind().as_str())
            .bind::<sql_types::Nullable<sql_types::Uuid>, _>(subject.id())
            .bind::<sql_types::Nullable<sql_types::Text>, _>(model)
            .bind::<sql_types::Text, _>(period.as_str())
            .bind::<sql_types::Text, _>(metric.as_str())
            .bind::<sql_types::BigInt, _>(limit)
            .execute(conn)
        })
        .await;
        id
    }

    pub async fn admin<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut PgConnection) -> diesel::QueryResult<T> + Send + 'static,
    ) -> T {
        let url = self.admin_url.clone();
        let work = move || work(&mut PgConnection::establish(&url).unwrap()).unwrap();
        tokio::task::spawn_blocking(work).await.unwrap()
    }

    /// The number that `sql` selects, as the superuser.
    pub async fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::BigInt)]
            n: i64,
        }
        let sql = format!("SELECT ({sql})::bigint AS n");
        self.admin(move |conn| sql_query(sql).get_result::<Row>(conn)).await.n
    }

    /// `used` and `leased` of all windows together.
    pub async fn windows(&self) -> (i64, i64) {
        let used = self.number("SELECT coalesce(sum(used), 0) FROM ai.quota_windows").await;
        (used, self.number("SELECT coalesce(sum(leased), 0) FROM ai.quota_windows").await)
    }

    /// Runs a statement as the superuser.
    pub async fn execute(&self, sql: impl Into<String>) -> usize {
        let sql = sql.into();
        self.admin(move |conn| sql_query(sql).execute(conn)).await
    }

    /// How many events of a type wait to be published.
    pub async fn events(&self, name: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM ai.outbox_events WHERE type = 'brainops.ai.{name}.v1'")).await
    }

    pub async fn records(&self) -> i64 {
        self.number("SELECT count(*) FROM ai.usage_records").await
    }

    pub async fn reserve(&self, replica: &Replica, tokens: u64) -> Result<Reservation, Refusal> {
        self.reserve_as(replica, &self.caller, tokens).await
    }

    pub async fn reserve_as(&self, replica: &Replica, caller: &Caller, tokens: u64) -> Result<Reservation, Refusal> {
        let estimate = Estimate { tokens, cost: NanoUsd(i64::try_from(tokens).unwrap() * 1_000) };
        let operation = Operation::Chat(Dialect::ChatCompletions);
        replica.ledger.reserve(RandomIds.new::<CompletionId>(), caller, &self.model, operation, estimate).await
    }
}

impl Replica {
    /// Ends as after SIGTERM: everything is written, every slice given back.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Ends as after `kill -9`.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err());
    }
}

/// Settings under which nothing has to be waited for long.
pub fn quick() -> Settings {
    Settings { lease_idle: Duration::from_millis(50), refusal_life: Duration::from_millis(20), ..Settings::default() }
}

pub fn model(alias: &str) -> Model {
    Model {
        id: RandomIds.new::<ModelId>(),
        org: None,
        alias: alias.to_owned(),
        display_name: None,
        context_window: 8_192,
        max_output_tokens: None,
        capabilities: Vec::new(),
        prices: Prices::default(),
        enabled: true,
        access: Access::default(),
        routes: Vec::new(),
        created_at: test_start(),
    }
}

/// A call that used so many tokens, half of them output, for a thousand nano-USD each.
pub fn spent(tokens: u64) -> Spent {
    Spent {
        usage: TokenUsage { input: tokens - tokens / 2, output: tokens / 2, ..TokenUsage::default() },
        cost: NanoUsd(i64::try_from(tokens).unwrap() * 1_000),
        estimated: false,
        provider: Some("openai".into()),
        upstream_model: Some("gpt-5-mini".into()),
        streamed: true,
        outcome: Outcome::Completed,
        stop: Some(StopReason::End),
        time_to_first_token: Some(Duration::from_millis(180)),
        duration: Duration::from_millis(900),
        attempts: 1,
        cached: false,
        session_id: Some("support-4711".into()),
        turn: None,
    }
}

/// Waits until it holds. What is awaited is in the database, which tells nobody.
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < until, "not in 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
