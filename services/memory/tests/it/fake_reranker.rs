//! A server that reranks: the shorter a text, the better. It checks what it is sent.

use std::sync::{Arc, Mutex};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header::AUTHORIZATION,
    web::{Data, Json, post},
};
use serde_json::{Value, json};

/// How it misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Overloaded,
    /// It forgets the last text.
    Forgetful,
    Chatty,
}

/// Ends with the value.
pub struct FakeReranker {
    pub url: String,
    inner: Arc<Inner>,
    server: ServerHandle,
}

#[derive(Default)]
struct Inner {
    seen: Mutex<Vec<Value>>,
    mood: Mutex<Option<Mood>>,
}

impl FakeReranker {
    pub const KEY: &str = "rerank-key";

    pub fn start() -> Self {
        let inner = Arc::new(Inner::default());
        let data = Data::from(Arc::clone(&inner));
        let app = move || App::new().app_data(data.clone()).route("/v2/rerank", post().to(rerank));
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/v2", server.addrs()[0]);
        let running = server.run();
        let handle = running.handle();
        kit::tasks::spawn("fake_reranker", running);
        Self { url, inner, server: handle }
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Value> {
        self.inner.seen.lock().unwrap().clone()
    }

    pub fn is(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = Some(mood);
    }
}

impl Drop for FakeReranker {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn rerank(inner: Data<Inner>, http: HttpRequest, body: Json<Value>) -> HttpResponse {
    let key = http.headers().get(AUTHORIZATION).and_then(|key| key.to_str().ok());
    if key != Some(&format!("Bearer {}", FakeReranker::KEY)) {
        return HttpResponse::Unauthorized().finish();
    }
    let body = body.into_inner();
    let documents: Vec<String> = serde_json::from_value(body["documents"].clone()).unwrap();
    inner.seen.lock().unwrap().push(body);
    let result = |(index, text): (usize, &String)| json!({"index": index, "relevance_score": -i64::try_from(text.len()).unwrap()});
    let mut results: Vec<_> = documents.iter().enumerate().map(result).collect();
    let mood = *inner.mood.lock().unwrap();
    match mood {
        Some(Mood::Overloaded) => return HttpResponse::ServiceUnavailable().finish(),
        Some(Mood::Chatty) => return HttpResponse::Ok().body("<!doctype html><title>Welcome</title>"),
        Some(Mood::Forgetful) => drop(results.pop()),
        None => {}
    }
    results.reverse();
    HttpResponse::Ok().json(json!({"id": "1", "results": results}))
}
