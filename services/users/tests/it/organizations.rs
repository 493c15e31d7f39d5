use contracts::{
    Role,
    users::v1::{MembershipAdded, OrganizationCreated},
};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Answer, TestApp};
use users::Users;

use crate::support::{join, welcomed};

#[tokio::test(flavor = "multi_thread")]
async fn a_founder_owns_what_they_found() {
    let app = TestApp::<Users>::start().await;
    let events = app.record().await;
    let ada = welcomed(&app, "Ada").await;
    let answer = app.post("/v1/organizations", &ada, &json!({"name": "Engines", "slug": "engines"})).await;
    let org: Value = answer.json(201);
    assert_eq!((&org["role"], &org["personal"], &org["slug"]), (&json!("owner"), &json!(false), &json!("engines")));
    let location = answer.header("location").unwrap().to_owned();
    assert_eq!(app.get(&location, &ada).await.json::<Value>(200), org);

    let id = org["id"].as_str().unwrap();
    let (envelope, _) = events.wait::<OrganizationCreated>(|event| event.organization_id == id).await;
    assert_eq!(envelope.org.unwrap().to_string(), id, "the event belongs to the new organization");
    let (_, added) = events.wait::<MembershipAdded>(|event| event.organization_id == id).await;
    assert_eq!(added.role, "owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn slugs_are_derived_checked_and_unique() {
    let app = TestApp::<Users>::start().await;
    let (ada, bob) = (welcomed(&app, "Ada").await, welcomed(&app, "Bob").await);
    let org: Value = app.post("/v1/organizations", &ada, &json!({"name": "Ünder Wäter!"})).await.json(201);
    assert!(org["slug"].as_str().unwrap().starts_with("nder-w-ter-"), "{org}");

    let taken = json!({"name": "One", "slug": "only-one"});
    assert_eq!(app.post("/v1/organizations", &ada, &taken).await.status, 201);
    let answer = app.post("/v1/organizations", &bob, &taken).await;
    assert_eq!(answer.problem(409), "slug_taken");
    assert_eq!(answer.bad_fields(409), ["slug"]);

    let bad = json!({"name": "\u{7}", "slug": "Not A Slug"});
    assert_eq!(app.post("/v1/organizations", &ada, &bad).await.bad_fields(422), ["name", "slug"]);
    assert_eq!(app.post("/v1/organizations", &ada, &json!({})).await.bad_fields(422), ["name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_walk_through_everything_once() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    for n in 0..6 {
        let body = json!({"name": format!("Org {n}")});
        assert_eq!(app.post("/v1/organizations", &ada, &body).await.status, 201);
    }
    let (mut names, mut path) = (Vec::new(), "/v1/organizations?limit=3".to_owned());
    loop {
        let page: Value = app.get(&path, &ada).await.json(200);
        names.extend(page["items"].as_array().unwrap().iter().map(|org| org["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/organizations?limit=3&cursor={cursor}");
    }
    assert_eq!(names, ["Ada", "Org 0", "Org 1", "Org 2", "Org 3", "Org 4", "Org 5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_good_for_its_own_list_only() {
    let app = TestApp::<Users>::start().await;
    let (ada, bob) = (welcomed(&app, "Ada").await, welcomed(&app, "Bob").await);
    assert_eq!(app.post("/v1/organizations", &ada, &json!({"name": "Second"})).await.status, 201);
    let page: Value = app.get("/v1/organizations?limit=1", &ada).await.json(200);
    let cursor = page["next_cursor"].as_str().unwrap();

    let mut forged = cursor.to_owned();
    forged.replace_range(..1, if cursor.starts_with('A') { "B" } else { "A" });
    for (who, path) in [
        (&ada, format!("/v1/organizations?cursor={forged}")),
        (&bob, format!("/v1/organizations?cursor={cursor}")),
        (&ada, format!("/v1/organizations/{}/members?cursor={cursor}", ada.org)),
    ] {
        assert_eq!(app.get(&path, who).await.problem(400), "invalid_cursor", "{path}");
    }
    for query in ["limit=0", "limit=101", "limit=x", "page=2"] {
        assert_eq!(app.get(&format!("/v1/organizations?{query}"), &ada).await.status, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_see_each_other_and_nobody_else() {
    let app = TestApp::<Users>::start().await;
    let (ada, bob, eve) = (welcomed(&app, "Ada").await, welcomed(&app, "Bob").await, welcomed(&app, "Eve").await);
    let bob = join(&app, &bob, ada.org, Role::Viewer).await;

    let path = format!("/v1/organizations/{}/members", ada.org);
    let page: Value = app.get(&path, &bob).await.json(200);
    let seen: Vec<_> = page["items"].as_array().unwrap().iter().map(|m| (&m["display_name"], &m["role"])).collect();
    assert_eq!(seen, [(&json!("Ada"), &json!("owner")), (&json!("Bob"), &json!("viewer"))]);

    // Eve does not learn whether the organization exists.
    for path in [path, format!("/v1/organizations/{}", ada.org)] {
        assert_eq!(app.get(&path, &eve).await.problem(404), "organization_not_found");
    }
    let nowhere = Actor::new(Role::Owner).org;
    assert_eq!(app.get(&format!("/v1/organizations/{nowhere}"), &ada).await.problem(404), "organization_not_found");
    assert_eq!(app.get("/v1/organizations/not-an-id", &ada).await.status, 404);
    let list: Value = app.get("/v1/organizations", &bob).await.json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_with_one_key_is_one_organization() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    let token = app.auth.token(&ada);
    let create = |name: &str| {
        let request = app.request(Method::POST, "/v1/organizations").bearer_auth(&token);
        Answer::to(request.header("idempotency-key", "once-please").json(&json!({"name": name})))
    };
    let first = create("Once").await;
    let again = create("Once").await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    assert_eq!(create("Twice").await.problem(422), "idempotency_mismatch");

    let storm = (0..10).map(|_| create("Once"));
    for answer in futures_util::future::join_all(storm).await {
        assert!([201, 409, 503].contains(&answer.status), "{}", answer.text());
    }
    let list: Value = app.get("/v1/organizations", &ada).await.json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "the personal one and the one that was created once");
}
