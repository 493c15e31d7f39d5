//! One fully populated event of each type, a file for each service.

mod ai;
mod auth;
mod memory;
mod users;

use chrono::{TimeZone, Utc};
use contracts::{Event, Timestamp};
use serde_json::Value;

pub use auth::{signing_key_rotated, user_registered};

/// An event with its type forgotten, so that all of them fit into one table.
pub struct Sample {
    pub event_type: &'static str,
    pub service: &'static str,
    pub subject: String,
    pub json: Value,
    /// Reads JSON as this event and writes it again.
    pub read_and_write: fn(Value) -> Result<Value, String>,
}

fn sample<E: Event>(event: &E) -> Sample {
    Sample {
        event_type: E::TYPE,
        service: E::SERVICE,
        subject: event.subject().to_owned(),
        json: serde_json::to_value(event).unwrap(),
        read_and_write: |json| {
            let event: E = serde_json::from_value(json).map_err(|error| error.to_string())?;
            serde_json::to_value(event).map_err(|error| error.to_string())
        },
    }
}

const USER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const ORG: &str = "01890a5d-ac97-7b2c-9d0e-1f2a3b4c5d6e";

#[expect(clippy::unnecessary_wraps, reason = "prost makes every moment optional")]
fn at(second: u32) -> Option<Timestamp> {
    Some(Utc.with_ymd_and_hms(2031, 4, 5, 6, 7, second).unwrap().into())
}

fn s(text: &str) -> String {
    text.to_owned()
}

/// Every event type of the catalogue once.
pub fn all() -> Vec<Sample> {
    let mut all = Vec::new();
    all.extend(ai::all());
    all.extend(auth::all());
    all.extend(users::all());
    all.extend(memory::all());
    all
}
