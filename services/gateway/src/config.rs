//! The only place that reads the environment.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use kit::config::{IdentitySettings, Millis};
use kit::{Env, HttpOptions, Settings};
use url::Url;

use crate::domain::route::Service;

/// What an operator decides about the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose tokens are believed, and where auth is.
    pub identity: IdentitySettings,
    /// The broker, for revocations. Without it a revoked token works until it expires.
    pub events: Option<events::Settings>,
    /// Where each service listens, in the order of [`Service::ALL`].
    pub upstreams: Vec<UpstreamConfig>,
    /// Origins that browsers may call from, exactly as they send them.
    pub cors_origins: Vec<String>,
    /// How long a call may take, part by part.
    pub deadlines: Deadlines,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// Between two looks at each replica.
    pub health_interval: Duration,
    /// Peers whose `X-Forwarded-For` is believed: the load balancers in front of the gateway.
    pub trusted_proxies: Vec<IpNet>,
}

/// Where one service listens.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Which service.
    pub service: Service,
    /// Its replicas. A name that resolves to several addresses is that many replicas.
    pub replicas: Vec<ReplicaConfig>,
}

/// One entry of the list of replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// Base URL of the port for callers.
    pub public: Url,
    /// Base URL of the port with `/readyz` and `/openapi.json`.
    pub private: Url,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// To open a connection to a replica.
    pub connect: Duration,
    /// The whole call, from its headers to the last byte of its answer. An event stream has none.
    pub total: Duration,
    /// Between two pieces of the client's body.
    pub upload_idle: Duration,
    /// Between two pieces of the answer's body.
    pub answer_idle: Duration,
}

impl Settings for Config {
    fn read(env: &mut Env) -> Self {
        Self {
            identity: Settings::read(env),
            events: read_events(env),
            upstreams: vec![
                read_upstream(
                    env,
                    Service::Auth,
                    (
                        "BRAINOPS_UPSTREAM_AUTH",
                        "Base URLs of the replicas of auth, comma separated.",
                        "http://auth:8080",
                    ),
                    (
                        "BRAINOPS_UPSTREAM_AUTH_PRIVATE",
                        "Base URLs of their private ports, in the same order.",
                        "http://auth:9090",
                    ),
                ),
                read_upstream(
                    env,
                    Service::Users,
                    (
                        "BRAINOPS_UPSTREAM_USERS",
                        "Base URLs of the replicas of users, comma separated.",
                        "http://users:8080",
                    ),
                    (
                        "BRAINOPS_UPSTREAM_USERS_PRIVATE",
                        "Base URLs of their private ports, in the same order.",
                        "http://users:9090",
                    ),
                ),
            ],
            cors_origins: read_origins(env),
            deadlines: Deadlines::read(env),
            max_body_bytes: env.or(
                "BRAINOPS_MAX_BODY_BYTES",
                "Largest request body that the gateway passes on.",
                "1048576",
            ),
            health_interval: env
                .or::<Millis>(
                    "BRAINOPS_HEALTH_INTERVAL_MS",
                    "How often the gateway asks replicas whether they are ready.",
                    "2000",
                )
                .0,
            trusted_proxies: read_proxies(env),
        }
    }
}

impl Config {
    /// What the HTTP server must know of it.
    pub fn http_options(&self) -> HttpOptions {
        HttpOptions {
            body_limit: self.max_body_bytes,
            body_timeout: self.deadlines.total,
            body_idle_timeout: self.deadlines.upload_idle,
            // A call has a deadline of its own, which knows event streams.
            handler_timeout: None,
            https: self.identity.issuer.scheme() == "https",
            trusted_proxies: self.trusted_proxies.clone(),
            ..HttpOptions::default()
        }
    }
}

