//! Rows and queries. Row level security narrows every one of them to the organization of the transaction; whose a row is
//! within the organization, the use cases ask of the row.

pub mod chunks;
pub mod collections;
pub mod documents;
pub mod entries;
pub mod erasure;
pub mod extraction_jobs;
pub mod extraction_usage;
pub mod extractions;
pub mod feed;
pub mod forgetting;
pub mod known;
pub mod memories;
pub mod memory_history;
pub mod messages;
pub mod purges;
pub mod rebuilds;
pub mod schema;
pub mod selections;
pub mod sessions;
pub mod spaces;
pub mod vectors;

use db::diesel::{dsl::sql, expression::SqlLiteral, result::Error, sql_types::Bool};
use serde_json::{Map, Value};

use crate::domain::filter::Reach;

/// A row holds what this version cannot read.
fn unreadable(what: &'static str) -> Error {
    Error::DeserializationError(what.into())
}

/// An object; the tables' check constraints admit nothing else.
fn object(value: Value) -> Result<Map<String, Value>, Error> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(unreadable("metadata")),
    }
}

/// Rows within reach, of a table with a `subject`. What names a member is a UUID.
fn within(reach: Reach) -> SqlLiteral<Bool> {
    sql(&reached("subject", reach))
}

/// The same condition in words, for a column that is called otherwise.
fn reached(subject: &str, reach: Reach) -> String {
    match reach {
        Reach::Own(user) => format!("({subject} IS NULL OR {subject} = '{user}')"),
        Reach::Applications(user) => format!(
            "({subject} IS NULL OR {subject} = '{user}' \
             OR {subject} !~* '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$')"
        ),
    }
}
