//! A service started for real: its own ports, its own database, its own exchange and queues, and a clock that the test
//! holds.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contracts::CloudEvent;
use events::dlq::DeadLetter;
use kit::{Env, ManualClock, Ports, Service, Started};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    Actor, Answer, AuthStub, Recorder, TestDb,
    actor::id,
    infra,
    recorder::{PATIENCE, broker},
    test_start,
};

/// A running service `S` and everything around it that a test wants to hold.
pub struct TestApp<S: Service> {
    /// Base URL for callers.
    pub url: String,
    /// Base URL of the private port.
    pub private_url: String,
    /// The service's clock; it stands still until the test moves it.
    pub clock: Arc<ManualClock>,
    /// Auth, as the service sees it.
    pub auth: AuthStub,
    /// Prefix of its exchange and queues.
    pub namespace: String,
    /// Its database.
    pub db: TestDb<S>,
    started: Option<Started>,
    client: Client,
    /// Its environment.
    values: BTreeMap<String, String>,
}

/// What a test wants to be different.
pub struct TestAppBuilder<S> {
    values: BTreeMap<String, String>,
    service: PhantomData<S>,
}

impl<S: Service> TestApp<S> {
    /// Starts it as it is.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Starts it with something different.
    pub fn builder() -> TestAppBuilder<S> {
        TestAppBuilder { values: BTreeMap::new(), service: PhantomData }
    }

    /// Sends a request; `token` and `body` when given.
    pub async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::to(request).await
    }

    /// A request to be finished by the test.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// `GET` with a token of `actor`.
    pub async fn get(&self, path: &str, actor: &Actor) -> Answer {
        self.send(Method::GET, path, Some(&self.auth.token(actor)), None).await
    }

    /// `POST` with a token of `actor`.
    pub async fn post(&self, path: &str, actor: &Actor, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(&self.auth.token(actor)), Some(body)).await
    }

    /// `PATCH` with a token of `actor`.
    pub async fn patch(&self, path: &str, actor: &Actor, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(&self.auth.token(actor)), Some(body)).await
    }

    /// Records every event on the service's exchange from now on.
    pub async fn record(&self) -> Recorder {
        Recorder::start(&self.namespace).await
    }

    /// Waits until the consumer of `queue` is attached; before that nothing reaches it.
    pub async fn consuming(&self, queue: &str) {
        let broker = broker(&self.namespace);
        let attached = async {
            while events::tools::consumers(&broker, queue).await.expect("an answer of the broker") == 0 {
                // The broker tells nobody when a consumer comes.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, attached).await.unwrap_or_else(|_| panic!("nobody consumes {queue}"));
    }

    /// Publishes an event of another service on this service's exchange, and waits until the broker has it.
    pub async fn publish(&self, event: &CloudEvent) {
        events::tools::publish(&broker(&self.namespace), event).await.expect("a confirmed event");
    }

    /// What a consumer of this service gave up on.
    pub async fn dead_letters(&self, queue: &str) -> Vec<DeadLetter> {
        events::dlq::show(&broker(&self.namespace), queue, 100).await.expect("a dead-letter queue")
    }

    /// Ends the service the way SIGTERM does.
    pub async fn stop(&mut self) {
        if let Some(started) = self.started.take() {
            assert!(started.stop().await, "a graceful end");
        }
    }

    /// Ends the service, if it still runs, and starts it again with `more` in its environment, on other ports.
    pub async fn restart(&mut self, more: &[(&str, &str)]) {
        self.stop().await;
        self.values.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let ports = Ports::real().with_clock(self.clock.clone());
        let started = kit::start::<S>(Env::from_map(self.values.clone()), ports).await.expect("the service starts");
        self.url = format!("http://{}", started.addr);
        self.private_url = format!("http://{}", started.private_addr);
        self.started = Some(started);
    }
}

impl<S: Service> TestAppBuilder<S> {
    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.insert(name.to_owned(), value.into());
        self
    }

    /// Starts it.
    pub async fn start(self) -> TestApp<S> {
        kit::tls::install();
        let clock = Arc::new(ManualClock::new(test_start()));
        let auth = AuthStub::start(clock.clone());
        let db = TestDb::<S>::new().await;
        let namespace = format!("t{}.", id().simple());
        let mut values = base_environment(&auth.url);
        let own = [
            ("BRAINOPS_DATABASE_URL", db.app_url()),
            ("BRAINOPS_MIGRATE_DATABASE_URL", db.owner_url()),
            ("BRAINOPS_AMQP_URL", infra().amqp_url.clone()),
            ("BRAINOPS_AMQP_NAMESPACE", namespace.clone()),
        ];
        values.extend(own.map(|(name, value)| (name.to_owned(), value)));
        values.extend(self.values);
        let ports = Ports::real().with_clock(clock.clone());
        let started = kit::start::<S>(Env::from_map(values.clone()), ports).await.expect("the service starts");
        TestApp {
            url: format!("http://{}", started.addr),
            private_url: format!("http://{}", started.private_addr),
            clock,
            auth,
            namespace,
            db,
            started: Some(started),
            client: client(),
            values,
        }
    }
}

/// What every service needs to start, databases and broker apart.
pub(crate) fn base_environment(auth_url: &str) -> BTreeMap<String, String> {
    let key = STANDARD.encode((0..32).collect::<Vec<u8>>());
    [
        ("BRAINOPS_ENVIRONMENT", "development"),
        ("BRAINOPS_HTTP_ADDR", "127.0.0.1:0"),
        ("BRAINOPS_PRIVATE_ADDR", "127.0.0.1:0"),
        ("BRAINOPS_HTTP_WORKERS", "1"),
        ("BRAINOPS_DATABASE_POOL", "6"),
        ("BRAINOPS_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("BRAINOPS_AMQP_URL", "amqp://127.0.0.1:1"),
        ("BRAINOPS_ISSUER", AuthStub::ISSUER),
        ("BRAINOPS_AUTH_URL", auth_url),
        ("BRAINOPS_CLIENT_SECRET", AuthStub::CLIENT_SECRET),
        ("BRAINOPS_LOG", "warn"),
        // auth's own.
        ("BRAINOPS_MASTER_KEYS", &format!("test:{key}")),
        ("BRAINOPS_TOKEN_PEPPER", &key),
        (
            "BRAINOPS_AUTH_CLIENTS",
            "gateway:secret-of-the-gateway-in-tests-000,users:secret-of-users-in-tests-000000000",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[expect(clippy::disallowed_methods, reason = "a plain client, so that tests see exactly what the service answers")]
fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}
