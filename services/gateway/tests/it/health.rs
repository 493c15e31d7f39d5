//! When the gateway says that it can serve.

use crate::support::{App, Backend};

#[tokio::test]
async fn a_service_without_replicas_is_shown_and_takes_no_other_with_it() {
    let (users, auth) = (Backend::start(), Backend::start());
    let app = App::builder().auth(&auth).users(&[&users]).start().await;
    let report = app.ready_without(&[]).await;
    let names: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["jwks", "auth", "users"]);
    users.set_ready(false);
    app.ready_without(&["users"]).await;
    users.set_ready(true);
    app.ready_without(&[]).await;
}

#[tokio::test]
async fn without_keys_it_is_not_ready() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).keys_at("http://127.0.0.1:1").start().await;
    let report = app.ready_with(503).await;
    let jwks = &report["checks"][0];
    assert_eq!((jwks["name"].as_str(), jwks["ok"].as_bool()), (Some("jwks"), Some(false)));
}

#[tokio::test]
async fn a_running_call_is_finished_before_the_gateway_leaves() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let mut events = app.request(reqwest::Method::GET, "/v1/users/gate").send().await.unwrap();
    backend.open_gate();
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 0\n\n");
    let App { started, .. } = app;
    let leaving = kit::tasks::spawn("test.leaving", started.stop());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    backend.open_gate();
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    drop(events);
    assert!(leaving.await.unwrap(), "nothing had to be cut off");
}
