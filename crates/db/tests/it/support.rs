//! A database for a test, its roles, and a few words to say things with.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use contracts::{OrgId, Origin, UserId};
use db::{
    Db, Passwords, Settings,
    diesel::{self, Connection, PgConnection, QueryResult, RunQueryDsl, connection::SimpleConnection, sql_types},
    diesel_migrations::{EmbeddedMigrations, embed_migrations},
};
use kit::{CancellationToken, Ids, RandomIds, SystemClock};
use url::Url;
use uuid::Uuid;

pub const SCHEMA: &str = "dbtest";
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("tests/migrations");

/// A database that goes with this value.
pub struct Database {
    /// Superuser.
    pub admin: Url,
    name: String,
    /// Keeps the server running; `None` when the test runs its own.
    _server: Option<localinfra::Shared>,
}

impl Database {
    /// Provisioned and migrated, on the server that all tests share.
    pub async fn new() -> Self {
        let database = Self::empty().await;
        database.prepare().await;
        database
    }

    /// Without roles or tables.
    pub async fn empty() -> Self {
        let server =
            tokio::task::spawn_blocking(|| localinfra::shared(localinfra::shared_dir())).await.unwrap().unwrap();
        let admin = server.database_url.clone();
        Self::on(&admin, Some(server))
    }

    /// On a server of the test's own.
    pub fn on(admin: &str, server: Option<localinfra::Shared>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("db_it_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut admin: Url = admin.parse().unwrap();
        let mut conn = connect(&admin);
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
        conn.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        admin.set_path(&name);
        Self { admin, name, _server: server }
    }

    pub async fn prepare(&self) {
        db::provision(self.admin.as_str(), SCHEMA, &passwords()).await.unwrap();
        db::migrate(self.owner().as_str(), SCHEMA, MIGRATIONS).await.unwrap();
    }

    pub fn owner(&self) -> Url {
        self.login(&db::roles::owner(SCHEMA), "owner-password")
    }

    pub fn app(&self) -> Url {
        self.login(&db::roles::app(SCHEMA), "app-password")
    }

    pub fn login(&self, role: &str, password: &str) -> Url {
        let mut url = self.admin.clone();
        url.set_username(role).unwrap();
        url.set_password(Some(password)).unwrap();
        url
    }

    pub fn open(&self, pool: usize) -> Db {
        open(&self.app(), pool)
    }

    /// As superuser, whom no row level security binds.
    pub fn admin(&self) -> PgConnection {
        let mut conn = connect(&self.admin);
        conn.batch_execute(&format!("SET search_path TO {SCHEMA}")).unwrap();
        conn
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut server = self.admin.clone();
        server.set_path("postgres");
        if let Ok(mut conn) = PgConnection::establish(server.as_str()) {
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

pub fn passwords() -> Passwords {
    Passwords { owner: "owner-password".to_owned().into(), app: "app-password".to_owned().into() }
}

pub fn open(url: &Url, pool: usize) -> Db {
    let settings = Settings::new(url.as_str(), NonZeroUsize::new(pool).unwrap());
    Db::open(&settings, SCHEMA, &core()).unwrap()
}

fn core() -> kit::Core {
    kit::Core {
        service: SCHEMA,
        environment: kit::Environment::Development,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        http: kit::Outbound::default(),
        shutdown: CancellationToken::new(),
        lifecycle: kit::Lifecycle::default(),
    }
}

pub fn connect(url: &Url) -> PgConnection {
    PgConnection::establish(url.as_str()).unwrap()
}

pub fn id() -> Uuid {
    RandomIds.uuid()
}

pub fn org() -> OrgId {
    OrgId::from_uuid(id())
}

pub fn user() -> UserId {
    UserId::from_uuid(id())
}

pub fn origin(org: Option<OrgId>) -> Origin {
    use kit::Clock;
    Origin { actor: None, org, traceparent: None, at: SystemClock.now() }
}

/// The number that `sql` selects.
pub fn number(conn: &mut PgConnection, sql: &str) -> QueryResult<i64> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::BigInt)]
        n: i64,
    }
    diesel::sql_query(format!("SELECT ({sql})::bigint AS n")).get_result::<Row>(conn).map(|row| row.n)
}

/// The text that `sql` selects; empty for NULL.
pub fn text(conn: &mut PgConnection, sql: &str) -> QueryResult<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        t: String,
    }
    diesel::sql_query(format!("SELECT coalesce(({sql})::text, '') AS t")).get_result::<Row>(conn).map(|row| row.t)
}

/// Runs a statement; gives the number of rows.
pub fn run(conn: &mut PgConnection, sql: &str) -> QueryResult<usize> {
    diesel::sql_query(sql).execute(conn)
}

/// Adds a note.
pub fn note(conn: &mut PgConnection, org: OrgId, title: &str) -> Result<Uuid, db::Error> {
    let id = id();
    run(conn, &format!("INSERT INTO notes (id, org_id, title) VALUES ('{id}', '{org}', '{title}')"))?;
    Ok(id)
}

/// How many notes can be seen.
pub fn notes(conn: &mut PgConnection) -> Result<i64, db::Error> {
    Ok(number(conn, "SELECT count(*) FROM notes")?)
}

/// What Postgres says to a statement that it refuses.
pub fn refusal(conn: &mut PgConnection, sql: &str) -> String {
    match conn.batch_execute(sql) {
        Ok(()) => panic!("was not refused: {sql}"),
        Err(error) => error.to_string(),
    }
}

/// Waits until `ready` or for ten seconds.
pub async fn eventually(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !ready().await {
        assert!(started.elapsed() < Duration::from_secs(10), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
