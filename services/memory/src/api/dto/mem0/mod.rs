//! mem0's protocol on the wire, as its clients of version 1 and later speak it. What those clients send is not all there is
//! one day to the next, so members that nobody knows are passed over; those that are known and not supported are refused.

pub mod add;
pub mod filters;
pub mod find;
mod scope;
pub mod view;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use kit::{FieldError, Problem, http::codes};
use serde_json::Value;

pub use self::scope::Names;

/// A condition or an option that is not supported, so that it is not passed over in silence.
pub fn refused(field: &str, message: &'static str) -> Problem {
    let problem = Problem::new(&codes::BAD_REQUEST).detail("This cannot be done here");
    problem.field(FieldError::new(field, "unsupported", message))
}

/// Refuses the first option that was asked for.
fn refuse_options(options: &[(&str, bool)]) -> Result<(), Problem> {
    match options.iter().find(|(_, asked)| *asked) {
        Some((name, _)) => Err(refused(name, "is not supported")),
        None => Ok(()),
    }
}

/// A time with its zone or in UTC, a date, or seconds since 1970.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    let at = match value {
        Value::Number(number) => {
            let seconds = number.as_f64().filter(|seconds| seconds.abs() < 1e11)?;
            // Fractions of microseconds are lost, as they are in the database.
            #[expect(clippy::cast_possible_truncation, reason = "it is within the range of an i64")]
            let micros = (seconds * 1e6).round() as i64;
            DateTime::from_timestamp_micros(micros)?
        }
        Value::String(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(at) => at.to_utc(),
            Err(_) => text.parse::<NaiveDateTime>().or_else(|_| text.parse().map(midnight)).ok()?.and_utc(),
        },
        _ => return None,
    };
    // What the database can keep, and more.
    let years = 1..10_000;
    years.contains(&chrono::Datelike::year(&at)).then_some(at)
}

fn midnight(day: NaiveDate) -> NaiveDateTime {
    day.and_time(NaiveTime::MIN)
}

/// When something ends that is good until a day, that day included, or until a moment.
fn expiry(text: &str) -> Option<DateTime<Utc>> {
    match text.parse::<NaiveDate>() {
        Ok(day) => moment(&Value::from(text)).and(midnight(day).and_utc().checked_add_signed(TimeDelta::days(1))),
        Err(_) => moment(&Value::from(text)),
    }
}

/// The last day on which it is good.
fn last_day(expiry: DateTime<Utc>) -> NaiveDate {
    (expiry - TimeDelta::microseconds(1)).date_naive()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_read_as_clients_write_them() {
        for value in [
            json!(1_688_206_333),
            json!(1_688_206_333.0),
            json!("2023-07-01T10:12:13Z"),
            json!("2023-07-01T12:12:13+02:00"),
            json!("2023-07-01T10:12:13"),
        ] {
            assert_eq!(moment(&value), Some(at("2023-07-01T10:12:13Z")), "{value}");
        }
        assert_eq!(moment(&json!("2023-07-01")), Some(at("2023-07-01T00:00:00Z")));
        assert_eq!(moment(&json!(0.25)), Some(at("1970-01-01T00:00:00.25Z")));
        for value in [json!("yesterday"), json!(null), json!(1e300), json!("+12345-01-01T00:00:00Z"), json!(["2023"])] {
            assert_eq!(moment(&value), None, "{value}");
        }
    }

    #[test]
    fn the_day_of_expiry_is_the_last_one() {
        let expiry = expiry("2030-12-31").unwrap();
        assert_eq!(expiry, at("2031-01-01T00:00:00Z"));
        assert_eq!(last_day(expiry).to_string(), "2030-12-31");
        assert_eq!(super::expiry("2030-12-31T10:00:00Z").map(last_day).unwrap().to_string(), "2030-12-31");
        assert_eq!(super::expiry("soon"), None);
    }
}
