//! A producer and a consumer in miniature, on servers of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use contracts::auth::v1::UserRegistered;
use contracts::{CloudEvent, Event, EventId, Origin};
use db::Db;
use db::diesel::prelude::*;
use db::diesel::sql_types::{BigInt, Bool, Text, Uuid as SqlUuid};
use db::diesel::{self, Connection, PgConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use events::{Broker, Consumer, ConsumerSpec, Delivery, Failure, Relay, Settings};
use futures_util::future::try_join_all;
use kit::config::TelemetrySettings;
use kit::{
    CancellationToken, Clock, Core, Environment, Ids, Lifecycle, Outbound, RandomIds, Secret, SystemClock, Task,
};
use lapin::BasicProperties;
use localinfra::{Postgres, PostgresOptions, Rabbit};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

use crate::raw::Message;

const SCHEMA: &str = "probe";
const PASSWORD: &str = "probe";
const QUEUE: &str = "probe.auth";
/// Also used by the tests: a table of changes and one of effects.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("tests/it/migrations");
/// The default pool of a service.
const POOL: usize = 8;
const EVENTS_PER_TRANSACTION: usize = 20;
const SUBJECTS: usize = 1000;

pub struct World {
    /// Where the relay and the consumer work.
    pub db: Db,
    /// The same database as another process has it.
    pub replica: Db,
    pub amqp_url: String,
    broker: Broker,
    subjects: Vec<Uuid>,
    admin_url: String,
    // Dropped last, in this order.
    _servers: (Postgres, Rabbit),
    dir: tempfile::TempDir,
}

/// What a consumer did.
pub struct Effect {
    pub id: EventId,
    /// When its handler was called.
    pub handled: Instant,
    /// When its transaction had committed.
    pub committed: Instant,
}

/// A task at work.
pub struct Running {
    stop: CancellationToken,
    handle: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    fn start(task: Task) -> Self {
        let stop = CancellationToken::new();
        let handle = kit::tasks::spawn("bench", (task.run)(stop.clone()));
        Self { stop, handle }
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.handle.await?
    }
}

impl World {
    pub async fn new() -> anyhow::Result<Self> {
        kit::tls::install();
        let log = "info,lapin=error".to_owned();
        let telemetry = TelemetrySettings { log, otlp_endpoint: None, trace_ratio: 1.0, sentry_dsn: None };
        kit::telemetry::init(&telemetry, "probe", Environment::Production);
        let dir = tempfile::tempdir()?;
        let (postgres_dir, rabbit_dir) = (dir.path().join("postgres"), dir.path().join("rabbitmq"));
        let postgres = spawn_blocking(move || Postgres::start(postgres_dir, PostgresOptions::durable())).await??;
        let rabbit = spawn_blocking(move || Rabbit::start(rabbit_dir)).await??;
        let admin_url = postgres.admin_url();
        let passwords =
            db::Passwords { owner: Secret::new(PASSWORD.to_owned()), app: Secret::new(PASSWORD.to_owned()) };
        db::provision(&admin_url, SCHEMA, &passwords).await?;
        let role = |name| postgres.url_with_password("postgres", name, PASSWORD);
        db::migrate(&role("brainops_probe_owner"), SCHEMA, MIGRATIONS).await?;
        let core = Core {
            service: SCHEMA,
            environment: Environment::Production,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            http: Outbound::default(),
            shutdown: CancellationToken::new(),
            lifecycle: Lifecycle::default(),
        };
        let settings = db::Settings::new(role("brainops_probe_app"), POOL.try_into()?);
        let (db, replica) = (Db::open(&settings, SCHEMA, &core)?, Db::open(&settings, SCHEMA, &core)?);
        let amqp_url = rabbit.amqp_url();
        let broker = Broker::open(&Settings { url: Secret::new(amqp_url.clone()), namespace: String::new() }, &core)?;
        let subjects = (0..SUBJECTS).map(|_| RandomIds.uuid()).collect();
        Ok(Self { db, replica, amqp_url, broker, subjects, admin_url, _servers: (postgres, rabbit), dir })
    }

    /// What the relay would send for `count` events, made beforehand.
    pub fn messages(&self, count: usize) -> anyhow::Result<Vec<Message>> {
        let message = |(index, subject): (usize, &Uuid)| {
            let sequence = i64::try_from(index)?;
            let id = EventId::from_uuid(RandomIds.uuid());
            let event = CloudEvent::new(id, &origin(), sequence, &registered(*subject))?;
            let properties = BasicProperties::default()
                .with_content_type(contracts::MEDIA_TYPE.into())
                .with_delivery_mode(2)
                .with_message_id(id.to_string().into())
                .with_type(UserRegistered::TYPE.into())
                .with_app_id(UserRegistered::SERVICE.into())
                .with_timestamp(event.time.timestamp().try_into()?)
                .with_headers(lapin::types::FieldTable::default());
            Ok(Message { body: event.to_json()?, properties })
        };
        self.subjects.iter().cycle().take(count).enumerate().map(message).collect()
    }

    /// Commits `count` changes with their events, several transactions at a time.
    pub async fn append(&self, count: usize) -> anyhow::Result<()> {
        let all: Vec<_> = self.subjects.iter().copied().cycle().take(count).collect();
        let writers = all.chunks(count.div_ceil(POOL)).map(async |subjects| {
            for part in subjects.chunks(EVENTS_PER_TRANSACTION) {
                let part = part.to_vec();
                let change = move |conn: &mut PgConnection| {
                    part.iter().try_for_each(|subject| one_change(conn, *subject).map(drop))
                };
                self.db.system("bench").tx(change).await?;
            }
            Ok::<_, db::Error>(())
        });
        try_join_all(writers).await?;
        Ok(())
    }

    /// Commits one change through `db`; also gives when everything but the COMMIT was done.
    pub async fn change(&self, db: &Db) -> anyhow::Result<(EventId, Instant)> {
        let subject = self.subjects.first().copied().context("subjects")?;
        let change = move |conn: &mut PgConnection| Ok::<_, db::Error>((one_change(conn, subject)?, Instant::now()));
        Ok(db.system("bench").tx(change).await?)
    }

    pub fn relay(&self) -> Running {
        Running::start(Relay::new(&self.db, &self.broker).task())
    }

    /// A projection as a service has it, and what it does.
    pub fn consumer(&self) -> (Running, UnboundedReceiver<Effect>) {
        let (sender, effects) = unbounded_channel();
        let db = self.db.clone();
        let consumer = Consumer::new(&self.broker, &self.db, ConsumerSpec::projection(QUEUE)).on(
            move |delivery: Delivery<UserRegistered>| {
                let (db, sender, handled) = (db.clone(), sender.clone(), Instant::now());
                async move {
                    let (id, sequence) = (delivery.id, delivery.sequence);
                    let subject = delivery.event.user_id.parse().map_err(Failure::fail)?;
                    let effect = move |conn: &mut PgConnection| {
                        db::inbox::once(conn, QUEUE, id, |conn| note(conn, "effects", id, subject, sequence))
                    };
                    if db.system("bench").tx(effect).await?.is_some() {
                        // Nobody listens any more when the round was given up.
                        let _ = sender.send(Effect { id, handled, committed: Instant::now() });
                    }
                    Ok(())
                }
            },
        );
        (Running::start(consumer.task()), effects)
    }

    /// Makes the consumer's queue, so that what is relayed has somewhere to go.
    pub async fn declare_queue(&self) -> anyhow::Result<()> {
        let (consumer, effects) = self.consumer();
        let amqp = lapin::Connection::connect(&self.amqp_url, lapin::ConnectionProperties::default()).await?;
        loop {
            let channel = amqp.create_channel().await?;
            let passive = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
            let queue = channel.queue_declare(QUEUE.into(), passive, lapin::types::FieldTable::default()).await;
            if queue.is_ok_and(|queue| queue.consumer_count() > 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        consumer.stop().await?;
        drop(effects);
        Ok(())
    }

    /// Waits until the last row was deleted.
    pub async fn outbox_is_empty(&self) -> anyhow::Result<()> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Bool)]
            empty: bool,
        }
        loop {
            let empty = self.admin(|conn| {
                let query = format!("SELECT NOT EXISTS (SELECT FROM {SCHEMA}.outbox_events) AS empty");
                Ok(diesel::sql_query(query).get_result::<Row>(conn)?.empty)
            });
            if empty.await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every change had its effect, once.
    pub async fn check(&self) -> anyhow::Result<()> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            changes: i64,
            #[diesel(sql_type = BigInt)]
            effects: i64,
            #[diesel(sql_type = BigInt)]
            matching: i64,
        }
        let row = self.admin(|conn| {
            let query = format!(
                "SELECT (SELECT count(*) FROM {SCHEMA}.changes) AS changes, (SELECT count(*) FROM {SCHEMA}.effects) AS \
                 effects, (SELECT count(*) FROM {SCHEMA}.changes JOIN {SCHEMA}.effects USING (event_id)) AS matching"
            );
            Ok(diesel::sql_query(query).get_result::<Row>(conn)?)
        });
        let Row { changes, effects, matching } = row.await?;
        tracing::info!(changes, effects, matching, "Checked the sets");
        ensure!(changes == effects && changes == matching, "{changes} changes, {effects} effects, {matching} match");
        Ok(())
    }

    pub async fn postgres_version(&self) -> anyhow::Result<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            server_version: String,
        }
        let row = self.admin(|conn| Ok(diesel::sql_query("SHOW server_version").get_result::<Row>(conn)?));
        Ok(row.await?.server_version)
    }

    /// As the node says in the log of its start; lapin keeps the broker's own word to itself.
    pub fn rabbitmq_version(&self) -> anyhow::Result<String> {
        let log = std::fs::read_to_string(self.dir.path().join("rabbitmq").join("log"))?;
        let version = log.lines().find_map(|line| line.split_once("Starting RabbitMQ ")).context("no version")?.1;
        Ok(version.trim().to_owned())
    }

    /// As superuser, on a connection of its own.
    async fn admin<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut PgConnection) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let url = self.admin_url.clone();
        spawn_blocking(move || work(&mut PgConnection::establish(&url)?)).await?
    }
}

fn one_change(conn: &mut PgConnection, subject: Uuid) -> Result<EventId, db::Error> {
    let id = db::outbox::append(conn, &RandomIds, &origin(), 1, &registered(subject))?;
    note(conn, "changes", id, subject, 1)?;
    Ok(id)
}

fn note(conn: &mut PgConnection, table: &str, id: EventId, subject: Uuid, sequence: i64) -> Result<(), db::Error> {
    diesel::sql_query(format!("INSERT INTO {table} (event_id, subject, sequence) VALUES ($1, $2, $3)"))
        .bind::<SqlUuid, _>(id.uuid())
        .bind::<SqlUuid, _>(subject)
        .bind::<BigInt, _>(sequence)
        .execute(conn)?;
    Ok(())
}

fn origin() -> Origin {
    Origin::system(SystemClock.now())
}

fn registered(subject: Uuid) -> UserRegistered {
    UserRegistered {
        user_id: subject.to_string(),
        organization_id: RandomIds.uuid().to_string(),
        email: "ada@example.com".to_owned(),
        display_name: "Ada".to_owned(),
        registered_at: None,
    }
}
