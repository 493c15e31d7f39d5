//! A database for each test, copied from a template that holds the service's migrated schema.

use std::{
    marker::PhantomData,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use db::{Passwords, roles};
use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _, sql_query,
    sql_types,
};
use kit::{Env, Secret, Service, Settings as _};
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{app::base_environment, infra};

/// The password of every role in the tests; the server listens on loopback for this run only.
const PASSWORD: &str = "tests-only";
/// Key of the advisory lock under which templates are made and leftovers are swept (the letters "testkit" in ASCII).
const LOCK: i64 = 0x0074_6573_746b_6974;

/// A database that only one test sees; dropped with this value.
pub struct TestDb<S> {
    name: String,
    service: PhantomData<S>,
}

impl<S: Service> TestDb<S> {
    /// Makes the template when it is missing or from another build, and a copy of it for this test.
    pub async fn new() -> Self {
        let runtime = Handle::current();
        let name = spawn_blocking(move || {
            let template = ensure_template::<S>(&runtime);
            copy(&template)
        });
        Self { name: name.await.expect("no panic"), service: PhantomData }
    }

    /// URL for the app role, as the service uses it.
    pub fn app_url(&self) -> String {
        url(&self.name, Some(&roles::app(S::NAME)))
    }

    /// URL for the owner role, as migrations use it.
    pub fn owner_url(&self) -> String {
        url(&self.name, Some(&roles::owner(S::NAME)))
    }

    /// URL for the superuser, to look behind everything.
    pub fn admin_url(&self) -> String {
        url(&self.name, None)
    }

    /// Runs SQL as the superuser; for arranging and for looking behind everything. Panics when it fails.
    pub async fn admin<T: Send + 'static>(&self, work: impl FnOnce(&mut PgConnection) -> T + Send + 'static) -> T {
        let url = self.admin_url();
        spawn_blocking(move || work(&mut connect(&url))).await.expect("no panic")
    }
}

impl<S> Drop for TestDb<S> {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name);
        let dropped = PgConnection::establish(&infra().database_url).map(|mut admin| admin.batch_execute(&sql));
        if !matches!(dropped, Ok(Ok(()))) {
            // The next run sweeps it.
            tracing::warn!(database = self.name, "A test's database was not dropped");
        }
    }
}

/// Templates of builds that are this much older than ours are swept. Younger ones may be in use: by a second checkout, or
/// by a run that began before this build.
const KEPT: Duration = Duration::from_hours(1);

/// When this test binary was built, since 1970.
fn built() -> Duration {
    let exe = std::env::current_exe().and_then(std::fs::metadata).expect("this test's binary");
    exe.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).expect("a time")
}

/// Named by the build of this test binary: another build may bring other migrations.
fn template_name<S: Service>() -> String {
    format!("tmpl_{}_{:x}", S::NAME, built().as_nanos())
}

/// Whether a database is the template of a build of long ago.
fn is_stale_template(database: &str, service: &str) -> bool {
    let Some(build) = database.strip_prefix(&format!("tmpl_{service}_")) else { return false };
    // One that was never finished is named differently, and of no use to anybody.
    u128::from_str_radix(build, 16).map_or(true, |build| build + KEPT.as_nanos() < built().as_nanos())
}

/// Makes the template unless it is there. Whoever comes second waits for the lock, which ends with the connection.
fn ensure_template<S: Service>(runtime: &Handle) -> String {
    let template = template_name::<S>();
    let mut admin = connect(&infra().database_url);
    admin.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})")).expect("the lock");
    if exists(&mut admin, &template) {
        return template;
    }
    sweep(&mut admin, S::NAME);
    // Under another name until it is whole, so that a crash in between leaves no half template.
    let new = format!("{template}_new");
    admin.batch_execute(&format!("CREATE DATABASE \"{new}\"")).expect("a template");
    let password = || Secret::new(PASSWORD.to_owned());
    let passwords = Passwords { owner: password(), app: password() };
    runtime.block_on(db::provision(&url(&new, None), S::NAME, &passwords)).expect("roles and schema");
    runtime.block_on(S::migrate(config::<S>(&new))).expect("the service's migrations");
    admin.batch_execute(&format!("ALTER DATABASE \"{new}\" RENAME TO \"{template}\"")).expect("a template");
    template
}

/// Drops templates of old builds and databases whose test process is gone.
fn sweep(admin: &mut PgConnection, service: &str) {
    #[derive(QueryableByName)]
    struct Database {
        #[diesel(sql_type = sql_types::Text)]
        datname: String,
    }
    let known: Vec<Database> = sql_query("SELECT datname::text FROM pg_database").load(admin).expect("databases");
    for Database { datname } in known {
        let stale_template = is_stale_template(&datname, service);
        let owner = datname.strip_prefix("test_").and_then(|rest| rest.split('_').next()?.parse::<u32>().ok());
        let orphan = owner.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists());
        if stale_template || orphan {
            // Somebody else may be copying it at this moment; then the next run drops it.
            let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS \"{datname}\""));
        }
    }
}

fn copy(template: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut admin = connect(&infra().database_url);
    let sql = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
    admin.batch_execute(&sql).expect("no leftover of an earlier process with this id");
    admin.batch_execute(&format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"")).expect("a copy");
    name
}

fn exists(admin: &mut PgConnection, database: &str) -> bool {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = sql_types::Bool)]
        found: bool,
    }
    sql_query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS found")
        .bind::<sql_types::Text, _>(database)
        .get_result::<Found>(admin)
        .expect("databases")
        .found
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).expect("a connection to PostgreSQL")
}

/// The shared server's URL with another database, and another role when one is given.
fn url(database: &str, role: Option<&str>) -> String {
    let mut url: reqwest::Url = infra().database_url.parse().expect("a URL");
    url.set_path(database);
    if let Some(role) = role {
        url.set_username(role).expect("a host");
        url.set_password(Some(PASSWORD)).expect("a host");
    }
    url.into()
}

fn config<S: Service>(database: &str) -> S::Config {
    let mut values = base_environment("http://127.0.0.1:1");
    values.insert("BRAINOPS_MIGRATE_DATABASE_URL".into(), url(database, Some(&roles::owner(S::NAME))));
    let mut env = Env::from_map(values);
    let config = S::Config::read(&mut env);
    env.finish().expect("a configuration");
    config
}
