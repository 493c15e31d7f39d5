//! The smallest service that has everything: a configuration, routes, a check, a task.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use futures_util::future::BoxFuture;
use kit::{Boot, CancellationToken, Env, ErrorCode, HealthCheck, Running, Secret, Service, Settings, Task};

pub struct Tiny;

pub struct Config {
    pub greeting: String,
    pub key: Secret<String>,
    pub task: String,
}

impl Settings for Config {
    fn read(env: &mut Env) -> Self {
        Self {
            greeting: env.required("TINY_GREETING", "What it says.", "hello"),
            key: env.secret("TINY_KEY", "What it keeps to itself."),
            task: env.or("TINY_TASK", "What its task does.", "wait"),
        }
    }
}

static TINY_ERROR: ErrorCode = ErrorCode::new("tiny_error", 418, "Too tiny");

impl Service for Tiny {
    const NAME: &'static str = "tiny";
    type Config = Config;

    async fn start(boot: Boot<Config>) -> anyhow::Result<Running> {
        let Config { greeting, key, task } = boot.config;
        anyhow::ensure!(key.expose() != "unfit", "the key does not open anything");
        let answered = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&answered);
        let greeting = web::Data::new(greeting);
        let leaving = boot.core.shutdown;
        let routes = move |config: &mut web::ServiceConfig| {
            let (done, leaving) = (Arc::clone(&done), leaving.clone());
            config.app_data(greeting.clone()).service(web::resource("/v1/hello").route(web::get().to(hello))).service(
                web::resource("/v1/slow").route(web::get().to(move || slow(leaving.clone(), Arc::clone(&done)))),
            );
        };
        Ok(Running {
            checks: vec![Arc::new(Always)],
            tasks: vec![Task::new("tiny.task", move |stop| async move {
                match task.as_str() {
                    "fail" => anyhow::bail!("on purpose"),
                    "panic" => panic!("with a bang"),
                    "end" => return Ok(()),
                    "ignore" => std::future::pending().await,
                    _ => stop.cancelled().await,
                }
                // Told to stop only once every request was answered.
                anyhow::ensure!(
                    task != "last" || answered.load(Ordering::SeqCst),
                    "told to stop before the last answer"
                );
                Ok(())
            })],
            ..Running::new(routes)
        })
    }

    async fn migrate(_config: Config) -> anyhow::Result<()> {
        Ok(())
    }

    fn openapi() -> utoipa::openapi::OpenApi {
        utoipa::openapi::OpenApiBuilder::new().info(utoipa::openapi::Info::new("Tiny", "1")).build()
    }

    fn error_codes() -> Vec<ErrorCode> {
        vec![TINY_ERROR]
    }
}

async fn hello(greeting: web::Data<String>) -> HttpResponse {
    HttpResponse::Ok().body(greeting.to_string())
}

/// Answers a while after the service began to leave.
async fn slow(leaving: CancellationToken, done: Arc<AtomicBool>) -> HttpResponse {
    leaving.cancelled().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    done.store(true, Ordering::SeqCst);
    HttpResponse::Ok().body("at last")
}

struct Always;

impl HealthCheck for Always {
    fn name(&self) -> &'static str {
        "nothing"
    }
    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

/// A right configuration on free ports, with `more` on top.
pub fn values(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let base = [
        ("BRAINOPS_HTTP_ADDR", "127.0.0.1:0"),
        ("BRAINOPS_PRIVATE_ADDR", "127.0.0.1:0"),
        ("BRAINOPS_HTTP_WORKERS", "1"),
        ("TINY_GREETING", "hello"),
        ("TINY_KEY", "a-planted-secret"),
    ];
    base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
