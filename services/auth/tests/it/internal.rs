use contracts::UserId;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::Answer;

use crate::support::{App, claims, get, post, register, service_token, start};

async fn ask(app: &App, credentials: Option<(&str, &str)>, form: &[(&str, &str)]) -> Answer {
    let request = app.request(Method::POST, "/internal/token").form(form);
    let request = match credentials {
        Some((client, secret)) => request.basic_auth(client, Some(secret)),
        None => request,
    };
    Answer::to(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_gets_a_token_for_the_service_it_names() {
    let app = start().await;
    let token = service_token(&app, "gateway", "users").await;
    let said = claims(&token);
    assert_eq!((&said["sub"], &said["client"], &said["aud"]), (&json!("gateway"), &json!("gateway"), &json!("users")));
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 600);
    assert!(said["org"].is_null() && said["scope"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_and_request_must_be_right() {
    let app = start().await;
    let right = ("gateway", crate::support::CLIENTS[0].1);
    let form = [("grant_type", "client_credentials"), ("audience", "users")];
    for wrong in
        [None, Some(("gateway", "wrong")), Some(("nobody", right.1)), Some(("nobody", "")), Some(("users", right.1))]
    {
        let answer = ask(&app, wrong, &form).await;
        assert_eq!(answer.problem(401), "invalid_client", "{wrong:?}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    }
    let answer = ask(&app, Some(right), &[("grant_type", "password"), ("audience", "users")]).await;
    assert_eq!(answer.problem(400), "unsupported_grant_type");
    let answer = ask(&app, Some(right), &[("grant_type", "client_credentials"), ("audience", "brainops")]).await;
    assert_eq!(answer.problem(400), "invalid_target");
    let answer = ask(&app, Some(right), &[("grant_type", "client_credentials")]).await;
    answer.problem(answer.status);
    assert!((400..500).contains(&answer.status), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_token_and_a_users_token_are_not_good_for_each_other() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let service = service_token(&app, "gateway", "auth").await;
    let for_users = service_token(&app, "gateway", "users").await;
    assert_eq!(get(&app, "/internal/revocations", &service).await.status, 200);
    assert_eq!(get(&app, "/internal/revocations", &ada.access).await.problem(401), "invalid_token");
    assert_eq!(get(&app, "/internal/revocations", &for_users).await.problem(401), "invalid_token", "meant for another");
    assert_eq!(get(&app, "/v1/auth/me", &service).await.problem(401), "invalid_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_has_everybody_once_in_pages() {
    let app = start().await;
    let mut expected: Vec<UserId> = Vec::new();
    for n in 0..5 {
        expected.push(register(&app, &format!("user{n}")).await.user);
    }
    let token = service_token(&app, "users", "auth").await;
    let (mut found, mut cursor): (Vec<UserId>, Option<String>) = (Vec::new(), None);
    loop {
        let query = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page: Value = get(&app, &format!("/internal/snapshot/users?limit=2{query}"), &token).await.json(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        found.extend(items.iter().map(|item| item["id"].as_str().unwrap().parse::<UserId>().unwrap()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
    let forged = get(&app, "/internal/snapshot/users?cursor=AAAA", &token).await;
    assert_eq!(forged.problem(400), "invalid_cursor");
    assert_eq!(get(&app, "/internal/snapshot/users?page=2", &token).await.problem(400), "invalid_parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_unknown_is_disabled() {
    let app = start().await;
    let token = service_token(&app, "standalone", "auth").await;
    let path = format!("/internal/users/{}/disable", kit::Ids::uuid(&kit::RandomIds));
    assert_eq!(post(&app, &path, Some(&token), &json!({"reason": "admin"})).await.problem(404), "user_not_found");
    let path = "/internal/users/not-an-id/disable";
    assert_eq!(post(&app, path, Some(&token), &json!({"reason": "admin"})).await.problem(404), "not_found");
}
