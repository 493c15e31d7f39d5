//! A service behind the gateway, which remembers what it was sent and answers what its path says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// One request as the service got it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body_len: usize,
}

impl Seen {
    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} came {} times", all.len());
        all.first().copied()
    }
}

/// A running service with its two ports.
pub struct Backend {
    pub public: SocketAddr,
    pub private: SocketAddr,
    shared: Arc<Shared>,
    servers: Vec<ServerHandle>,
}

struct Shared {
    seen: Mutex<Vec<Seen>>,
    ready: AtomicBool,
    openapi: Mutex<Value>,
    /// Bytes of bodies, counted as they come.
    received: AtomicUsize,
    received_some: Notify,
    /// Lets `/gate` go on.
    gate: Notify,
    /// Answers that were dropped before their end, and what is told of it.
    abandoned: AtomicUsize,
    was_abandoned: Notify,
}

impl Backend {
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            ready: AtomicBool::new(true),
            openapi: Mutex::new(json!({ "openapi": "3.1.0", "paths": {} })),
            received: AtomicUsize::new(0),
            received_some: Notify::new(),
            gate: Notify::new(),
            abandoned: AtomicUsize::new(0),
            was_abandoned: Notify::new(),
        });
        let data = Data::from(Arc::clone(&shared));
        let (public, public_handle) = {
            let data = data.clone();
            let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(answer)))
                .h1_allow_half_closed(false)
                .tcp_nodelay(true)
                .workers(1)
                .shutdown_timeout(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .unwrap();
            run(server.addrs()[0], server.run())
        };
        let (private, private_handle) = {
            let server = HttpServer::new(move || {
                App::new()
                    .app_data(data.clone())
                    .route("/readyz", web::get().to(readyz))
                    .route("/openapi.json", web::get().to(openapi))
            })
            .workers(1)
            .shutdown_timeout(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
            run(server.addrs()[0], server.run())
        };
        Self { public, private, shared, servers: vec![public_handle, private_handle] }
    }

    /// Everything it was sent, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The only request it was sent.
    #[track_caller]
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    pub fn set_ready(&self, ready: bool) {
        self.shared.ready.store(ready, Ordering::SeqCst);
    }

    pub fn describe(&self, document: Value) {
        *self.shared.openapi.lock().unwrap() = document;
    }

    /// Waits until at least `bytes` of a body have arrived at `/drain`.
    pub async fn received(&self, bytes: usize) {
        let wait = async {
            loop {
                let more = self.shared.received_some.notified();
                if self.shared.received.load(Ordering::SeqCst) >= bytes {
                    return;
                }
                more.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .expect("the bytes arrive while the request is still open");
    }

    /// Lets one `/gate` stream send its next piece.
    pub fn open_gate(&self) {
        self.shared.gate.notify_one();
    }

    /// Waits until an answer was dropped before it was complete.
    pub async fn abandoned(&self, within: Duration) {
        self.abandoned_times(1, within).await;
    }

    /// Waits until `times` answers were.
    pub async fn abandoned_times(&self, times: usize, within: Duration) {
        let wait = async {
            loop {
                let more = self.shared.was_abandoned.notified();
                if self.shared.abandoned.load(Ordering::SeqCst) >= times {
                    return;
                }
                more.await;
            }
        };
        tokio::time::timeout(within, wait).await.unwrap_or_else(|_| {
            let known = self.shared.abandoned.load(Ordering::SeqCst);
            panic!("the service knows of {known} of {times} answers that nobody wants any more")
        });
    }

    /// Ends it: the ports are closed.
    pub async fn stop(&self) {
        for server in &self.servers {
            server.stop(false).await;
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        for server in &self.servers {
            drop(server.stop(false));
        }
    }
}

/// Lets a server that is bound run; gives its address.
fn run(addr: SocketAddr, server: Server) -> (SocketAddr, ServerHandle) {
    let handle = server.handle();
    kit::tasks::spawn("test.backend", server);
    (addr, handle)
}

async fn readyz(shared: Data<Shared>) -> HttpResponse {
    if shared.ready.load(Ordering::SeqCst) {
        HttpResponse::Ok().finish()
    } else {
        HttpResponse::ServiceUnavailable().finish()
    }
}

async fn openapi(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(&*shared.openapi.lock().unwrap())
}

/// Counts when it is dropped before it was defused: the work was cancelled.
struct Work(Data<Shared>, bool);

impl Drop for Work {
    fn drop(&mut self) {
        if !self.1 {
            self.0.abandoned.fetch_add(1, Ordering::SeqCst);
            self.0.was_abandoned.notify_waiters();
        }
    }
}

/// The last segment of the path says what to answer.
async fn answer(request: HttpRequest, mut payload: web::Payload, shared: Data<Shared>) -> HttpResponse {
    let seen = Seen {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body_len: 0,
    };
    let index = {
        let mut all = shared.seen.lock().unwrap();
        all.push(seen);
        all.len() - 1
    };
    let kind = request.path().rsplit('/').next().unwrap_or_default().to_owned();
    let mut work = Work(shared.clone(), false);
    // These begin to answer before they have the body, or never do.
    match kind.as_str() {
        "hang" => std::future::pending::<()>().await,
        "gate" => return gate(work),
        "begun" => return begun(work),
        "think" => work.0.gate.notified().await,
        _ => {}
    }
    let mut body_len = 0;
    while let Some(piece) = payload.next().await {
        let Ok(piece) = piece else { return HttpResponse::BadRequest().finish() };
        body_len += piece.len();
        shared.received.fetch_add(piece.len(), Ordering::SeqCst);
        shared.received_some.notify_waiters();
    }
    shared.seen.lock().unwrap()[index].body_len = body_len;
    work.1 = true;
    respond(&kind, body_len)
}

fn respond(kind: &str, body_len: usize) -> HttpResponse {
    match kind {
        "problem" => HttpResponse::Conflict()
            .content_type("application/problem+json")
            .insert_header(("x-from", "the service"))
            .body(r#"{"type":"/docs/errors/slug_taken","title":"t","status":409,"detail":"d","instance":"/x","code":"slug_taken","request_id":"of the service"}"#),
        "cookies" => HttpResponse::Ok()
            .append_header(("set-cookie", "a=1"))
            .append_header(("set-cookie", "b=2"))
            .insert_header(("etag", "\"7\""))
            .body("ok"),
        "metered" => HttpResponse::Ok().insert_header(("x-ratelimit-remaining-tokens", "149984")).body("{}"),
        "empty" => HttpResponse::NoContent().finish(),
        "unchanged" => HttpResponse::NotModified().insert_header(("etag", "\"7\"")).finish(),
        "small" => HttpResponse::Ok().content_type("application/json").body(format!("\"{}\"", "a".repeat(1000))),
        "large" => HttpResponse::Ok().content_type("application/json").body(format!("\"{}\"", "a".repeat(20_000))),
        "picture" => HttpResponse::Ok().content_type("image/png").body(vec![7; 20_000]),
        "encoded" => HttpResponse::Ok()
            .content_type("application/json")
            .insert_header(("content-encoding", "zstd"))
            .body(vec![7; 20_000]),
        "chunked" => HttpResponse::Ok()
            .content_type("application/json")
            .streaming(stream::iter((0..20).map(|_| Ok::<_, actix_web::Error>(Bytes::from(vec![b'a'; 1000]))))),
        "huge" => HttpResponse::Ok().content_type("application/octet-stream").streaming(stream::iter(
            (0..64).map(|_| Ok::<_, actix_web::Error>(Bytes::from(vec![7; 1 << 20]))),
        )),
        _ => HttpResponse::Ok().json(json!({ "body_len": body_len })),
    }
}

/// Events, each when the test says so.
fn gate(work: Work) -> HttpResponse {
    let events = stream::unfold((work, 0), |(work, n)| async move {
        work.0.gate.notified().await;
        Some((Ok::<_, actix_web::Error>(Bytes::from(format!("data: {n}\n\n"))), (work, n + 1)))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(events)
}

/// One event at once, and never another.
fn begun(work: Work) -> HttpResponse {
    let events = stream::unfold((work, 0), |(work, n)| async move {
        if n > 0 {
            std::future::pending::<()>().await;
        }
        Some((Ok::<_, actix_web::Error>(Bytes::from_static(b"data: 0\n\n")), (work, n + 1)))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(events)
}
