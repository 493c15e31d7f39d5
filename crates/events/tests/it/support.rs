//! A service in miniature: it changes rows and appends events, it consumes its own events and notes the effects. Every
//! test has a database and a broker namespace of its own, and ends with the set check.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contracts::auth::v1::UserRegistered;
use contracts::{CloudEvent, Event, EventId, Origin};
use db::Db;
use db::diesel::prelude::*;
use db::diesel::sql_types::{BigInt, Uuid as SqlUuid};
use db::diesel::{self, Connection, PgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use events::{Broker, Consumer, ConsumerSpec, Delivery, Failure, Relay, Settings, dlq};
use kit::config::TelemetrySettings;
use kit::{CancellationToken, Core, Environment, Ids, RandomIds, Secret, Task};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection as Amqp, ConnectionProperties};
use localinfra::{Postgres, PostgresOptions, Rabbit, Shared};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

const SCHEMA: &str = "probe";
/// lapin warns of every returned message, with its body.
const LOG: &str = "info,lapin=error";
/// Of the event that the tests publish themselves.
const ROUTING_KEY: &str = "auth.user_registered.v1";
const PASSWORD: &str = "probe";
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("tests/it/migrations");
/// What one step of a test may take on a busy machine before it counts as never.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct World {
    pub core: Core,
    pub db: Db,
    pub broker: Broker,
    pub amqp_url: String,
    pub namespace: String,
    /// The test's database, as superuser.
    pub admin_url: String,
    server_url: String,
    database: String,
    /// What a client was told to be done.
    acknowledged: Mutex<Vec<Uuid>>,
    _shared: Arc<Shared>,
}

impl World {
    pub async fn new() -> Self {
        let shared = shared().await;
        let (server_url, amqp_url) = (shared.database_url.clone(), shared.amqp_url.clone());
        Self::with(shared, server_url, amqp_url).await
    }

    /// On a broker that may be killed. It must be dropped after the world.
    pub async fn with_own_broker() -> (Self, Arc<Mutex<Rabbit>>, tempfile::TempDir) {
        kit::tls::install();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let rabbit = spawn_blocking(move || Rabbit::start(path).unwrap()).await.unwrap();
        let url = rabbit.amqp_url();
        let shared = shared().await;
        let server_url = shared.database_url.clone();
        (Self::with(shared, server_url, url).await, Arc::new(Mutex::new(rabbit)), dir)
    }

    /// On a Postgres that may be killed, without fear for its disk. It must be dropped after the world.
    pub async fn with_own_postgres() -> (Self, Arc<Mutex<Postgres>>, tempfile::TempDir) {
        kit::tls::install();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let postgres =
            spawn_blocking(move || Postgres::start(path, PostgresOptions::durable()).unwrap()).await.unwrap();
        let url = postgres.admin_url();
        let shared = shared().await;
        let amqp_url = shared.amqp_url.clone();
        (Self::with(shared, url, amqp_url).await, Arc::new(Mutex::new(postgres)), dir)
    }

    /// Nothing listens where its broker should be.
    pub async fn without_broker() -> Self {
        let shared = shared().await;
        let server_url = shared.database_url.clone();
        Self::with(shared, server_url, "amqp://nobody:nothing@127.0.0.1:1/%2f".to_owned()).await
    }

