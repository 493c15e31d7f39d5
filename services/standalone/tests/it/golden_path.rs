//! Somebody signs up, works, signs out; and each step is an event.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{System, Tail, eventually, id, new_email};

/// What the walk has planted: whatever is secret in it must not be found anywhere else.
#[derive(Default)]
pub struct Used {
    pub email: String,
    pub passwords: Vec<String>,
    pub refresh_tokens: Vec<String>,
    pub access_tokens: Vec<String>,
    /// An access token that is still good.
    pub token: String,
}

impl Used {
    /// Notes the tokens of an answer and gives back the access token.
    fn tokens(&mut self, answer: &Value) -> String {
        if let Some(refresh) = answer["refresh_token"].as_str() {
            self.refresh_tokens.push(refresh.to_owned());
        }
        let access = id(answer, "/access_token").to_owned();
        self.access_tokens.push(access.clone());
        access
    }
}

/// The whole path. Leaves behind one session that is still open.
pub async fn walk(system: &System, tail: &mut Tail) -> Used {
    let password = "vexing quilt marmalade tundra";
    let mut planted = Used { email: new_email(), passwords: vec![password.to_owned()], ..Used::default() };
    let registered = register(system, tail, &mut planted).await;
    let token = registered.token.clone();
    create_organization(system, tail, &mut planted, &registered).await;
    log_in_and_out(system, tail, &mut planted, &registered).await;
    planted.token = token;
    planted
}

struct Registered {
    token: String,
    user: String,
    personal_org: String,
}

/// The token of the first answer works everywhere, at once.
async fn register(system: &System, tail: &mut Tail, planted: &mut Used) -> Registered {
    let api = &system.api;
    let answer = api.register(&planted.email, &planted.passwords[0]).await;
    let token = planted.tokens(&answer);
    let (user, org) = (id(&answer, "/user/id").to_owned(), id(&answer, "/organization/id").to_owned());

    let me: Value = api.get("/v1/users/me", &token).await.json(200);
    assert_eq!((id(&me, "/id"), id(&me, "/email")), (user.as_str(), planted.email.as_str()));
    let organizations: Value = api.get("/v1/organizations", &token).await.json(200);
    assert_eq!(organizations["items"].as_array().map(Vec::len), Some(1), "{organizations}");
    assert_eq!(id(&organizations, "/items/0/id"), org);
    assert_eq!(organizations["items"][0]["personal"], true);
    let members: Value = api.get(&format!("/v1/organizations/{org}/members"), &token).await.json(200);
    assert_eq!((id(&members, "/items/0/user_id"), id(&members, "/items/0/role")), (user.as_str(), "owner"));

    let event = tail.wait("auth.user_registered.v1", "/data/user_id", &user).await;
    assert_eq!(
        (id(&event, "/data/organization_id"), id(&event, "/data/email")),
        (org.as_str(), planted.email.as_str())
    );
    tail.wait("auth.session_started.v1", "/data/user_id", &user).await;
    let event = tail.wait("users.organization_created.v1", "/data/organization_id", &org).await;
    assert_eq!((id(&event, "/data/owner_user_id"), &event["data"]["personal"]), (user.as_str(), &json!(true)));
    tail.wait("users.membership_added.v1", "/data/organization_id", &org).await;
    Registered { token, user, personal_org: org }
}

/// A second organization, and work in it.
async fn create_organization(system: &System, tail: &mut Tail, planted: &mut Used, who: &Registered) {
    let api = &system.api;
    let asked = json!({"name": "Analytical Engines"});
    let created: Value = api.post("/v1/organizations", Some(&who.token), &asked).await.json(201);
    let org = id(&created, "/id").to_owned();
    assert_ne!(org, who.personal_org);
    tail.wait("users.organization_created.v1", "/data/organization_id", &org).await;
    let event = tail.wait("users.membership_added.v1", "/data/organization_id", &org).await;
    assert_eq!((id(&event, "/data/user_id"), id(&event, "/data/role")), (who.user.as_str(), "owner"));

    // Auth learns of the membership by that event.
    let switch = json!({"organization_id": org});
    let switched: Value = eventually("the membership at auth", async || {
        let answer = api.post("/v1/auth/switch-organization", Some(&who.token), &switch).await;
        (answer.status != 404).then(|| answer.json(200))
    })
    .await;
    let token = planted.tokens(&switched);
    assert_eq!((id(&switched, "/organization/id"), id(&switched, "/organization/role")), (org.as_str(), "owner"));
    let members: Value = api.get(&format!("/v1/organizations/{org}/members"), &token).await.json(200);
    assert_eq!(id(&members, "/items/0/user_id"), who.user);
    assert_eq!(api.get("/v1/users/me", &token).await.status, 200);
}

/// A second session begins and ends; the first stays.
async fn log_in_and_out(system: &System, tail: &mut Tail, planted: &mut Used, who: &Registered) {
    let api = &system.api;
    let credentials = json!({"email": planted.email, "password": planted.passwords[0]});
    let answer: Value = api.post("/v1/auth/login", None, &credentials).await.json(200);
    planted.tokens(&answer);
    let event = tail.wait("auth.user_logged_in.v1", "/data/user_id", &who.user).await;
    let session = id(&event, "/data/session_id").to_owned();
    tail.wait("auth.session_started.v1", "/data/session_id", &session).await;

    let refresh = json!({"refresh_token": answer["refresh_token"]});
    let answer: Value = api.post("/v1/auth/token/refresh", None, &refresh).await.json(200);
    let token = planted.tokens(&answer);
    let sessions: Value = api.get("/v1/auth/sessions", &token).await.json(200);
    let items = sessions["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{sessions}");
    let current: Vec<_> = items.iter().filter(|item| item["current"] == true).map(|item| id(item, "/id")).collect();
    assert_eq!(current, [session.as_str()]);

    let users = api.through(system.ports_of("users").0);
    assert_eq!(users.get("/v1/users/me", &token).await.status, 200);
    assert_eq!(api.post("/v1/auth/logout", Some(&token), &json!({})).await.status, 204);
    let begun = Instant::now();
    for door in [&users, api] {
        let refused = eventually("the end of the token", async || {
            let answer = door.get("/v1/users/me", &token).await;
            (answer.status != 200).then_some(answer)
        });
        assert_eq!(refused.await.problem(401), "invalid_token");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let event = tail.wait("auth.session_revoked.v1", "/data/session_id", &session).await;
    assert_eq!((id(&event, "/data/user_id"), id(&event, "/data/reason")), (who.user.as_str(), "logout"));
    let gone = json!({"refresh_token": answer["refresh_token"]});
    assert_eq!(api.post("/v1/auth/token/refresh", None, &gone).await.problem(401), "invalid_refresh_token");
    assert_eq!(api.get("/v1/users/me", &who.token).await.status, 200, "the other session goes on");
}
