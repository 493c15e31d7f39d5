//! Shared by what checks a password: counting before, giving back after.

use chrono::{DateTime, Utc};
use db::diesel::PgConnection;

use crate::{
    domain::{
        attempts::{self, Bucket, Counted},
        session::Device,
    },
    error::Error,
    state::AppState,
    store::attempts as store,
};

/// The counters of one attempt at an account from a source.
#[derive(Clone)]
pub(super) struct Counters([(Bucket, store::Key); 3]);

impl Counters {
    pub fn of(state: &AppState, email_key: &str, device: &Device) -> Self {
        let source = attempts::source(device.address);
        let key = |bucket, parts: &[&str]| (bucket, state.pepper.bucket(bucket, parts));
        Self([
            key(Bucket::AccountFromSource, &[email_key, &source]),
            key(Bucket::Account, &[email_key]),
            key(Bucket::Source, &[&source]),
        ])
    }

    /// Counts the attempt, in the caller's system transaction, which must commit whatever the numbers say.
    pub fn count(&self, conn: &mut PgConnection, state: &AppState, now: DateTime<Utc>) -> Result<Vec<Counted>, Error> {
        count(conn, state, &self.0, now)
    }

    /// The attempt was the owner's: the account is clean for this source, and the shared counters lose what it added.
    pub fn forgive(&self, conn: &mut PgConnection) -> Result<(), Error> {
        // In the order in which they are raised, so that two transactions never wait for each other.
        let mut in_order = self.0;
        in_order.sort_by_key(|(_, key)| *key);
        for (bucket, key) in &in_order {
            match bucket {
                Bucket::AccountFromSource => store::clear(conn, key)?,
                _ => store::lower(conn, key)?,
            }
        }
        Ok(())
    }

    /// Names the account for the audit log when nobody has it: a keyed hash, since what was typed may be anything.
    pub fn account_hash(&self) -> String {
        blake3::Hash::from_bytes(self.0[1].1).to_hex().to_string()
    }
}

/// Counts a registration from a source, and refuses one too many.
pub(super) async fn count_registration(state: &AppState, device: &Device) -> Result<(), Error> {
    let now = state.clock.now();
    let key = state.pepper.bucket(Bucket::Registration, &[&attempts::source(device.address)]);
    let counting = state.clone();
    let counted = state
        .db
        .system("count_registration")
        .tx(move |conn| count(conn, &counting, &[(Bucket::Registration, key)], now))
        .await?;
    Ok(attempts::judge(&state.config.limits, &counted, now)?)
}

fn count(
    conn: &mut PgConnection,
    state: &AppState,
    buckets: &[(Bucket, store::Key)],
    now: DateTime<Utc>,
) -> Result<Vec<Counted>, Error> {
    let limits = &state.config.limits;
    let counters: Vec<_> = buckets.iter().map(|(bucket, key)| (*key, now + limits.of(*bucket).window)).collect();
    let raised = store::raise(conn, &counters, now)?;
    let counted = raised.iter().filter_map(|row| {
        let (bucket, _) = buckets.iter().find(|(_, key)| key.as_slice() == row.bucket)?;
        Some(Counted { bucket: *bucket, made: row.made, resets_at: row.resets_at })
    });
    Ok(counted.collect())
}
