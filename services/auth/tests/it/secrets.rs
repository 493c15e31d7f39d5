//! Planted secrets are found nowhere: not in logs, events, the audit log, or in plain text in any table.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing::{
    Metadata,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _};

use crate::support::{
    App, PASSWORD, Person, credentials, get, keys, lines, post, refresh, register, service_token, start,
};

/// Keeps every event and every field of every span as text, whatever its level.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<String>>);

impl Captured {
    /// The HTTP client of this test runs in the same process, and is not what is looked at.
    fn keep(&self, meta: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) {
        let client = ["hyper", "reqwest", "h2", "rustls"];
        if !client.iter().any(|name| meta.target().starts_with(name)) {
            let mut text = self.0.lock().unwrap();
            write!(text, "\n{} {}", meta.target(), meta.name()).unwrap();
            record(&mut Text(&mut text));
        }
    }
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl<S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>> Layer<S> for Captured {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        self.keep(attributes.metadata(), |text| attributes.record(text));
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        self.keep(context.metadata(id).unwrap(), |text| values.record(text));
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        self.keep(event.metadata(), |text| event.record(text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_found_nowhere() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::registry().with(captured.clone());
    tracing::subscriber::set_global_default(subscriber).expect("no other test of this process has set one");

    let app = start().await;
    let events = app.record().await;
    let secrets = use_everything(&app).await;
    events.wait::<contracts::auth::v1::UserDisabled>(|_| true).await;

    let logs = captured.0.lock().unwrap().clone();
    assert!(logs.contains("/v1/auth/login"), "nothing was captured");
    let told: String = events.all().iter().map(|event| String::from_utf8(event.to_json().unwrap()).unwrap()).collect();
    assert!(told.contains("user_registered"));
    let stored = everything_stored(&app).await;
    for (what, secret) in &secrets {
        assert!(!logs.contains(secret), "{what} is in the logs: {}", around(&logs, secret));
        assert!(!told.contains(secret), "{what} is in an event");
        assert!(!stored.contains(secret), "{what} is in the database: {}", around(&stored, secret));
    }
    for address in ["ada@example.org", "192.0.2.77"] {
        assert!(!logs.contains(address), "an address is in the logs: {}", around(&logs, address));
    }
}

fn around(text: &str, needle: &str) -> String {
    let at = text.find(needle).unwrap_or_default();
    text[..at].lines().last().unwrap_or_default().chars().take(300).collect()
}

/// Goes through every route with secrets and gives them by name.
async fn use_everything(app: &App) -> Vec<(&'static str, String)> {
    const NEW: &str = "seventeen brisk otters waltzing";
    const WRONG: &str = "planted wrong password 4711";
    const WEAK: &str = "plantedplantedplanted";
    const MALFORMED: &str = "planted-in-malformed-json-4712";
    let ada = register(app, "Ada").await;
    let body = json!({"email": "weak@example.org", "password": WEAK, "display_name": "Weak"});
    assert_eq!(post(app, "/v1/auth/register", None, &body).await.status, 422);
    crate::support::post_from(app, "192.0.2.77", "/v1/auth/login", &credentials("Ada", WRONG)).await;
    crate::support::post_from(app, "192.0.2.77", "/v1/auth/login", &credentials("Nobody", WRONG)).await;
    let broken = app.request(reqwest::Method::POST, "/v1/auth/login").header("content-type", "application/json");
    testkit::Answer::to(broken.body(format!("{{\"password\": \"{MALFORMED}\""))).await.problem(400);
    let next = Person::from(&refresh(app, &ada.refresh).await.json(200));
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    assert_eq!(post(app, "/v1/auth/password/change", Some(&next.access), &change).await.status, 204);
    get(app, "/v1/auth/sessions", &next.access).await.json::<Value>(200);
    app.clock.advance(chrono::TimeDelta::seconds(11));
    assert_eq!(refresh(app, &ada.refresh).await.status, 401);
    let key = keys::make(app, &keys::signed_in_anew(app, &ada, NEW).await, &keys::body()).await;
    let exchanged = keys::exchange(app, &key.text, Some("192.0.2.77")).await.json::<Value>(200);
    let mut wrong = key.text.clone();
    wrong.replace_range(40..41, if &wrong[40..41] == "x" { "y" } else { "x" });
    assert_eq!(keys::exchange(app, &wrong, None).await.status, 401);
    let service = service_token(app, "standalone", "auth").await;
    let path = format!("/internal/users/{}/disable", ada.user);
    assert_eq!(post(app, &path, Some(&service), &json!({"reason": "admin"})).await.status, 204);
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    vec![
        ("a password", PASSWORD.to_owned()),
        ("a new password", NEW.to_owned()),
        ("a wrong password", WRONG.to_owned()),
        ("a weak password", WEAK.to_owned()),
        ("a password in a broken body", MALFORMED.to_owned()),
        ("a refresh token", ada.refresh.trim_start_matches("bo_rt_").to_owned()),
        ("the next refresh token", next.refresh.trim_start_matches("bo_rt_").to_owned()),
        ("an access token", signature(&ada.access)),
        ("an API key", key.text[31..].to_owned()),
        ("a mistyped API key", wrong[31..].to_owned()),
        ("a token for an API key", signature(exchanged["access_token"].as_str().unwrap())),
        ("a service's token", signature(&service)),
        ("a service's secret", crate::support::CLIENTS[2].1.to_owned()),
        ("the pepper", "pepper of the tests".to_owned()),
        ("a private key", "PRIVATE KEY".to_owned()),
    ]
}

/// Every row of every table of the schema as text.
async fn everything_stored(app: &App) -> String {
    let tables = lines(
        app,
        "SELECT c.relname::text AS line FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'auth' AND c.relkind IN ('r', 'p')",
    )
    .await;
    let mut all = String::new();
    for table in tables {
        all += &lines(app, &format!("SELECT t::text AS line FROM auth.\"{table}\" t")).await.join("\n");
    }
    assert!(all.contains("ada@example.org"));
    all
}
