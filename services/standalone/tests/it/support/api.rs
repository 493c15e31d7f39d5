//! Calls to a running system.

use std::net::SocketAddr;

use kit::Ids as _;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::Answer;

#[derive(Clone)]
pub struct Api {
    pub addr: SocketAddr,
    client: Client,
}

impl Api {
    pub fn at(addr: SocketAddr) -> Self {
        Self { addr, client: client() }
    }

    /// The same caller at another door.
    pub fn through(&self, addr: SocketAddr) -> Self {
        Self { addr, client: self.client.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.addr))
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        Answer::to(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let mut request = self.request(Method::POST, path).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Answer::to(request).await
    }

    /// Signs somebody up and returns the answer with their tokens.
    pub async fn register(&self, email: &str, password: &str) -> Value {
        let account = json!({"email": email, "password": password, "display_name": "Grace Hopper"});
        self.post("/v1/auth/register", None, &account).await.json(201)
    }
}

/// An address that nobody has yet.
pub fn new_email() -> String {
    format!("{}@example.org", kit::RandomIds.uuid().simple())
}

/// The text at a JSON pointer, which must be there.
#[track_caller]
pub fn id<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

#[expect(clippy::disallowed_methods, reason = "a plain client, so that tests see exactly what the system answers")]
fn client() -> Client {
    kit::tls::install();
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}
