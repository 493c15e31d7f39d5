//! API keys, as their owners and the gateway handle them.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::Answer;

use super::{App, Person, credentials, get, post, service_token};

/// A key and the answer that showed it.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: String,
    pub text: String,
    pub view: Value,
}

impl Key {
    pub fn from(issued: Value) -> Self {
        let text = |field: &str| issued[field].as_str().unwrap().to_owned();
        Self { id: text("id"), text: text("key"), view: issued }
    }
}

/// A key that may call models and read what there is, from anywhere and for ever.
pub fn body() -> Value {
    json!({"name": "build server", "scopes": ["ai:read", "ai:invoke"]})
}

pub async fn create(app: &App, token: &str, body: &Value) -> Answer {
    post(app, "/v1/auth/api-keys", Some(token), body).await
}

pub async fn make(app: &App, who: &Person, body: &Value) -> Key {
    Key::from(create(app, &who.access, body).await.json(201))
}

pub async fn read(app: &App, who: &Person, id: &str) -> Answer {
    get(app, &format!("/v1/auth/api-keys/{id}"), &who.access).await
}

pub async fn patch(app: &App, who: &Person, id: &str, body: &Value) -> Answer {
    app.send(Method::PATCH, &format!("/v1/auth/api-keys/{id}"), Some(&who.access), Some(body)).await
}

pub async fn revoke(app: &App, who: &Person, id: &str) -> Answer {
    app.send(Method::DELETE, &format!("/v1/auth/api-keys/{id}"), Some(&who.access), None).await
}

pub async fn rotate(app: &App, who: &Person, id: &str, body: &Value) -> Answer {
    post(app, &format!("/v1/auth/api-keys/{id}/rotate"), Some(&who.access), body).await
}

/// As the gateway asks.
pub async fn exchange(app: &App, key: &str, address: Option<&str>) -> Answer {
    let token = service_token(app, "gateway", "auth").await;
    post(app, "/internal/api-keys/exchange", Some(&token), &json!({"key": key, "address": address})).await
}

/// The token that a key is exchanged for.
pub async fn token(app: &App, key: &str) -> String {
    exchange(app, key, None).await.json::<Value>(200)["access_token"].as_str().unwrap().to_owned()
}

/// The owner of a key as far as a program with it is.
pub async fn program(app: &App, owner: &Person, key: &str) -> Person {
    Person { access: token(app, key).await, ..owner.clone() }
}

/// Whether a key opens anything, and that the refusal of one that does not says nothing.
pub async fn works(app: &App, key: &str) -> bool {
    let answer = exchange(app, key, None).await;
    if answer.status != 200 {
        assert_eq!(answer.problem(401), "invalid_api_key");
    }
    answer.status == 200
}

/// The same person after they have given their password just now.
pub async fn signed_in_anew(app: &App, who: &Person, password: &str) -> Person {
    let name = who.user;
    let address =
        super::lines(app, &format!("SELECT email AS line FROM auth.users WHERE id = '{name}'")).await.remove(0);
    let name = address.split('@').next().unwrap().to_owned();
    let answer = post(app, "/v1/auth/login", None, &credentials(&name, password)).await;
    let anew = Person::from(&answer.json(200));
    if anew.org == who.org {
        return anew;
    }
    let body = json!({"organization_id": who.org});
    let switched: Value = post(app, "/v1/auth/switch-organization", Some(&anew.access), &body).await.json(200);
    Person { access: switched["access_token"].as_str().unwrap().to_owned(), org: who.org, ..anew }
}