    async fn with(shared: Arc<Shared>, server_url: String, amqp_url: String) -> Self {
        // The runner shows the lines of a test that fails.
        let telemetry = TelemetrySettings { log: LOG.into(), otlp_endpoint: None, trace_ratio: 1.0, sentry_dsn: None };
        kit::telemetry::init(&telemetry, "probe", Environment::Development);
        let database = format!("events_{}", RandomIds.uuid().simple());
        let admin_url = with_database(&server_url, &database);
        let (create, server) = (format!("CREATE DATABASE {database}"), server_url.clone());
        spawn_blocking(move || {
            diesel::sql_query(create).execute(&mut PgConnection::establish(&server).unwrap()).unwrap()
        })
        .await
        .unwrap();
        let password = || Secret::new(PASSWORD.to_owned());
        let passwords = db::Passwords { owner: password(), app: password() };
        db::provision(&admin_url, SCHEMA, &passwords).await.unwrap();
        db::migrate(&as_role(&admin_url, "brainops_probe_owner"), SCHEMA, MIGRATIONS).await.unwrap();
        let app_url = as_role(&admin_url, "brainops_probe_app");
        let core = Core::outside("probe");
        let namespace = format!("t{}", RandomIds.uuid().simple());
        let db = Db::open(&db::Settings::new(app_url, 8.try_into().unwrap()), SCHEMA, &core).unwrap();
        let settings = Settings { url: Secret::new(amqp_url.clone()), namespace: namespace.clone() };
        let broker = Broker::open(&settings, &core).unwrap();
        Self {
            core,
            db,
            broker,
            amqp_url,
            namespace,
            admin_url,
            server_url,
            database,
            acknowledged: Mutex::default(),
            _shared: shared,
        }
    }

    /// A second handle, as another replica has one.
    pub fn replica(&self) -> Broker {
        let settings = Settings { url: Secret::new(self.amqp_url.clone()), namespace: self.namespace.clone() };
        Broker::open(&settings, &self.core).unwrap()
    }

    /// One committed change with its event: what a client would have an acknowledgement of.
    pub async fn change(&self, subject: Uuid, sequence: i64) -> EventId {
        self.change_with(subject, sequence, Origin::system(self.core.clock.now())).await
    }

    pub async fn change_with(&self, subject: Uuid, sequence: i64, origin: Origin) -> EventId {
        self.try_change(subject, sequence, origin).await.unwrap()
    }

    /// A change that is in the journal when it was acknowledged, and may have happened all the same when it was not.
    pub async fn try_change(&self, subject: Uuid, sequence: i64, origin: Origin) -> Result<EventId, db::Error> {
        let ids = Arc::clone(&self.core.ids);
        let change = move |conn: &mut PgConnection| {
            let id = db::outbox::append(conn, &*ids, &origin, sequence, &registered(subject))?;
            note(conn, "changes", id, subject, sequence)?;
            Ok::<_, db::Error>(id)
        };
        let id = self.db.system("test").tx(change).await?;
        self.acknowledged.lock().unwrap().push(id.uuid());
        Ok(id)
    }

    /// An event without a change in the journal.
    pub async fn append<E: Event>(&self, event: E) -> EventId {
        let (ids, origin) = (Arc::clone(&self.core.ids), Origin::system(self.core.clock.now()));
        self.db.system("test").tx(move |conn| db::outbox::append(conn, &*ids, &origin, 1, &event)).await.unwrap()
    }

    /// A change in the journal whose event the test publishes itself.
    pub async fn note_change(&self, id: EventId, subject: Uuid, sequence: i64) {
        self.db.system("test").tx(move |conn| note(conn, "changes", id, subject, sequence)).await.unwrap();
    }

    /// The consumer of the tests: notes each effect once and tells how many it made.
    pub fn effects(&self, spec: ConsumerSpec) -> (Consumer, watch::Receiver<usize>) {
        let (count, counted) = watch::channel(0);
        let (db, queue) = (self.db.clone(), spec.queue);
        let consumer = Consumer::new(&self.broker, &self.db, spec).on(move |delivery: Delivery<UserRegistered>| {
            let (db, count) = (db.clone(), count.clone());
            async move {
                if apply(&db, queue, &delivery).await?.is_some() {
                    count.send_modify(|count| *count += 1);
                }
                Ok(())
            }
        });
        (consumer, counted)
    }

    /// Runs a consumer and waits until its queue is bound: what is published before that has no reader.
    pub async fn consume(&self, consumer: Consumer, queue: &str) -> Running {
        let running = run(consumer.task());
        eventually("the queue is bound and consumed", async || {
            self.queue(queue).await.is_some_and(|queue| queue.consumer_count() > 0)
        })
        .await;
        running
    }

    pub fn relay(&self) -> Running {
        run(Relay::new(&self.db, &self.broker).task())
    }

