//! What every service reads, or most of them.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use url::Url;

use super::{Env, Millis, Settings, Value};
use crate::Secret;

/// Where the process runs, which decides how forgiving it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine: `.env` is read.
    Development,
    /// Anything that serves people: weak or default secrets stop the start.
    Production,
}

impl Environment {
    /// The variable that says it.
    pub const NAME: &'static str = "BRAINOPS_ENVIRONMENT";

    /// As it is written in the variable, in logs and in error reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

impl Value for Environment {
    const EXPECTED: &'static str = "development or production";

    fn parse(raw: &str) -> Result<Self, String> {
        match raw {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err(Self::EXPECTED.to_owned()),
        }
    }

    fn placeholder() -> Self {
        // The stricter of the two, should anything look at it before the start stops.
        Self::Production
    }
}

impl Settings for Environment {
    fn read(env: &mut Env) -> Self {
        env.or(
            Self::NAME,
            "Where this runs. The container images set `production`, which refuses weak secrets and ignores `.env`.",
            "development",
        )
    }
}

/// Where a service listens, and how it leaves.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The port for callers.
    pub addr: SocketAddr,
    /// The port for health, metrics and the API description; never exposed outside.
    pub private_addr: SocketAddr,
    /// Threads that serve `addr`.
    pub workers: NonZeroUsize,
    /// How long to keep accepting after `/readyz` turned 503.
    pub drain_delay: Duration,
}

impl HttpSettings {
    /// The variable of [`addr`](Self::addr), for messages.
    pub const ADDR: &'static str = "BRAINOPS_HTTP_ADDR";
    /// The variable of [`private_addr`](Self::private_addr), for messages.
    pub const PRIVATE_ADDR: &'static str = "BRAINOPS_PRIVATE_ADDR";
}

impl Settings for HttpSettings {
    fn read(env: &mut Env) -> Self {
        Self {
            addr: env.or(Self::ADDR, "Address and port for callers. Port 0 takes any free one.", "127.0.0.1:8080"),
            private_addr: env.or(
                Self::PRIVATE_ADDR,
                "Address and port for health, metrics and the API description. Keep it inside.",
                "127.0.0.1:9090",
            ),
            workers: env.or::<Workers>("BRAINOPS_HTTP_WORKERS", "Threads that serve HTTP.", "auto").0,
            drain_delay: env
                .or::<Millis>(
                    "BRAINOPS_DRAIN_DELAY_MS",
                    "How long to go on accepting after readiness turned off, so that load balancers notice first.",
                    "0",
                )
                .0,
        }
    }
}

/// A number of threads; `auto` is one a core.
struct Workers(NonZeroUsize);

impl Value for Workers {
    const EXPECTED: &'static str = "auto for one a core, or a whole number, 1 or more";

    fn parse(raw: &str) -> Result<Self, String> {
        if raw == "auto" {
            return Ok(Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)));
        }
        raw.parse().map(Self).map_err(|_| Self::EXPECTED.to_owned())
    }

    fn placeholder() -> Self {
        Self(NonZeroUsize::MIN)
    }
}

/// What a service needs to know who calls it and to say who it is itself.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// The `iss` of every token: the public base URL of the system.
    pub issuer: Url,
    /// The `aud` of users' tokens.
    pub audience: String,
    /// Base URL of the auth service, for its public keys and its internal routes.
    pub auth_url: Url,
    /// This service's own secret at auth, for calls to other services.
    pub client_secret: Option<Secret<String>>,
}

impl Settings for IdentitySettings {
    fn read(env: &mut Env) -> Self {
        Self {
            issuer: env.required(
                "BRAINOPS_ISSUER",
                "Public base URL of the system; the issuer of its tokens.",
                "https://api.example.com",
            ),
            audience: env.or("BRAINOPS_AUDIENCE", "The audience of users' tokens.", "brainops"),
            auth_url: env.required(
                "BRAINOPS_AUTH_URL",
                "Base URL of the auth service: its public keys and its internal routes.",
                "http://auth:8080",
            ),
            client_secret: env.optional_secret(
                "BRAINOPS_CLIENT_SECRET",
                "This service's secret at auth; needed to call the internal routes of other services.",
            ),
        }
    }
}

/// What leaves the process for its operators.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// Which log lines are written.
    pub log: String,
    /// Where traces go; none when absent.
    pub otlp_endpoint: Option<Url>,
    /// The share of traces that start here and are recorded, 0 to 1.
    pub trace_ratio: f64,
    /// Where error reports go; none when absent.
    pub sentry_dsn: Option<Secret<String>>,
}

impl Settings for TelemetrySettings {
    fn read(env: &mut Env) -> Self {
        let settings = Self {
            log: env.or(
                "BRAINOPS_LOG",
                "Which log lines are written: a level, or levels by module such as `info,auth=debug`.",
                // actix's own server tells of its threads at every start and stop, llama.cpp of every part of a model,
                // Qdrant's engine of flags that it has no use for here.
                "info,actix_server=warn,llama-cpp-2=error,llama_cpp_2=error,qdrant_edge=error",
            ),
            otlp_endpoint: env.optional(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "Base URL of an OpenTelemetry collector (OTLP over HTTP, port 4318 as a rule). Without it no trace leaves.",
            ),
            trace_ratio: env.or(
                "OTEL_TRACES_SAMPLER_ARG",
                "The share of traces to record, 0 to 1, unless the caller already decided.",
                "1",
            ),
            sentry_dsn: env.optional_secret("SENTRY_DSN", "Where panics and 5xx are reported. Without it nowhere."),
        };
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&settings.log) {
            env.refuse("BRAINOPS_LOG", format!("{:?}", settings.log), format!("a log filter ({error})"));
        }
        if !(0.0..=1.0).contains(&settings.trace_ratio) {
            env.refuse("OTEL_TRACES_SAMPLER_ARG", settings.trace_ratio.to_string(), "a number from 0 to 1");
        }
        if settings.sentry_dsn.as_ref().is_some_and(|dsn| dsn.expose().parse::<sentry::types::Dsn>().is_err()) {
            env.refuse("SENTRY_DSN", "a value that does not fit (not shown)", "a DSN as Sentry shows it");
        }
        settings
    }
}
