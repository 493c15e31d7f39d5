//! What several tests need.

pub mod keys;

use auth::Auth;
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use contracts::users::v1::{MembershipAdded, MembershipRemoved, MembershipRoleChanged};
use contracts::{Event, EventId, MembershipId, OrgId, Origin, Role, SessionId, UserId};
use db::diesel::{
    PgConnection, QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _, sql_query, sql_types,
};
use kit::{NewId as _, RandomIds};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestAppBuilder, test_start};

pub type App = TestApp<Auth>;

pub const PASSWORD: &str = "vexing quilt marmalade tundra";
pub const CLIENTS: [(&str, &str); 3] = [
    ("gateway", "secret-of-the-gateway-in-tests-0000000"),
    ("users", "secret-of-users-in-tests-00000000000000"),
    ("standalone", "secret-of-the-operator-in-tests-000000"),
];

/// A master key of the ring, as the environment carries it.
pub fn master_key(id: &str, seed: u8) -> String {
    let bytes: Vec<u8> = (0..32).map(|n| n ^ seed).collect();
    format!("{id}:{}", STANDARD.encode(bytes))
}

/// The service as most tests want it: jobs that look often, and registrations that do not run out.
pub fn builder() -> TestAppBuilder<Auth> {
    let clients: Vec<_> = CLIENTS.iter().map(|(name, secret)| format!("{name}:{secret}")).collect();
    App::builder()
        .env("BRAINOPS_MASTER_KEYS", master_key("test", 7))
        .env("BRAINOPS_TOKEN_PEPPER", "pepper of the tests, long enough to be one")
        .env("BRAINOPS_AUTH_CLIENTS", clients.join(","))
        .env("BRAINOPS_AUTH_REGISTER_LIMIT", "1000")
        .env("BRAINOPS_AUTH_KEY_INTERVAL_MS", "100")
        .env("BRAINOPS_AUTH_SWEEP_INTERVAL_MS", "100")
        .env("BRAINOPS_AUTH_HASH_WAIT_MS", "60000")
}

pub async fn start() -> App {
    let app = builder().start().await;
    app.consuming(auth::events::USERS_QUEUE).await;
    app
}

/// A second replica: same database, same exchange, its own process state. Its clock shows what the first one's shows.
pub async fn replica(of: &App) -> App {
    replica_with(of, builder()).await
}

pub async fn replica_with(of: &App, builder: TestAppBuilder<Auth>) -> App {
    let app = builder
        .env("BRAINOPS_DATABASE_URL", of.db.app_url())
        .env("BRAINOPS_AMQP_NAMESPACE", &of.namespace)
        .start()
        .await;
    app.clock.set(kit::Clock::now(&*of.clock));
    app
}

/// Somebody signed in.
#[derive(Clone, Debug)]
pub struct Person {
    pub user: UserId,
    pub org: OrgId,
    pub access: String,
    pub refresh: String,
}

impl Person {
    /// From the answer of register, login or refresh.
    pub fn from(tokens: &Value) -> Self {
        Self {
            user: tokens["user"]["id"].as_str().unwrap().parse().unwrap(),
            org: tokens["organization"]["id"].as_str().unwrap().parse().unwrap(),
            access: tokens["access_token"].as_str().unwrap().to_owned(),
            refresh: tokens["refresh_token"].as_str().unwrap().to_owned(),
        }
    }

    pub fn session(&self) -> SessionId {
        claims(&self.access)["sid"].as_str().unwrap().parse().unwrap()
    }
}

pub async fn post(app: &App, path: &str, token: Option<&str>, body: &Value) -> Answer {
    app.send(Method::POST, path, token, Some(body)).await
}

/// `POST` as if from `source`, which the peer on loopback is trusted to tell.
pub async fn post_from(app: &App, source: &str, path: &str, body: &Value) -> Answer {
    Answer::to(app.request(Method::POST, path).header("x-forwarded-for", source).json(body)).await
}

pub async fn get(app: &App, path: &str, token: &str) -> Answer {
    app.send(Method::GET, path, Some(token), None).await
}

pub fn registration(name: &str) -> Value {
    json!({"email": email(name), "password": PASSWORD, "display_name": name})
}

pub fn email(name: &str) -> String {
    format!("{}@example.org", name.to_lowercase())
}

pub async fn register(app: &App, name: &str) -> Person {
    let answer = post(app, "/v1/auth/register", None, &registration(name)).await;
    Person::from(&answer.json(201))
}

pub fn credentials(name: &str, password: &str) -> Value {
    json!({"email": email(name), "password": password})
}

pub async fn log_in(app: &App, name: &str) -> Person {
    let answer = post(app, "/v1/auth/login", None, &credentials(name, PASSWORD)).await;
    Person::from(&answer.json(200))
}

