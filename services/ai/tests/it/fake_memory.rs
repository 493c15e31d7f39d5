//! A memory service that knows what it is told and writes down what it is asked.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{Data, Json, post},
};
use serde_json::{Value, json};

/// Ends with the value.
pub struct FakeMemory {
    url: String,
    inner: Arc<Mutex<Inner>>,
    server: ServerHandle,
}

#[derive(Default)]
struct Inner {
    text: String,
    hangs: bool,
    asked: Vec<Value>,
}

impl FakeMemory {
    #[expect(clippy::unused_async, reason = "reads as what it is beside the other servers of a test")]
    pub async fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let data = Data::from(Arc::clone(&inner));
        let app = move || App::new().app_data(data.clone()).route("/v1/memory/context", post().to(context));
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        let running = server.run();
        let handle = running.handle();
        kit::tasks::spawn("fake_memory", running);
        Self { url, inner, server: handle }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// One memory, of this text.
    pub fn knows(&self, text: &str) {
        text.clone_into(&mut self.inner.lock().unwrap().text);
    }

    /// It answers nothing from now on.
    pub fn hangs(&self) {
        self.inner.lock().unwrap().hangs = true;
    }

    /// The bodies of all questions.
    pub fn asked(&self) -> Vec<Value> {
        self.inner.lock().unwrap().asked.clone()
    }
}

impl Drop for FakeMemory {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn context(inner: Data<Mutex<Inner>>, body: Json<Value>) -> HttpResponse {
    let (text, hangs) = {
        let mut inner = inner.lock().unwrap();
        inner.asked.push(body.into_inner());
        (inner.text.clone(), inner.hangs)
    };
    if hangs {
        pending::<()>().await;
    }
    let citations = if text.is_empty() { json!([]) } else { json!([{"number": 1}]) };
    HttpResponse::Ok().json(json!({"text": text, "tokens": 9, "citations": citations, "semantic": true}))
}
