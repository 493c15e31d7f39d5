//! Tokens that must be refused, each for its own reason, and the few that must be taken.
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey};
use kit::auth::{
    Claims, JwkSet, JwksSource, KeySet, ServiceClaims, SigningKey, TokenError, Verifier, VerifierConfig, sign,
};
use kit::{Clock, ManualClock, NewId, RandomIds};
use serde_json::{Value, json};

const ISSUER: &str = "https://brainops.example";
const AUDIENCE: &str = "brainops";

/// auth's published keys, changeable.
pub struct Published(pub Mutex<JwkSet>);

impl KeySet for Published {
    fn keys(&self) -> JwkSet {
        self.0.lock().unwrap().clone()
    }
}

struct Bench {
    key: SigningKey,
    published: Arc<Published>,
    clock: Arc<ManualClock>,
    verifier: Verifier,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut VerifierConfig)) -> Self {
        let key = SigningKey::generate("key-1", &RandomIds).unwrap();
        let published = Arc::new(Published(Mutex::new(JwkSet { keys: vec![key.jwk()] })));
        let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let mut config = VerifierConfig::new(ISSUER, AUDIENCE, "projects", JwksSource::Local(published.clone()));
        change(&mut config);
        let verifier = Verifier::new(config, clock.clone()).unwrap();
        Self { key, published, clock, verifier }
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    fn claims(&self) -> Claims {
        let now = self.now();
        Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: RandomIds.new(),
            org: RandomIds.new(),
            sid: RandomIds.new(),
            role: contracts::Role::Member,
            scope: contracts::Role::Member.scopes().iter().collect(),
            amr: vec!["pwd".into()],
            auth_time: now,
            iat: now,
            nbf: now,
            exp: now + 600,
            jti: kit::Ids::uuid(&RandomIds),
            api_key: None,
        }
    }

    fn service_claims(&self) -> ServiceClaims {
        let now = self.now();
        ServiceClaims {
            iss: ISSUER.into(),
            aud: "projects".into(),
            sub: "gateway".into(),
            client: "gateway".into(),
            iat: now,
            nbf: now,
            exp: now + 300,
            jti: kit::Ids::uuid(&RandomIds),
        }
    }

    fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": self.key.kid()})
    }

    /// The good claims with members set, or taken out where the value is null.
    fn claims_with(&self, changes: Value) -> Value {
        let mut claims = serde_json::to_value(self.claims()).unwrap();
        edit(&mut claims, changes);
        claims
    }

    fn header_with(&self, changes: Value) -> Value {
        let mut header = self.header();
        edit(&mut header, changes);
        header
    }

    async fn refusal(&self, token: &str) -> TokenError {
        let answer = self.verifier.verify(token).await;
        // The same again: a refusal must not be remembered as anything else.
        assert_eq!(self.verifier.verify(token).await.is_err(), answer.is_err());
        answer.expect_err(token)
    }

    async fn refuses_header(&self, changes: Value, reason: TokenError) {
        let token = forge(&self.header_with(changes.clone()), &self.claims_with(json!({})), &self.key);
        assert_eq!(self.refusal(&token).await, reason, "{changes}");
    }

    async fn refuses_claims(&self, changes: Value, reason: TokenError) {
        let token = forge(&self.header(), &self.claims_with(changes.clone()), &self.key);
        assert_eq!(self.refusal(&token).await, reason, "{changes}");
    }
}

fn edit(object: &mut Value, changes: Value) {
    let (Value::Object(object), Value::Object(changes)) = (object, changes) else { panic!("two objects") };
    for (name, value) in changes {
        if value.is_null() {
            object.remove(&name);
        } else {
            object.insert(name, value);
        }
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn pem_key(key: &SigningKey) -> EncodingKey {
    EncodingKey::from_ec_pem(key.to_pem().unwrap().expose().as_bytes()).unwrap()
}

/// Any header and claims under a valid ES256 signature of the key.
fn forge(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &pem_key(key), Algorithm::ES256).unwrap();
    format!("{message}.{signature}")
}

#[tokio::test]
async fn a_good_token_is_taken_and_says_who_it_is() {
    let bench = Bench::new();
    let claims = bench.claims();
    let token = sign(&claims, &bench.key).unwrap();
    assert_eq!(*bench.verifier.verify(&token).await.unwrap(), claims);
    // From memory, too.
    assert_eq!(*bench.verifier.verify_cached(&token).unwrap().unwrap(), claims);
    // The corpus forges with its own code; what it makes must be good when nothing is changed.
    let forged = forge(&bench.header(), &bench.claims_with(json!({})), &bench.key);
    bench.verifier.verify(&forged).await.unwrap();
    // A media type compares without case and may be written in full (RFC 7515 section 4.1.9).
    let full =
        forge(&bench.header_with(json!({"typ": "application/AT+JWT"})), &bench.claims_with(json!({})), &bench.key);
    bench.verifier.verify(&full).await.unwrap();
}

#[tokio::test]
async fn alg_none_in_any_spelling() {
    let bench = Bench::new();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = bench.header_with(json!({"alg": alg}));
        let message = format!("{}.{}", part(&header), part(&bench.claims_with(json!({}))));
        for token in [format!("{message}."), format!("{message}.AAAA")] {
            assert_eq!(bench.refusal(&token).await, TokenError::Algorithm, "{alg}");
        }
        bench.refuses_header(json!({"alg": alg}), TokenError::Algorithm).await;
    }
    bench.refuses_header(json!({"alg": null}), TokenError::Algorithm).await;
}

