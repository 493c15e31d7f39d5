//! Widgets over HTTP, and the events that follow.

use contracts::{Role, specimen::v1::WidgetCreated};
use serde_json::{Value, json};
use specimen::Specimen;
use testkit::{Actor, Answer, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_widget_can_be_read_and_is_published() {
    let app = TestApp::<Specimen>::start().await;
    let events = app.record().await;
    let ada = Actor::new(Role::Member);
    let answer = app.post("/v1/widgets", &ada, &json!({"name": "Sprocket"})).await;
    let widget: Value = answer.json(201);
    assert_eq!((&widget["name"], &widget["version"]), (&json!("Sprocket"), &json!(1)));
    assert_eq!(app.get(answer.header("location").unwrap(), &ada).await.json::<Value>(200), widget);

    let (envelope, created) = events.wait::<WidgetCreated>(|_| true).await;
    assert_eq!((&json!(created.widget_id), created.name.as_str()), (&widget["id"], "Sprocket"));
    assert_eq!((envelope.org, envelope.actor, envelope.sequence), (Some(ada.org), Some(ada.user.uuid()), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organizations_widgets_do_not_exist() {
    let app = TestApp::<Specimen>::start().await;
    let (ada, eve) = (Actor::new(Role::Owner), Actor::new(Role::Owner));
    let widget: Value = app.post("/v1/widgets", &ada, &json!({"name": "Secret"})).await.json(201);
    let path = format!("/v1/widgets/{}", widget["id"].as_str().unwrap());
    assert_eq!(app.get(&path, &eve).await.problem(404), "widget_not_found");
    let list: Value = app.get("/v1/widgets", &eve).await.json(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_walk_through_everything_once() {
    let app = TestApp::<Specimen>::start().await;
    let ada = Actor::new(Role::Member);
    let wanted: Vec<String> = (0..7).map(|n| format!("Number {n}")).collect();
    for name in &wanted {
        assert_eq!(app.post("/v1/widgets", &ada, &json!({ "name": name })).await.status, 201);
    }
    let (mut names, mut path) = (Vec::new(), "/v1/widgets?limit=3".to_owned());
    loop {
        let page: Value = app.get(&path, &ada).await.json(200);
        names.extend(page["items"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/widgets?limit=3&cursor={cursor}");
    }
    assert_eq!(names, wanted);
    assert_eq!(app.get("/v1/widgets?cursor=forged", &ada).await.problem(400), "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_nothing_is_stored() {
    let app = TestApp::<Specimen>::start().await;
    let ada = Actor::new(Role::Member);
    for bad in [json!({}), json!({"name": ""}), json!({"name": " "}), json!({"name": 7}), json!({"name": "x".repeat(101)})] {
        assert_eq!(app.post("/v1/widgets", &ada, &bad).await.bad_fields(422), ["name"], "{bad}");
    }
    let unknown = json!({"name": "x", "org_id": "y"});
    assert_eq!(app.post("/v1/widgets", &ada, &unknown).await.bad_fields(422), ["org_id"]);
    let list: Value = app.get("/v1/widgets", &ada).await.json(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_with_one_key_is_one_widget() {
    let app = TestApp::<Specimen>::start().await;
    let ada = Actor::new(Role::Member);
    let token = app.auth.token(&ada);
    let create = |name: &str| {
        let request = app.request(reqwest::Method::POST, "/v1/widgets").bearer_auth(&token);
        Answer::to(request.header("idempotency-key", "once-please").json(&json!({ "name": name })))
    };
    let (first, again) = (create("Once").await, create("Once").await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(create("Twice").await.problem(422), "idempotency_mismatch");
}
