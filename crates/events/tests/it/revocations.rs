use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::anyhow;
use chrono::TimeDelta;
use contracts::auth::v1::{ApiKeyRevoked, SessionRevoked, UserDisabled};
use events::{Revocation, RevocationKind, Revocations, revocations_from};
use kit::Verifier;
use kit::auth::{JwkSet, JwksSource, KeySet, VerifierConfig};

use crate::support::{World, eventually, run, uuid};

/// Nothing is verified here, only denied.
struct NoKeys;

impl KeySet for NoKeys {
    fn keys(&self) -> JwkSet {
        JwkSet { keys: Vec::new() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_before_and_what_is_revoked_now_is_denied() {
    let world = World::new().await;
    let config = VerifierConfig::new("http://issuer", "brainops", "probe", JwksSource::Local(Arc::new(NoKeys)));
    let verifier = Arc::new(Verifier::new(config, Arc::clone(&world.core.clock)).unwrap());
    let now = world.core.clock.now();
    let until = now + TimeDelta::minutes(10);

    // auth is down at first; one of what it says is from a newer version.
    let asked = Arc::new(AtomicUsize::new(0));
    let item = |kind| Revocation { kind, id: uuid(), at: now, until };
    let before = Revocations {
        items: vec![item(RevocationKind::Session), item(RevocationKind::User), item(RevocationKind::Other)],
    };
    let count = Arc::clone(&asked);
    let task = revocations_from(&world.broker, Arc::clone(&verifier), move || {
        let (first, items) = (count.fetch_add(1, Ordering::SeqCst) == 0, before.items.clone());
        async move { if first { Err(anyhow!("auth is down")) } else { Ok(items) } }
    });
    let listening = run(task);
    eventually("two are denied from before", async || verifier.deny_list().len() == 2).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    let relaying = world.relay();
    let (id, until) = (|| uuid().to_string(), Some(until.into()));
    world.append(SessionRevoked { session_id: id(), tokens_expire_at: until, ..SessionRevoked::default() }).await;
    world.append(ApiKeyRevoked { api_key_id: id(), tokens_expire_at: until, ..ApiKeyRevoked::default() }).await;
    let disabled_at = Some(now.into());
    world.append(UserDisabled { user_id: id(), disabled_at, tokens_expire_at: until, ..UserDisabled::default() }).await;
    // What cannot be understood stands in nobody's way.
    world.append(SessionRevoked { session_id: id(), ..SessionRevoked::default() }).await;
    world.append(SessionRevoked { session_id: id(), tokens_expire_at: until, ..SessionRevoked::default() }).await;
    eventually("four more are denied", async || verifier.deny_list().len() == 6).await;
    relaying.stop().await;
    listening.stop().await;
    world.check_sets(&[]).await;
}

#[test]
fn an_answer_of_a_newer_auth_can_be_read() {
    let answer = r#"{"items":[
        {"kind":"session","id":"01890a5d-ac96-774b-bcce-b302099a8057","at":"2026-01-01T00:00:00Z","until":"2026-01-01T00:10:00Z"},
        {"kind":"planet","id":"01890a5d-ac96-774b-bcce-b302099a8057","at":"2026-01-01T00:00:00Z","until":"2026-01-01T00:10:00Z"}
    ]}"#;
    let answer: Revocations = serde_json::from_str(answer).unwrap();
    let kinds: Vec<_> = answer.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [RevocationKind::Session, RevocationKind::Other]);
}