    /// The promise: every acknowledged change is there and took effect, once; nothing is left over anywhere.
    pub async fn check_sets(&self, queues: &[&str]) {
        let acknowledged = set(&self.acknowledged.lock().unwrap());
        let (changed, effects) = (set(&self.ids("changes").await), self.ids("effects").await);
        let happened = set(&effects);
        assert!(acknowledged.is_subset(&changed), "acknowledged changes are not in the database");
        let lost: Vec<_> = changed.difference(&happened).collect();
        assert!(lost.is_empty(), "{} of {} changes lost: {lost:?}", lost.len(), changed.len());
        let invented: Vec<_> = happened.difference(&changed).collect();
        assert!(invented.is_empty(), "effects without a change: {invented:?}");
        assert_eq!(effects.len(), happened.len(), "effects happened twice");
        eventually("the outbox is empty", async || self.ids("outbox_events").await.is_empty()).await;
        for queue in queues {
            // A consumer that stops gives back what it had not begun, which here can only be repetitions.
            let left = set(&self.take_all(queue).await);
            assert!(left.is_subset(&happened), "{queue} holds events without an effect");
        }
        for dead in dlq::list(&self.broker, queues).await.unwrap() {
            assert_eq!(dead.messages, Some(0), "dead letters in {}", dead.queue);
        }
    }

    pub async fn ids(&self, table: &'static str) -> Vec<Uuid> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = SqlUuid)]
            id: Uuid,
        }
        let column = if table == "outbox_events" { "id" } else { "event_id AS id" };
        self.admin(move |conn| {
            let rows: Vec<Row> =
                diesel::sql_query(format!("SELECT {column} FROM {SCHEMA}.{table}")).load(conn).unwrap();
            rows.into_iter().map(|row| row.id).collect()
        })
        .await
    }

    /// As superuser, on a connection of its own.
    pub async fn admin<T: Send + 'static>(&self, work: impl FnOnce(&mut PgConnection) -> T + Send + 'static) -> T {
        let url = self.admin_url.clone();
        spawn_blocking(move || work(&mut PgConnection::establish(&url).unwrap())).await.unwrap()
    }

    pub async fn amqp(&self) -> Amqp {
        Amqp::connect(&self.amqp_url, ConnectionProperties::default()).await.unwrap()
    }

    async fn queue(&self, queue: &str) -> Option<lapin::Queue> {
        let connection = self.amqp().await;
        let channel = connection.create_channel().await.unwrap();
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let name = format!("{}.{queue}", self.namespace);
        channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await.ok()
    }

    /// Messages ready in a consumer's queue.
    pub async fn depth(&self, queue: &str) -> u32 {
        self.queue(queue).await.expect("the queue exists").message_count()
    }

    /// Takes everything that is ready in a consumer's queue.
    async fn take_all(&self, queue: &str) -> Vec<Uuid> {
        let channel = self.amqp().await.create_channel().await.unwrap();
        let name = format!("{}.{queue}", self.namespace);
        let mut ids = Vec::new();
        while let Some(message) =
            channel.basic_get(name.as_str().into(), BasicGetOptions { no_ack: true }).await.unwrap()
        {
            ids.push(CloudEvent::from_json(&message.data).unwrap().id.uuid());
        }
        ids
    }

    /// Dead letters of a consumer's queue.
    pub async fn dead(&self, queue: &str) -> u32 {
        self.queue(&format!("brainops.dead.{queue}")).await.expect("the queue exists").message_count()
    }

    pub async fn first_dead_letter(&self, queue: &str) -> dlq::DeadLetter {
        loop {
            if let Some(letter) = dlq::show(&self.broker, queue, 1).await.unwrap().pop() {
                return letter;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every change has its effect and every event is confirmed.
    pub async fn settled(&self) {
        eventually("every change has its effect", async || {
            set(&self.ids("changes").await).is_subset(&set(&self.ids("effects").await))
        })
        .await;
        // A relay that repeats what a killed one had published may still be at it.
        eventually("the outbox is empty", async || self.ids("outbox_events").await.is_empty()).await;
    }

    /// Puts bodies on the exchange as any program could.
    pub async fn publish<'a>(&self, messages: impl IntoIterator<Item = (&'a [u8], BasicProperties)>) {
        let connection = self.amqp().await;
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let exchange = format!("{}.brainops.events", self.namespace);
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        for (body, properties) in messages {
            let publish =
                channel.basic_publish(exchange.as_str().into(), ROUTING_KEY.into(), options, body, properties);
            let confirmed = publish.await.unwrap().await.unwrap();
            assert!(confirmed.is_ack() && confirmed.take_message().is_none(), "no queue took the message");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Failing to clean up must not hide why the test failed.
        if let Ok(mut conn) = PgConnection::establish(&self.server_url) {
            let _ =
                diesel::sql_query(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database)).execute(&mut conn);
        }
    }
}

