//! The only place that reads the environment.

mod rates;

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use kit::config::{IdentitySettings, Millis};
use kit::http::BodyLimit;
use kit::{Env, HttpOptions, Settings};
use url::Url;

pub use rates::{CallerRates, Rates};

use crate::domain::route::{Class, ROUTES};
use crate::domain::service::{Service, Variable, Variables};

/// What an operator decides about the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose tokens are believed, and where auth is.
    pub identity: IdentitySettings,
    /// The broker, for revocations. Without it a revoked token works until it expires.
    pub events: Option<events::Settings>,
    /// Where each service listens that this installation has.
    pub upstreams: Vec<UpstreamConfig>,
    /// Origins that browsers may call from, exactly as they send them.
    pub cors_origins: Vec<String>,
    /// What a call may take.
    pub limits: Limits,
    /// How often callers may call.
    pub rates: Rates,
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

/// What a call may take, by its class.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of [`Class::Ordinary`].
    pub ordinary: CallLimits,
    /// Of [`Class::Model`].
    pub model: CallLimits,
    /// Of [`Class::Upload`].
    pub upload: CallLimits,
}

impl Limits {
    /// Those of a class.
    pub fn of(&self, class: Class) -> &CallLimits {
        match class {
            Class::Ordinary => &self.ordinary,
            Class::Model => &self.model,
            Class::Upload => &self.upload,
        }
    }
}

/// What one call may take.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// Largest request body, in bytes.
    pub body_bytes: usize,
    /// How long it may take, part by part.
    pub deadlines: Deadlines,
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
            upstreams: Service::ALL.iter().filter_map(|service| read_upstream(env, *service)).collect(),
            cors_origins: read_origins(env),
            limits: Limits::read(env),
            rates: Rates::read(env),
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
        let ordinary = self.limits.ordinary;
        let others = ROUTES.iter().filter(|route| route.class != Class::Ordinary);
        HttpOptions {
            body_limit: ordinary.body_bytes,
            body_timeout: ordinary.deadlines.total,
            body_limits: others
                .map(|route| {
                    let limits = self.limits.of(route.class);
                    BodyLimit {
                        route: route.template().into(),
                        bytes: limits.body_bytes,
                        timeout: limits.deadlines.total,
                    }
                })
                .collect(),
            body_idle_timeout: ordinary.deadlines.upload_idle,
            // A call has a deadline of its own, which knows event streams.
            handler_timeout: None,
            https: self.identity.issuer.scheme() == "https",
            trusted_proxies: self.trusted_proxies.clone(),
            ..HttpOptions::default()
        }
    }
}

impl Settings for Limits {
    fn read(env: &mut Env) -> Self {
        let mut ms = |name, help, default| env.or::<Millis>(name, help, default).0;
        let ordinary = Deadlines {
            connect: ms("BRAINOPS_CONNECT_TIMEOUT_MS", "How long the gateway tries to connect to a replica.", "1000"),
            total: ms(
                "BRAINOPS_REQUEST_TIMEOUT_MS",
                "How long a call through the gateway may take as a whole; event streams have no such limit.",
                "30000",
            ),
            upload_idle: ms(
                "BRAINOPS_UPLOAD_IDLE_TIMEOUT_MS",
                "How long a client may pause while it sends a body to the gateway.",
                "10000",
            ),
            answer_idle: ms(
                "BRAINOPS_ANSWER_IDLE_TIMEOUT_MS",
                "How long a service may pause while it sends an answer; more than the heartbeat of event streams.",
                "60000",
            ),
        };
        let model = Deadlines {
            total: ms(
                "BRAINOPS_MODEL_REQUEST_TIMEOUT_MS",
                "The same as BRAINOPS_REQUEST_TIMEOUT_MS for calls of language models; a stream must begin within it.",
                "600000",
            ),
            answer_idle: ms(
                "BRAINOPS_MODEL_ANSWER_IDLE_TIMEOUT_MS",
                "The same as BRAINOPS_ANSWER_IDLE_TIMEOUT_MS for calls of language models, which may think in between.",
                "300000",
            ),
            ..ordinary
        };
        let upload = Deadlines {
            total: ms(
                "BRAINOPS_UPLOAD_REQUEST_TIMEOUT_MS",
                "The same as BRAINOPS_REQUEST_TIMEOUT_MS for calls that bring a document or an import.",
                "150000",
            ),
            ..ordinary
        };
        let max_body = env.or("BRAINOPS_MAX_BODY_BYTES", "Largest request body that the gateway passes on.", "1048576");
        let max_model_body = env.or(
            "BRAINOPS_MODEL_MAX_BODY_BYTES",
            "The same for calls of language models, which may hold images.",
            "20971520",
        );
        let max_upload_body = env.or(
            "BRAINOPS_UPLOAD_MAX_BODY_BYTES",
            "The same for calls that bring a document or an import; services have limits of their own.",
            "33554432",
        );
        Self {
            ordinary: CallLimits { body_bytes: max_body, deadlines: ordinary },
            model: CallLimits { body_bytes: max_model_body, deadlines: model },
            upload: CallLimits { body_bytes: max_upload_body, deadlines: upload },
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

/// None for a service that this installation does not have.
fn read_upstream(env: &mut Env, service: Service) -> Option<UpstreamConfig> {
    let Variables { public, private } = service.variables();
    let mut read = |variable: Variable| -> Option<Vec<Url>> {
        if service.is_optional() {
            env.optional(variable.name, variable.help)
        } else {
            Some(env.required(variable.name, variable.help, variable.example))
        }
    };
    let (publics, privates) = (read(public), read(private));
    if publics.is_none() && privates.is_none() {
        return None;
    }
    // A list that is there and empty is a value that was reported already.
    let reported = [&publics, &privates].iter().any(|urls| urls.as_ref().is_some_and(Vec::is_empty));
    let (publics, privates) = (publics.unwrap_or_default(), privates.unwrap_or_default());
    if !reported && publics.len() != privates.len() {
        env.refuse(
            private.name,
            format!("{} URLs", privates.len()),
            format!("{} URLs, one for each of {}", publics.len(), public.name),
        );
    }
    for (name, urls) in [(public.name, &publics), (private.name, &privates)] {
        if let Some(url) = urls.iter().find(|url| url.scheme() != "http" || url.path() != "/") {
            env.refuse(name, url.to_string(), "http URLs without a path");
        }
    }
    let replicas =
        publics.into_iter().zip(privates).map(|(public, private)| ReplicaConfig { public, private }).collect();
    Some(UpstreamConfig { service, replicas })
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
