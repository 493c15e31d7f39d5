//! An ai service that holds turns until they are fetched and deleted.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header::AUTHORIZATION,
    web::{Data, Path, resource},
};
use serde_json::{Value, json};

/// Ends with the value.
pub struct FakeAi {
    pub url: String,
    inner: Arc<Inner>,
    server: ServerHandle,
}

#[derive(Default)]
struct Inner {
    /// By organization and completion.
    turns: Mutex<HashMap<(String, String), Value>>,
    /// Errors that are answered before anything else.
    failures: Mutex<u32>,
}

impl FakeAi {
    pub fn start() -> Self {
        let inner = Arc::new(Inner::default());
        let data = Data::from(Arc::clone(&inner));
        let route = "/internal/organizations/{organization}/completions/{id}/turn";
        let app = move || App::new().app_data(data.clone()).service(resource(route).to(turn));
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let running = server.run();
        let handle = running.handle();
        kit::tasks::spawn("fake_ai", running);
        Self { url, inner, server: handle }
    }

    pub fn holds(&self, organization: &str, completion: &str, turn: Value) {
        self.inner.turns.lock().unwrap().insert((organization.to_owned(), completion.to_owned()), turn);
    }

    /// How many turns nobody has deleted.
    pub fn left(&self) -> usize {
        self.inner.turns.lock().unwrap().len()
    }

    /// Fails so many times before it answers again.
    pub fn fails(&self, times: u32) {
        *self.inner.failures.lock().unwrap() = times;
    }
}

impl Drop for FakeAi {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn turn(inner: Data<Inner>, path: Path<(String, String)>, http: HttpRequest) -> HttpResponse {
    if !http.headers().contains_key(AUTHORIZATION) {
        return HttpResponse::Unauthorized().finish();
    }
    let mut failures = inner.failures.lock().unwrap();
    if *failures > 0 {
        *failures -= 1;
        return HttpResponse::ServiceUnavailable().finish();
    }
    let (mut turns, key) = (inner.turns.lock().unwrap(), path.into_inner());
    if http.method() == "DELETE" {
        turns.remove(&key);
        return HttpResponse::NoContent().finish();
    }
    match turns.get(&key) {
        Some(turn) => HttpResponse::Ok().json(turn),
        None => HttpResponse::NotFound().json(json!({"code": "turn_not_found"})),
    }
}
