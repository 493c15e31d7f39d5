//! Typed ids.

use contracts::{ApiKeyId, Id, OrgId, ServiceAccountId, UserId};
use proptest::prelude::*;
use uuid::Uuid;

const TEXT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn text_and_json_are_the_hyphenated_uuid() {
    let id: UserId = TEXT.parse().unwrap();
    assert_eq!(id.to_string(), TEXT);
    assert_eq!(format!("{id:?}"), format!("UserId({TEXT})"));
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{TEXT}\""));
    assert_eq!(serde_json::from_str::<UserId>(&format!("\"{TEXT}\"")).unwrap(), id);
    assert_eq!(UserId::from_uuid(id.uuid()), id);
    assert_eq!(TEXT.to_uppercase().parse::<UserId>().unwrap(), id, "hexadecimal has two cases, the id is one");
}

#[test]
fn other_spellings_are_refused() {
    let simple = TEXT.replace('-', "");
    let spellings = [
        "",
        "1",
        &simple,
        &format!("{{{TEXT}}}"),
        &format!("urn:uuid:{TEXT}"),
        &format!(" {TEXT}"),
        &format!("{TEXT}\0"),
    ];
    for text in spellings {
        assert!(text.parse::<UserId>().is_err(), "{text:?}");
        assert!(serde_json::from_value::<UserId>(text.into()).is_err(), "{text:?}");
    }
    // As long as an id, and none.
    assert!("01890a5d-ac96-774b-bcce-b302099a805g".parse::<UserId>().is_err());
    assert!("01890a5dxac96-774b-bcce-b302099a8057".parse::<UserId>().is_err());
    assert!("ééééééééééééééééé-".parse::<UserId>().is_err());
    assert!(serde_json::from_str::<UserId>("7").is_err());
}

#[test]
fn the_error_says_what_was_expected_and_not_what_came() {
    let message = |error: contracts::IdError| error.to_string();
    let secret = "hunter2";
    let text = message(secret.parse::<OrgId>().unwrap_err());
    assert!(text.starts_with("not an organization id") && !text.contains(secret), "{text}");
    assert!(message("x".parse::<UserId>().unwrap_err()).starts_with("not a user id"));
    assert!(message("x".parse::<ApiKeyId>().unwrap_err()).starts_with("not an API key id"));
    assert!(message("x".parse::<ServiceAccountId>().unwrap_err()).starts_with("not a service account id"));
}

#[test]
fn ids_sort_by_the_time_they_were_made() {
    let at = |second| OrgId::from_uuid(Uuid::new_v7(uuid::Timestamp::from_unix_time(second, 0, 0, 0)));
    let mut ids = [at(1_700_000_002), at(1_700_000_000), at(1_700_000_001)];
    ids.sort();
    assert!(ids.windows(2).all(|pair| matches!(pair, [a, b] if a.to_string() < b.to_string())));
}

proptest! {
    #[test]
    fn every_uuid_survives_text(bits: u128) {
        fn there_and_back<I: Id>(bits: u128) -> I {
            I::from_uuid(Uuid::from_u128(bits)).to_string().parse().unwrap()
        }
        prop_assert_eq!(there_and_back::<UserId>(bits).uuid().as_u128(), bits);
    }

    #[test]
    fn no_text_makes_parsing_panic(text in ".{0,40}") {
        let parsed = text.parse::<UserId>();
        prop_assert_eq!(parsed.is_ok(), text.len() == 36 && Uuid::try_parse(&text).is_ok());
    }
}
