//! The real public and private server around any routes, on ports of their own.
use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{dev::ServerHandle, web::ServiceConfig};
use kit::auth::Verifier;
use kit::http::{HttpOptions, ServerParts, serve as serve_parts};
use kit::{Core, HealthCheck};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Label of everything the tests' servers measure.
pub const SERVICE: &str = "kit-test";

/// What a test changes about its server.
#[derive(Default)]
pub struct Setup {
    pub options: HttpOptions,
    pub verifier: Option<Arc<Verifier>>,
    pub checks: Vec<Arc<dyn HealthCheck>>,
}

/// Two running servers.
pub struct Served {
    pub public: std::net::SocketAddr,
    pub private: std::net::SocketAddr,
    handles: [ServerHandle; 2],
}

/// Serves the routes with the defaults.
pub async fn serve(routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Served {
    serve_with(Setup::default(), routes).await
}

/// Serves the routes.
pub async fn serve_with(setup: Setup, routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Served {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (listener, private_listener) = (listen(), listen());
    let (public, private) = (listener.local_addr().unwrap(), private_listener.local_addr().unwrap());
    let core = Core::outside(SERVICE);
    let servers = serve_parts(ServerParts {
        core,
        listener,
        private_listener,
        workers: 1,
        drain: Duration::from_secs(1),
        routes: Arc::new(routes),
        verifier: setup.verifier,
        checks: setup.checks,
        options: setup.options,
        openapi: utoipa::openapi::OpenApi::default(),
    })
    .unwrap();
    let handles = [servers.public.handle(), servers.private.handle()];
    kit::tasks::spawn("test.public", servers.public);
    kit::tasks::spawn("test.private", servers.private);
    Served { public, private, handles }
}

impl Served {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    pub fn private_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.private)
    }

    /// Nobody answers any more when this returns.
    pub async fn stop(&self) {
        for handle in &self.handles {
            handle.stop(false).await;
        }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.public).await.unwrap()
    }

    /// Sends bytes as they are and reads until the server closes.
    pub async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        read_to_end(&mut stream).await
    }
}

pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A client without surprises.
pub fn client() -> reqwest::Client {
    kit::outbound::plain_client()
}

/// The members that every problem document has, checked, and its code.
pub async fn problem(response: reqwest::Response) -> serde_json::Value {
    let status = response.status().as_u16();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let path = response.url().path().to_owned();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{status}");
    let problem: serde_json::Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], id);
    assert_eq!(problem["instance"], path);
    assert_eq!(problem["type"], format!("/docs/errors/{}", problem["code"].as_str().unwrap()));
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    problem
}
