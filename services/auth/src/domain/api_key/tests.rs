use contracts::Scope;
use uuid::Uuid;

use super::*;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn day(n: i64) -> DateTime<Utc> {
    NOW + TimeDelta::days(n)
}

fn id(n: u128) -> ApiKeyId {
    ApiKeyId::from_uuid(Uuid::from_u128(n))
}

fn grant(scopes: &[Scope], expires_at: Option<DateTime<Utc>>, networks: &[&str]) -> Grant {
    let texts: Vec<_> = networks.iter().map(|text| (*text).to_owned()).collect();
    Grant { scopes: scopes.iter().collect(), expires_at, networks: Networks::parse(&texts).unwrap() }
}

fn key() -> ApiKey {
    let wish = KeyWish {
        name: "build server".to_owned(),
        environment: ApiKeyEnvironment::Live,
        grant: grant(&[Scope::AiInvoke], Some(day(90)), &[]),
    };
    let uuid = Uuid::from_u128;
    ApiKey::create(id(1), OrgId::from_uuid(uuid(2)), UserId::from_uuid(uuid(3)), wish, NOW).0
}

#[test]
fn a_grant_is_held_against_another_in_every_respect() {
    let mine = grant(&[Scope::AiInvoke, Scope::AiRead], Some(day(30)), &["10.0.0.0/8"]);
    assert_eq!(mine.beyond(&mine), []);
    assert_eq!(grant(&[Scope::AiRead], Some(day(29)), &["10.1.0.0/16"]).beyond(&mine), []);
    assert_eq!(grant(&[Scope::AiWrite], Some(day(30)), &["10.0.0.0/8"]).beyond(&mine), [Excess::Scopes]);
    assert_eq!(grant(&[], Some(day(31)), &["10.0.0.0/8"]).beyond(&mine), [Excess::Expiry]);
    assert_eq!(grant(&[], None, &[]).beyond(&mine), [Excess::Expiry, Excess::Networks]);
    assert_eq!(mine.beyond(&grant(&[Scope::AiInvoke, Scope::AiRead], None, &[])), []);
}

#[test]
fn a_key_stops_at_its_end_and_when_it_is_revoked() {
    assert_eq!(key().status(day(90) - TimeDelta::microseconds(1)), Status::Active);
    assert_eq!(key().status(day(90)), Status::Expired);
    let (revoked, event) = key().revoke(Reason::Revoked, day(1)).unwrap();
    assert_eq!((revoked.status(day(2)), revoked.version, event.reason.as_str()), (Status::Revoked, 2, "revoked"));
    assert_eq!(event.tokens_expire_at, Some((day(1) + TimeDelta::seconds(90)).into()));
    assert_eq!(revoked.revoke(Reason::OwnerDisabled, day(3)), Err(AlreadyRevoked));
}

#[test]
fn an_edit_that_changes_nothing_is_none() {
    let same = KeyEdit { name: Some("build server".to_owned()), expires_at: Some(Some(day(90))), ..KeyEdit::default() };
    let (after, event) = key().edit(same, day(1)).unwrap();
    assert_eq!((after, event), (key(), None));
}

#[test]
fn an_edit_changes_what_it_names() {
    let edit = KeyEdit { scopes: Some([Scope::AiRead].iter().collect()), expires_at: Some(None), ..KeyEdit::default() };
    let (after, event) = key().edit(edit, day(1)).unwrap();
    let event = event.unwrap();
    assert_eq!((after.version, after.updated_at, after.name.as_str()), (2, day(1), "build server"));
    assert_eq!((event.scopes, event.expires_at, event.reason.as_str()), (vec!["ai:read".to_owned()], None, "edited"));
}

#[test]
fn what_does_not_work_any_more_is_not_changed() {
    let revoked = key().revoke(Reason::Revoked, NOW).unwrap().0;
    let replaced = key().rotate(id(9), None, TimeDelta::days(1), NOW).unwrap().before;
    for (key, now) in [(key(), day(90)), (revoked, day(1)), (replaced, NOW + TimeDelta::hours(1))] {
        let longer = KeyEdit { expires_at: Some(None), ..KeyEdit::default() };
        assert_eq!(key.clone().edit(longer, now), Err(NotActive));
        assert_eq!(key.rotate(id(8), None, TimeDelta::zero(), now), Err(NotActive));
    }
}

#[test]
fn a_successor_allows_the_same_and_the_key_before_ends_with_the_grace() {
    let Rotation { before, told, after, created } = key().rotate(id(9), None, TimeDelta::days(2), day(1)).unwrap();
    assert_eq!((before.grant.expires_at, before.replaced_by), (Some(day(3)), Some(id(9))));
    assert!(
        matches!(told, Told::Updated(event) if event.reason == "replaced" && event.expires_at == Some(day(3).into()))
    );
    assert_eq!((after.id, &after.grant, after.version), (id(9), &key().grant, 1));
    assert_eq!(created.api_key_id, id(9).to_string());
}

#[test]
fn a_grace_never_outlives_the_key_and_none_ends_it_at_once() {
    let rotation = key().rotate(id(9), Some(Some(day(120))), TimeDelta::days(7), day(88)).unwrap();
    assert_eq!(rotation.before.grant.expires_at, Some(day(90)));
    assert_eq!(rotation.after.grant.expires_at, Some(day(120)));
    let Rotation { before, told, .. } = key().rotate(id(9), None, TimeDelta::zero(), day(1)).unwrap();
    assert_eq!(before.revoked, Some(Revoked { at: day(1), reason: Reason::Rotated }));
    assert!(matches!(told, Told::Revoked(event) if event.reason == "rotated"));
}

#[test]
fn ends_lie_in_the_next_ten_years() {
    assert_eq!(check_expiry(None, NOW), Ok(()));
    assert_eq!(check_expiry(Some(day(3_653)), NOW), Ok(()));
    assert_eq!(check_expiry(Some(NOW), NOW), Err(BadExpiry::Past));
    assert_eq!(check_expiry(Some(day(3_654)), NOW), Err(BadExpiry::Far));
}

#[test]
fn every_reason_reads_back() {
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
    }
    assert_eq!(Reason::parse("bored"), None);
}