#[tokio::test]
async fn hs256_with_the_public_key_as_secret() {
    let bench = Bench::new();
    let jwk = bench.key.jwk();
    let point =
        [&[4_u8][..], &URL_SAFE_NO_PAD.decode(&jwk.x).unwrap(), &URL_SAFE_NO_PAD.decode(&jwk.y).unwrap()].concat();
    let secrets = [point, serde_json::to_vec(&jwk).unwrap(), jwk.x.into_bytes(), Vec::new()];
    for secret in secrets {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = bench.header_with(json!({"alg": format!("{algorithm:?}")}));
            let message = format!("{}.{}", part(&header), part(&bench.claims_with(json!({}))));
            let key = EncodingKey::from_secret(&secret);
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
            assert_eq!(bench.refusal(&format!("{message}.{signature}")).await, TokenError::Algorithm);
        }
    }
}

#[tokio::test]
async fn other_asymmetric_algorithms() {
    let bench = Bench::new();
    for alg in ["ES384", "RS256", "PS256", "EdDSA", "ES256K", "es256"] {
        bench.refuses_header(json!({"alg": alg}), TokenError::Algorithm).await;
    }
}

#[tokio::test]
async fn a_stripped_signature() {
    let bench = Bench::new();
    let token = sign(&bench.claims(), &bench.key).unwrap();
    let message = token.rsplit_once('.').unwrap().0;
    assert_eq!(bench.refusal(&format!("{message}.")).await, TokenError::Signature);
    assert_eq!(bench.refusal(message).await, TokenError::Malformed);
}

#[tokio::test]
async fn a_signature_of_something_else() {
    let bench = Bench::new();
    let (one, other) = (sign(&bench.claims(), &bench.key).unwrap(), sign(&bench.claims(), &bench.key).unwrap());
    let mixed = format!("{}.{}", one.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    assert_eq!(bench.refusal(&mixed).await, TokenError::Signature);
    // r = s = 0, which broken verifiers take for everything (CVE-2022-21449).
    let zero = format!("{}.{}", one.rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode([0_u8; 64]));
    assert_eq!(bench.refusal(&zero).await, TokenError::Signature);
    // One claim changed under the old signature.
    let parts: Vec<&str> = one.split('.').collect();
    let raised = format!("{}.{}.{}", parts[0], part(&bench.claims_with(json!({"role": "owner"}))), parts[2]);
    assert_eq!(bench.refusal(&raised).await, TokenError::Signature);
}

#[tokio::test]
async fn another_key_under_a_known_name() {
    let bench = Bench::new();
    let forger = SigningKey::generate("key-1", &RandomIds).unwrap();
    let token = sign(&bench.claims(), &forger).unwrap();
    assert_eq!(bench.refusal(&token).await, TokenError::Signature);
}

#[tokio::test]
async fn keys_brought_along_in_the_header() {
    let bench = Bench::new();
    let forger = SigningKey::generate("key-1", &RandomIds).unwrap();
    let certificate = "MIIB";
    for injected in [
        json!({"jku": "https://evil.example/jwks.json"}),
        json!({"x5u": "https://evil.example/cert.pem"}),
        json!({"jwk": forger.jwk()}),
        json!({"x5c": [certificate]}),
        json!({"x5t": certificate}),
        json!({"x5t#S256": certificate}),
        json!({"crit": ["exp"]}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"zip": "DEF"}),
        json!({"enc": "A256GCM"}),
        json!({"cty": "JWT"}),
        json!({"url": "https://evil.example/"}),
        json!({"nonce": "x"}),
    ] {
        // Whoever signed it: with the forger's key it must not verify, with ours it must not be looked at.
        let header = bench.header_with(injected.clone());
        for key in [&forger, &bench.key] {
            let token = forge(&header, &bench.claims_with(json!({})), key);
            assert_eq!(bench.refusal(&token).await, TokenError::Header, "{injected}");
        }
    }
}

