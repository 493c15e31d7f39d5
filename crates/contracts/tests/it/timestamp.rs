//! Moments in payloads.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::Timestamp;
use proptest::prelude::*;

fn json(text: &str) -> Timestamp {
    serde_json::from_value(text.into()).unwrap()
}

#[test]
fn json_is_rfc_3339_in_utc_with_z() {
    let written = |text: &str| serde_json::to_value(json(text)).unwrap();
    assert_eq!(written("2031-04-05T06:07:08Z"), "2031-04-05T06:07:08Z");
    assert_eq!(written("2031-04-05T06:07:08.120Z"), "2031-04-05T06:07:08.120Z", "0, 3, 6 or 9 digits");
    assert_eq!(written("2031-04-05T06:07:08.000001Z"), "2031-04-05T06:07:08.000001Z");
    assert_eq!(written("2031-04-05T08:07:08+02:00"), "2031-04-05T06:07:08Z", "another offset is the same moment");
}

#[test]
fn what_is_no_moment_is_refused() {
    for text in ["", "yesterday", "2031-04-05", "2031-04-05T06:07:08", "2031-13-05T06:07:08Z"] {
        assert!(serde_json::from_value::<Timestamp>(text.into()).is_err(), "{text:?}");
    }
    assert!(serde_json::from_str::<Timestamp>("1893456000").is_err());
    for wrong in [Timestamp { seconds: 0, nanos: -1 }, Timestamp { seconds: i64::MAX, nanos: 0 }] {
        assert!(serde_json::to_string(&wrong).is_err(), "{wrong:?}");
        assert!(DateTime::<Utc>::try_from(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_leap_second_stays_within_its_second() {
    let leap = DateTime::parse_from_rfc3339("2016-12-31T23:59:60.5Z").unwrap().to_utc();
    assert_eq!(Timestamp::from(leap).nanos, 999_999_999);
}

proptest! {
    #[test]
    fn every_moment_survives_json(micros in -62_000_000_000_000_000_i64..250_000_000_000_000_000) {
        let at = DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros);
        let there: Timestamp = at.into();
        let back: Timestamp = serde_json::from_value(serde_json::to_value(there).unwrap()).unwrap();
        prop_assert_eq!(back, there);
        prop_assert_eq!(DateTime::<Utc>::try_from(back), Ok(at));
    }
}