impl Settings for Deadlines {
    fn read(env: &mut Env) -> Self {
        Self {
            connect: env
                .or::<Millis>(
                    "BRAINOPS_CONNECT_TIMEOUT_MS",
                    "How long the gateway tries to connect to a replica.",
                    "1000",
                )
                .0,
            total: env
                .or::<Millis>(
                    "BRAINOPS_REQUEST_TIMEOUT_MS",
                    "How long a call through the gateway may take as a whole; event streams have no such limit.",
                    "30000",
                )
                .0,
            upload_idle: env
                .or::<Millis>(
                    "BRAINOPS_UPLOAD_IDLE_TIMEOUT_MS",
                    "How long a client may pause while it sends a body to the gateway.",
                    "10000",
                )
                .0,
            answer_idle: env
                .or::<Millis>(
                    "BRAINOPS_ANSWER_IDLE_TIMEOUT_MS",
                    "How long a service may pause while it sends an answer; more than the heartbeat of event streams.",
                    "60000",
                )
                .0,
        }
    }
}

/// The broker is optional here, though not for the services.
fn read_events(env: &mut Env) -> Option<events::Settings> {
    let url = env.optional_secret(
        "BRAINOPS_AMQP_URL",
        "As for the services; without it a revoked token works until it expires.",
    );
    let namespace = env.or("BRAINOPS_AMQP_NAMESPACE", "As for the services.", "");
    url.map(|url| events::Settings { url, namespace })
}

type Named = (&'static str, &'static str, &'static str);

fn read_upstream(env: &mut Env, service: Service, public: Named, private: Named) -> UpstreamConfig {
    let publics: Vec<Url> = env.required(public.0, public.1, public.2);
    let privates: Vec<Url> = env.required(private.0, private.1, private.2);
    // An empty list here is a value that was reported already.
    if !publics.is_empty() && !privates.is_empty() && publics.len() != privates.len() {
        env.refuse(
            private.0,
            format!("{} URLs", privates.len()),
            format!("{} URLs, one for each of {}", publics.len(), public.0),
        );
    }
    for (name, urls) in [(public.0, &publics), (private.0, &privates)] {
        if let Some(url) = urls.iter().find(|url| url.scheme() != "http" || url.path() != "/") {
            env.refuse(name, url.to_string(), "http URLs without a path");
        }
    }
    let replicas =
        publics.into_iter().zip(privates).map(|(public, private)| ReplicaConfig { public, private }).collect();
    UpstreamConfig { service, replicas }
}

/// Nobody, unless told: what a client writes into `X-Forwarded-For` is not true because it is written.
fn read_proxies(env: &mut Env) -> Vec<IpNet> {
    const NAME: &str = "BRAINOPS_TRUSTED_PROXIES";
    let listed: Option<Vec<String>> = env.optional(
        NAME,
        "Networks of the load balancers in front of the gateway, comma separated: 10.0.0.0/8,fd00::/8.",
    );
    let mut proxies = Vec::new();
    for entry in listed.unwrap_or_default() {
        match entry.parse() {
            Ok(network) => proxies.push(network),
            Err(_) => env.refuse(NAME, entry, "networks like 10.0.0.0/8"),
        }
    }
    proxies
}

/// An origin is compared byte by byte with what browsers send, so it must be written the way they write it.
fn read_origins(env: &mut Env) -> Vec<String> {
    const NAME: &str = "BRAINOPS_CORS_ORIGINS";
    let origins: Option<Vec<Url>> = env
        .optional(NAME, "Origins that browsers may call the gateway from, comma separated: https://app.example.com.");
    let origins = origins.unwrap_or_default();
    if let Some(url) = origins.iter().find(|url| !matches!(url.scheme(), "http" | "https") || url.path() != "/") {
        env.refuse(NAME, url.to_string(), "origins: scheme, host and port, nothing after them");
    }
    origins.iter().map(|url| url.origin().ascii_serialization()).collect()
}

impl ReplicaConfig {
    /// The private port's address for a replica at `public`. One host name on both URLs means one machine has both ports.
    pub fn private_for(&self, public: SocketAddr) -> Option<SocketAddr> {
        let port = self.private.port_or_known_default()?;
        self.has_one_host().then(|| SocketAddr::new(public.ip(), port))
    }

    /// Whether both ports are of the same machines.
    pub fn has_one_host(&self) -> bool {
        self.public.host() == self.private.host()
    }
}