#[tokio::test]
async fn kid_injection() {
    let bench = Bench::new();
    for kid in [
        "",
        "key-2",
        "KEY-1",
        "key-1 ",
        "key-1\u{0}",
        "../../../../dev/null",
        "' OR '1'='1",
        "https://evil.example/key",
        "key-1\r\nx-evil: 1",
        &"k".repeat(65),
        &"k".repeat(2000),
    ] {
        bench.refuses_header(json!({"kid": kid}), TokenError::UnknownKey).await;
    }
    bench.refuses_header(json!({"kid": null}), TokenError::UnknownKey).await;
    bench.refuses_header(json!({"kid": 1}), TokenError::Algorithm).await;
}

#[tokio::test]
async fn missing_claims() {
    let bench = Bench::new();
    for claim in ["iss", "aud", "sub", "exp", "nbf", "iat", "org", "sid", "role", "scope", "auth_time", "jti"] {
        bench.refuses_claims(json!({claim: null}), TokenError::Claims).await;
    }
}

#[tokio::test]
async fn wrong_issuer_and_audience() {
    let bench = Bench::new();
    for iss in ["https://evil.example", "https://brainops.example/", "HTTPS://BRAINOPS.EXAMPLE", ""] {
        bench.refuses_claims(json!({"iss": iss}), TokenError::Issuer).await;
    }
    for aud in ["projects", "brainops2", "", "Brainops"] {
        bench.refuses_claims(json!({"aud": aud}), TokenError::Audience).await;
    }
    // Lists are not how our tokens look, also when they hold the right one.
    bench.refuses_claims(json!({"aud": ["brainops", "evil"]}), TokenError::Claims).await;
    bench.refuses_claims(json!({"iss": [ISSUER]}), TokenError::Claims).await;
}

#[tokio::test]
async fn claims_of_wrong_types() {
    let bench = Bench::new();
    for changes in [
        json!({"exp": "1800000600"}),
        json!({"exp": 1_800_000_600.5}),
        json!({"exp": 1e300}),
        json!({"nbf": true}),
        json!({"sub": "root"}),
        json!({"sub": 1}),
        json!({"role": "superuser"}),
        json!({"scope": ["projects:read"]}),
        json!({"org": "00000000000000000000000000000000"}),
    ] {
        bench.refuses_claims(changes, TokenError::Claims).await;
    }
}

#[tokio::test]
async fn a_claim_given_twice() {
    let bench = Bench::new();
    let claims = bench.claims_with(json!({})).to_string().replacen('{', "{\"role\":\"owner\",", 1);
    let message = format!("{}.{}", part(&bench.header()), URL_SAFE_NO_PAD.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &pem_key(&bench.key), Algorithm::ES256).unwrap();
    assert_eq!(bench.refusal(&format!("{message}.{signature}")).await, TokenError::Claims);
}

#[tokio::test]
async fn refresh_and_id_tokens_used_as_access_tokens() {
    let bench = Bench::new();
    for typ in ["JWT", "jwt", "rt+jwt", "refresh+jwt", "id_token", "at+jwt2", "", "application/jwt"] {
        bench.refuses_header(json!({"typ": typ}), TokenError::Type).await;
    }
    bench.refuses_header(json!({"typ": null}), TokenError::Type).await;
}

#[tokio::test]
async fn a_token_for_another_service() {
    let bench = Bench::new();
    let good = sign(&bench.service_claims(), &bench.key).unwrap();
    assert_eq!(bench.verifier.verify_service(&good).await.unwrap().client, "gateway");
    assert_eq!(bench.verifier.verify_service(&good).await.unwrap().client, "gateway");

    let elsewhere = sign(&ServiceClaims { aud: "users".into(), ..bench.service_claims() }, &bench.key).unwrap();
    assert_eq!(bench.verifier.verify_service(&elsewhere).await.unwrap_err(), TokenError::Audience);
}