pub async fn refresh(app: &App, token: &str) -> Answer {
    post(app, "/v1/auth/token/refresh", None, &json!({"refresh_token": token})).await
}

/// What a token says, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, at: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// A token of a service for calling `audience`.
pub async fn service_token(app: &App, client: &str, audience: &str) -> String {
    let (_, secret) = CLIENTS.iter().find(|(name, _)| *name == client).unwrap();
    let answer = Answer::to(
        app.request(Method::POST, "/internal/token")
            .basic_auth(client, Some(secret))
            .form(&[("grant_type", "client_credentials"), ("audience", audience)]),
    )
    .await;
    answer.json::<Value>(200)["access_token"].as_str().unwrap().to_owned()
}

/// Puts an event of the users service on the exchange, by way of this service's own outbox: its relay does not look at
/// what it relays.
pub async fn publish<E: Event>(app: &App, sequence: i64, event: E) -> EventId {
    app.db
        .admin(move |conn| {
            conn.batch_execute("SET search_path TO auth").unwrap();
            db::outbox::append(conn, &RandomIds, &Origin::system(test_start()), sequence, &event).unwrap()
        })
        .await
}

/// One person's membership in an organization, as the users service tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Membership {
    pub id: MembershipId,
    pub org: OrgId,
    pub user: UserId,
}

impl Membership {
    pub fn new(org: OrgId, user: UserId) -> Self {
        Self { id: RandomIds.new(), org, user }
    }

    pub fn added(&self, role: Role) -> MembershipAdded {
        MembershipAdded {
            membership_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            user_id: self.user.to_string(),
            role: role.as_str().to_owned(),
            ..MembershipAdded::default()
        }
    }

    pub fn role_changed(&self, role: Role) -> MembershipRoleChanged {
        MembershipRoleChanged {
            membership_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            user_id: self.user.to_string(),
            role: role.as_str().to_owned(),
            ..MembershipRoleChanged::default()
        }
    }

    pub fn removed(&self) -> MembershipRemoved {
        MembershipRemoved {
            membership_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            user_id: self.user.to_string(),
            ..MembershipRemoved::default()
        }
    }
}

/// Publishes what the users service tells, and waits until this service has dealt with it.
pub async fn tell<E: Event>(app: &App, sequence: i64, event: E) {
    consumed(app, publish(app, sequence, event).await).await;
}

/// Somebody new who works in an organization of others.
pub async fn member(app: &App, name: &str, role: Role) -> (Person, Membership) {
    let person = register(app, name).await;
    join(app, person, RandomIds.new(), role).await
}

/// Somebody who works in an organization from now on.
pub async fn join(app: &App, person: Person, org: OrgId, role: Role) -> (Person, Membership) {
    let membership = Membership::new(org, person.user);
    tell(app, 1, membership.added(role)).await;
    let body = json!({"organization_id": membership.org});
    let switched: Value = post(app, "/v1/auth/switch-organization", Some(&person.access), &body).await.json(200);
    let access = switched["access_token"].as_str().unwrap().to_owned();
    (Person { access, org: membership.org, ..person }, membership)
}

/// The organizations and roles that `GET /v1/auth/me` shows.
pub async fn roles(app: &App, token: &str) -> Vec<(OrgId, String)> {
    let me: Value = get(app, "/v1/auth/me", token).await.json(200);
    let items = me["organizations"].as_array().unwrap();
    items
        .iter()
        .map(|item| (item["id"].as_str().unwrap().parse().unwrap(), item["role"].as_str().unwrap().to_owned()))
        .collect()
}

/// Asks again until `done` says yes: for what happens in the background. Fails after half a minute.
pub async fn until<F: Future<Output = bool>>(what: &str, done: impl Fn() -> F) {
    for _ in 0..600 {
        if done().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("waited in vain until {what}");
}

/// Waits until a consumer of this service has dealt with an event.
pub async fn consumed(app: &App, event: EventId) {
    let sql = format!("SELECT count(*) AS n FROM auth.inbox_events WHERE event_id = '{event}'");
    until("the event was consumed", || async { count(app, &sql).await == 1 }).await;
}

/// The `n` of a query.
pub async fn count(app: &App, sql: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = sql_types::BigInt)]
        n: i64,
    }
    let sql = sql.to_owned();
    app.db.admin(move |conn| sql_query(sql).get_result::<Count>(conn).unwrap().n).await
}

/// The `line`s of a query.
pub async fn lines(app: &App, sql: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = sql_types::Text)]
        line: String,
    }
    let sql = sql.to_owned();
    let lines = move |conn: &mut PgConnection| sql_query(sql).load::<Line>(conn).unwrap();
    app.db.admin(lines).await.into_iter().map(|row| row.line).collect()
}
