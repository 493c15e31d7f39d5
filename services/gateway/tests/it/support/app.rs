//! The gateway under test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use contracts::Role;
use gateway::Gateway;
use kit::{Env, ManualClock, Ports, Started};
use reqwest::{Client, Method, RequestBuilder};
use testkit::{Actor, Answer, AuthStub, test_start};

use super::Backend;

/// A running gateway with what stands around it.
pub struct App {
    pub url: String,
    pub private_url: String,
    pub addr: SocketAddr,
    pub auth: AuthStub,
    pub clock: Arc<ManualClock>,
    pub client: Client,
    pub started: Started,
}

/// What a test wants to be different.
#[derive(Default)]
pub struct AppBuilder {
    env: BTreeMap<String, String>,
    auth: Option<String>,
}

impl App {
    /// A gateway in front of one service at `/v1/users` and `/v1/auth`.
    pub async fn before(backend: &Backend) -> Self {
        Self::builder().users(&[backend]).start().await
    }

    pub fn builder() -> AppBuilder {
        AppBuilder::default()
    }

    /// A request with the token of some member.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(self.token())
    }

    /// `GET` with the token of some member.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// `GET` without a token.
    pub async fn get_anonymously(&self, path: &str) -> Answer {
        Answer::to(self.client.get(format!("{}{path}", self.url))).await
    }

    pub fn token(&self) -> String {
        self.auth.token(&Actor::new(Role::Member))
    }

    /// A line of the metrics, once it has the wanted value; `series` is name and labels.
    pub async fn metric(&self, series: &str, value: i64) {
        let wanted = format!("{series} {value}");
        let mut last = String::new();
        for _ in 0..100 {
            let metrics = Answer::to(self.client.get(format!("{}/metrics", self.private_url))).await.text();
            if metrics.lines().any(|line| line == wanted) {
                return;
            }
            last = metrics.lines().filter(|line| line.starts_with("brainops_gateway")).collect::<Vec<_>>().join("\n");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("never {wanted}:\n{last}");
    }

    /// `/readyz` of the gateway once it has the wanted status.
    pub async fn ready_with(&self, status: u16) -> serde_json::Value {
        self.ready_when(status, |_| true).await
    }

    /// Waits until the private port reports exactly these dependencies as failing, and the gateway as ready all the same.
    pub async fn ready_without(&self, failing: &[&str]) -> serde_json::Value {
        let failed = |report: &serde_json::Value| {
            let checks = report["checks"].as_array().expect("checks");
            checks
                .iter()
                .filter(|check| check["ok"] == false)
                .filter_map(|check| check["name"].as_str().map(str::to_owned))
                .collect::<Vec<_>>()
        };
        self.ready_when(200, |report| failed(report) == failing).await
    }

    /// The report of the private port, once it fits too.
    async fn ready_when(&self, status: u16, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let url = format!("{}/readyz", self.private_url);
        for _ in 0..100 {
            let answer = Answer::to(self.client.get(&url)).await;
            if answer.status == status {
                let report = answer.json(status);
                if fits(&report) {
                    return report;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("/readyz never answered {status} as it should");
    }
}

impl AppBuilder {
    /// The replicas of users; those of auth too, unless they are given.
    pub fn users(self, replicas: &[&Backend]) -> Self {
        let urls: Vec<_> = replicas.iter().map(|backend| (backend.public, backend.private)).collect();
        self.users_at(&urls)
    }

    /// The same by address: public and private port.
    pub fn users_at(self, replicas: &[(SocketAddr, SocketAddr)]) -> Self {
        let join =
            |addrs: Vec<SocketAddr>| addrs.iter().map(|addr| format!("http://{addr}")).collect::<Vec<_>>().join(",");
        let public = join(replicas.iter().map(|(public, _)| *public).collect());
        let private = join(replicas.iter().map(|(_, private)| *private).collect());
        self.env("BRAINOPS_UPSTREAM_USERS", public.clone())
            .env("BRAINOPS_UPSTREAM_USERS_PRIVATE", private.clone())
            .env_if_missing("BRAINOPS_UPSTREAM_AUTH", public)
            .env_if_missing("BRAINOPS_UPSTREAM_AUTH_PRIVATE", private)
    }

    pub fn auth(self, backend: &Backend) -> Self {
        self.env("BRAINOPS_UPSTREAM_AUTH", format!("http://{}", backend.public))
            .env("BRAINOPS_UPSTREAM_AUTH_PRIVATE", format!("http://{}", backend.private))
    }

    /// The one replica of ai.
    pub fn ai(self, backend: &Backend) -> Self {
        self.ai_at(backend.public, backend.private)
    }

    /// The same by address: public and private port.
    pub fn ai_at(self, public: SocketAddr, private: SocketAddr) -> Self {
        self.env("BRAINOPS_UPSTREAM_AI", format!("http://{public}"))
            .env("BRAINOPS_UPSTREAM_AI_PRIVATE", format!("http://{private}"))
    }

    /// The one replica of memory.
    pub fn memory(self, backend: &Backend) -> Self {
        self.env("BRAINOPS_UPSTREAM_MEMORY", format!("http://{}", backend.public))
            .env("BRAINOPS_UPSTREAM_MEMORY_PRIVATE", format!("http://{}", backend.private))
    }

    /// Where the gateway looks for keys, instead of the stub.
    pub fn keys_at(mut self, url: &str) -> Self {
        self.auth = Some(url.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    fn env_if_missing(mut self, name: &str, value: String) -> Self {
        self.env.entry(name.to_owned()).or_insert(value);
        self
    }

    pub async fn start(self) -> App {
        kit::tls::install();
        let clock = Arc::new(ManualClock::new(test_start()));
        let auth = AuthStub::start(clock.clone());
        let mut values: BTreeMap<String, String> = [
            ("BRAINOPS_HTTP_ADDR", "127.0.0.1:0"),
            ("BRAINOPS_PRIVATE_ADDR", "127.0.0.1:0"),
            ("BRAINOPS_HTTP_WORKERS", "1"),
            ("BRAINOPS_ISSUER", AuthStub::ISSUER),
            ("BRAINOPS_AUTH_URL", self.auth.as_deref().unwrap_or(&auth.url)),
            ("BRAINOPS_CLIENT_SECRET", AuthStub::CLIENT_SECRET),
            ("BRAINOPS_HEALTH_INTERVAL_MS", "100"),
            ("BRAINOPS_LOG", "warn"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        values.extend(self.env);
        let ports = Ports::real().with_clock(clock.clone());
        let started = kit::start::<Gateway>(Env::from_map(values), ports).await.expect("the gateway starts");
        App {
            url: format!("http://{}", started.addr),
            private_url: format!("http://{}", started.private_addr),
            addr: started.addr,
            auth,
            clock,
            client: client(),
            started,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a plain client, so that tests see exactly what the gateway answers")]
fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}