#[tokio::test]
async fn the_two_kinds_of_token_never_stand_in_for_each_other() {
    let bench = Bench::new();
    let service = sign(&bench.service_claims(), &bench.key).unwrap();
    let user = sign(&bench.claims(), &bench.key).unwrap();
    bench.verifier.verify_service(&service).await.unwrap();
    bench.verifier.verify(&user).await.unwrap();
    // Verified and remembered as one kind is nothing for the other.
    assert_eq!(bench.verifier.verify(&service).await.unwrap_err(), TokenError::Claims);
    assert_eq!(bench.verifier.verify_service(&user).await.unwrap_err(), TokenError::Claims);
    // Not even with the other's audience.
    let crossed = forge(&bench.header(), &bench.claims_with(json!({"aud": "projects"})), &bench.key);
    assert_eq!(bench.verifier.verify_service(&crossed).await.unwrap_err(), TokenError::Claims);
    let crossed = sign(&ServiceClaims { aud: AUDIENCE.into(), ..bench.service_claims() }, &bench.key).unwrap();
    assert_eq!(bench.verifier.verify(&crossed).await.unwrap_err(), TokenError::Claims);
}

#[tokio::test]
async fn a_service_may_not_be_called_like_the_platform() {
    let config = VerifierConfig::new(ISSUER, "auth", "auth", JwksSource::Local(Bench::new().published));
    assert!(Verifier::new(config, Arc::new(kit::SystemClock)).is_err());
}

#[tokio::test]
async fn malformed_texts() {
    let bench = Bench::new();
    let good = sign(&bench.claims(), &bench.key).unwrap();
    for text in
        ["", ".", "..", "...", "a.b.c", "Bearer x", "eyJ.eyJ.", "\u{1f600}", &"a".repeat(5000), &format!("{good}.x.y")]
    {
        assert!(matches!(bench.refusal(text).await, TokenError::Malformed | TokenError::Algorithm), "{text}");
    }
    for text in
        [format!(" {good}"), format!("{good} "), format!("{good}\n"), format!("{good}="), good.replace('.', "..")]
    {
        bench.refusal(&text).await;
    }
    let endless = forge(&bench.header(), &bench.claims_with(json!({"amr": ["x".repeat(5000)]})), &bench.key);
    assert_eq!(bench.refusal(&endless).await, TokenError::Malformed);
}

#[tokio::test]
async fn expiry_is_judged_by_our_clock_with_leeway_also_from_memory() {
    let bench = Bench::with(|config| config.leeway = Duration::from_secs(15));
    let token = sign(&bench.claims(), &bench.key).unwrap();
    bench.clock.advance(TimeDelta::seconds(600 + 14));
    bench.verifier.verify(&token).await.unwrap();
    bench.clock.advance(TimeDelta::seconds(1));
    // Remembered as good, and still refused now.
    assert_eq!(bench.verifier.verify_cached(&token).unwrap().unwrap_err(), TokenError::Expired);
    assert_eq!(bench.refusal(&token).await, TokenError::Expired);
    // Never seen before.
    let stale = sign(&Claims { exp: bench.now() - 15, ..bench.claims() }, &bench.key).unwrap();
    assert_eq!(bench.refusal(&stale).await, TokenError::Expired);
    bench.refuses_claims(json!({"exp": -1}), TokenError::Claims).await;
    bench.refuses_claims(json!({"exp": 0}), TokenError::Expired).await;
}

#[tokio::test]
async fn tokens_from_the_future() {
    let bench = Bench::with(|config| config.leeway = Duration::from_secs(15));
    let now = bench.now();
    for claim in ["nbf", "iat"] {
        bench.refuses_claims(json!({claim: now + 16}), TokenError::NotYetValid).await;
        let soon = forge(&bench.header(), &bench.claims_with(json!({claim: now + 15})), &bench.key);
        bench.verifier.verify(&soon).await.unwrap();
    }
}

#[tokio::test]
async fn leeway_is_30_seconds_at_most() {
    let bench = Bench::with(|config| config.leeway = Duration::from_hours(1));
    let token = sign(&bench.claims(), &bench.key).unwrap();
    bench.clock.advance(TimeDelta::seconds(629));
    bench.verifier.verify(&token).await.unwrap();
    bench.clock.advance(TimeDelta::seconds(1));
    assert_eq!(bench.refusal(&token).await, TokenError::Expired);
}

