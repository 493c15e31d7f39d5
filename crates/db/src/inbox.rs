//! The inbox: which events a consumer has dealt with. Its row commits with the effects, so a redelivered event finds
//! either both or neither.

use contracts::EventId;
use diesel::prelude::*;

use crate::{Error, schema::inbox_events as table};

/// How long rows are kept, in days: past every redelivery, also from a dead-letter queue that somebody looks after.
pub const KEPT_DAYS: i32 = 14;

/// Runs `effect` unless `consumer` has dealt with the event already; `None` when it has. A second delivery that arrives
/// while the first is at work waits for its end.
///
/// # Errors
/// What `effect` gives (the row is then rolled back with it); [`Error::Timeout`] when the first delivery takes long.
pub fn once<T, E: From<Error>>(
    conn: &mut PgConnection,
    consumer: &str,
    event: EventId,
    effect: impl FnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let inserted = diesel::insert_into(table::table)
        .values((table::event_id.eq(event.uuid()), table::consumer.eq(consumer)))
        .on_conflict_do_nothing()
        .execute(conn)
        .map_err(Error::from)?;
    if inserted == 0 { Ok(None) } else { effect(conn).map(Some) }
}
