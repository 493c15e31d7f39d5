//! What auth ends, ends here: told by the real broker's binding and by auth's list of before.

use std::time::Duration;

use actix_web::web::{self, Data};
use actix_web::{App as Server, HttpResponse, HttpServer};
use chrono::TimeDelta;
use contracts::{Role, ScopeSet};
use events::{Revocation, RevocationKind, Revocations};
use kit::auth::{Claims, JwkSet, ServiceClaims, SigningKey, sign};
use kit::{Ids, RandomIds};
use testkit::{Actor, Answer, AuthStub, infra, test_start};

use crate::support::{App, Backend};

/// Auth with one session that was ended a minute ago.
struct Auth {
    key: SigningKey,
    ended: Actor,
}

impl Auth {
    fn token(&self, actor: &Actor) -> String {
        let now = test_start().timestamp();
        let claims = Claims {
            iss: AuthStub::ISSUER.into(),
            aud: "brainops".into(),
            sub: actor.user,
            org: actor.org,
            sid: actor.session,
            role: actor.role,
            scope: ScopeSet::default(),
            amr: Vec::new(),
            auth_time: now,
            iat: now - 60,
            nbf: now - 60,
            exp: now + 540,
            jti: RandomIds.uuid(),
            api_key: None,
        };
        sign(&claims, &self.key).unwrap()
    }
}

async fn jwks(auth: Data<Auth>) -> HttpResponse {
    HttpResponse::Ok().json(JwkSet { keys: vec![auth.key.jwk()] })
}

async fn token(auth: Data<Auth>) -> HttpResponse {
    let now = test_start().timestamp();
    let claims = ServiceClaims {
        iss: AuthStub::ISSUER.into(),
        aud: "auth".into(),
        sub: "gateway".into(),
        client: "gateway".into(),
        iat: now,
        nbf: now,
        exp: now + 600,
        jti: RandomIds.uuid(),
    };
    let token = sign(&claims, &auth.key).unwrap();
    HttpResponse::Ok().json(serde_json::json!({ "access_token": token, "token_type": "Bearer", "expires_in": 600 }))
}

async fn revocations(auth: Data<Auth>) -> HttpResponse {
    let (at, until) = (test_start() - TimeDelta::minutes(1), test_start() + TimeDelta::minutes(9));
    let id = auth.ended.session.uuid();
    HttpResponse::Ok().json(Revocations { items: vec![Revocation { kind: RevocationKind::Session, id, at, until }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_opens_nothing_although_its_token_has_not_expired() {
    let (ended, other) = (Actor::new(Role::Owner), Actor::new(Role::Owner));
    let auth = Data::new(Auth { key: SigningKey::generate("k1", &RandomIds).unwrap(), ended });
    let data = auth.clone();
    let server = HttpServer::new(move || {
        Server::new()
            .app_data(data.clone())
            .route("/.well-known/jwks.json", web::get().to(jwks))
            .route("/internal/token", web::post().to(token))
            .route("/internal/revocations", web::get().to(revocations))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .unwrap();
    let url = format!("http://{}", server.addrs()[0]);
    kit::tasks::spawn("test.auth", server.run());

    let backend = Backend::start();
    let app = App::builder()
        .users(&[&backend])
        .keys_at(&url)
        .env("BRAINOPS_AMQP_URL", infra().amqp_url.clone())
        .env("BRAINOPS_AMQP_NAMESPACE", format!("t{}.", RandomIds.uuid().simple()))
        .start()
        .await;
    let call = async |actor: &Actor| {
        Answer::to(app.client.get(format!("{}/v1/users/me", app.url)).bearer_auth(auth.token(actor))).await
    };
    let refused = async {
        loop {
            let answer = call(&ended).await;
            if answer.status == 401 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(30), refused).await.expect("the session is refused");
    assert_eq!(answer.problem(401), "invalid_token");
    assert_eq!(call(&other).await.status, 200, "another session of another person is not concerned");
}