#[tokio::test]
async fn a_key_that_was_withdrawn() {
    let bench = Bench::with(|config| config.keys_max_age = Duration::ZERO);
    bench.verifier.verify(&sign(&bench.claims(), &bench.key).unwrap()).await.unwrap();
    let next = SigningKey::generate("key-2", &RandomIds).unwrap();
    bench.published.0.lock().unwrap().keys = vec![next.jwk()];
    assert_eq!(bench.refusal(&sign(&bench.claims(), &bench.key).unwrap()).await, TokenError::UnknownKey);
    bench.verifier.verify(&sign(&bench.claims(), &next).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_rotated_key_is_found_at_once() {
    let bench = Bench::new();
    bench.verifier.verify(&sign(&bench.claims(), &bench.key).unwrap()).await.unwrap();
    let next = SigningKey::generate("key-2", &RandomIds).unwrap();
    bench.published.0.lock().unwrap().keys.push(next.jwk());
    bench.verifier.verify(&sign(&bench.claims(), &next).unwrap()).await.unwrap();
}

#[tokio::test]
async fn keys_that_are_not_for_es256_signatures_are_no_keys() {
    for (member, value) in [("alg", "HS256"), ("alg", "ES384"), ("use", "enc"), ("kty", "oct"), ("crv", "secp256k1")] {
        let bench = Bench::new();
        let mut jwk = serde_json::to_value(bench.key.jwk()).unwrap();
        jwk[member] = value.into();
        bench.published.0.lock().unwrap().keys = vec![serde_json::from_value(jwk).unwrap()];
        let token = sign(&bench.claims(), &bench.key).unwrap();
        assert_eq!(bench.refusal(&token).await, TokenError::UnknownKey, "{member} {value}");
    }
}

#[tokio::test]
async fn revoked_sessions_keys_and_users_are_refused_also_from_memory_until_their_tokens_are_dead() {
    let bench = Bench::new();
    let until = |bench: &Bench| bench.clock.now() + TimeDelta::seconds(615);
    let deny = bench.verifier.deny_list();

    let claims = bench.claims();
    let token = sign(&claims, &bench.key).unwrap();
    bench.verifier.verify(&token).await.unwrap();
    deny.deny_session(claims.sid, until(&bench));
    assert_eq!(bench.refusal(&token).await, TokenError::Revoked);
    let other_session = sign(&Claims { sid: RandomIds.new(), ..claims.clone() }, &bench.key).unwrap();
    bench.verifier.verify(&other_session).await.unwrap();

    let key = RandomIds.new();
    let by_key = sign(&Claims { api_key: Some(key), ..bench.claims() }, &bench.key).unwrap();
    bench.verifier.verify(&by_key).await.unwrap();
    deny.deny_api_key(key, until(&bench));
    assert_eq!(bench.refusal(&by_key).await, TokenError::Revoked);

    deny.deny_user(claims.sub, bench.clock.now(), until(&bench));
    assert_eq!(bench.refusal(&other_session).await, TokenError::Revoked);
    bench.clock.advance(TimeDelta::seconds(1));
    let now = bench.now();
    let later = Claims { sid: RandomIds.new(), iat: now, nbf: now, ..claims };
    bench.verifier.verify(&sign(&later, &bench.key).unwrap()).await.unwrap();

    // Never seen before and revoked already.
    let unseen = bench.claims();
    deny.deny_session(unseen.sid, until(&bench));
    assert_eq!(bench.refusal(&sign(&unseen, &bench.key).unwrap()).await, TokenError::Revoked);

    // The list does not grow for ever.
    assert_eq!(deny.len(), 4);
    bench.clock.advance(TimeDelta::seconds(700));
    deny.deny_session(RandomIds.new(), until(&bench));
    assert_eq!(deny.len(), 1);
}

#[tokio::test]
async fn a_second_revocation_never_shortens_the_first() {
    let bench = Bench::new();
    let claims = bench.claims();
    let now: DateTime<Utc> = bench.clock.now();
    let deny = bench.verifier.deny_list();
    deny.deny_session(claims.sid, now + TimeDelta::seconds(600));
    deny.deny_session(claims.sid, now + TimeDelta::seconds(1));
    bench.clock.advance(TimeDelta::seconds(2));
    deny.deny_session(RandomIds.new(), now + TimeDelta::seconds(600));
    assert_eq!(bench.refusal(&sign(&claims, &bench.key).unwrap()).await, TokenError::Revoked);
}

#[test]
fn a_key_survives_its_pem_and_hides_itself() {
    let key = SigningKey::generate("key-1", &RandomIds).unwrap();
    let pem = key.to_pem().unwrap();
    let read = SigningKey::from_pem("key-1", pem.expose()).unwrap();
    assert_eq!(read.jwk(), key.jwk());
    assert!(SigningKey::from_pem("key-1", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").is_err());
    assert_eq!(format!("{key:?}"), "SigningKey { kid: \"key-1\", .. }");
    // 32 bytes each, leading zeros kept.
    assert_eq!((key.jwk().x.len(), key.jwk().y.len()), (43, 43));
}