/// A task at work.
pub struct Running {
    stop: CancellationToken,
    handle: JoinHandle<anyhow::Result<()>>,
}

pub fn run(task: Task) -> Running {
    let stop = CancellationToken::new();
    let handle = kit::tasks::spawn("test", (task.run)(stop.clone()));
    Running { stop, handle }
}

impl Running {
    pub fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// As when the service leaves.
    pub async fn stop(self) {
        self.stop.cancel();
        within("a task stops", self.handle).await.unwrap().unwrap();
    }

    /// As when the process is killed: nothing of it runs on.
    pub async fn kill(self) {
        self.handle.abort();
        assert!(self.handle.await.unwrap_err().is_cancelled());
    }
}

/// The effect of an event, once.
pub async fn apply(db: &Db, queue: &'static str, delivery: &Delivery<UserRegistered>) -> Result<Option<()>, Failure> {
    let (id, sequence) = (delivery.id, delivery.sequence);
    let subject = delivery.event.user_id.parse().map_err(Failure::fail)?;
    let once = db
        .system("test")
        .tx(move |conn| db::inbox::once(conn, queue, id, |conn| note(conn, "effects", id, subject, sequence)))
        .await?;
    Ok(once)
}

fn note(conn: &mut PgConnection, table: &str, id: EventId, subject: Uuid, sequence: i64) -> Result<(), db::Error> {
    diesel::sql_query(format!("INSERT INTO {table} (event_id, subject, sequence) VALUES ($1, $2, $3)"))
        .bind::<SqlUuid, _>(id.uuid())
        .bind::<SqlUuid, _>(subject)
        .bind::<BigInt, _>(sequence)
        .execute(conn)?;
    Ok(())
}

pub fn registered(subject: Uuid) -> UserRegistered {
    UserRegistered {
        user_id: subject.to_string(),
        organization_id: RandomIds.uuid().to_string(),
        email: "ada@example.com".to_owned(),
        display_name: "Ada".to_owned(),
        registered_at: None,
    }
}

pub fn uuid() -> Uuid {
    RandomIds.uuid()
}

pub async fn counted(counter: &mut watch::Receiver<usize>, at_least: usize) {
    let seen = *counter.borrow();
    within(&format!("{at_least} effects (first {seen})"), counter.wait_for(|count| *count >= at_least)).await.unwrap();
}

pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// For what cannot be awaited, such as a queue length.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

fn set(ids: &[Uuid]) -> BTreeSet<Uuid> {
    ids.iter().copied().collect()
}

async fn shared() -> Arc<Shared> {
    kit::tls::install();
    Arc::new(spawn_blocking(|| localinfra::shared(localinfra::shared_dir()).unwrap()).await.unwrap())
}

fn with_database(url: &str, database: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, ""), |(base, query)| (base, query));
    let (server, _) = base.rsplit_once('/').unwrap();
    if query.is_empty() { format!("{server}/{database}") } else { format!("{server}/{database}?{query}") }
}

/// The address of a role in the database that `admin` names.
fn as_role(admin: &str, role: &str) -> String {
    let (scheme, rest) = admin.split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    format!("{scheme}://{role}:{PASSWORD}@{place}")
}
