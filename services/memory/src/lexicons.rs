//! The words of each organization that is searched, in memory, following the database.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use contracts::OrgId;
use db::Db;
use moka::sync::Cache;
use tokio::sync::Mutex;

use crate::{
    recall::lexicon::Lexicon,
    store::feed::{self, Changed, Cursor},
    vectors::Watermark,
};

/// Entries that are read from the database at a time.
const PAGE: usize = 2_000;
/// Entries of all organizations that are kept in memory; those asked for longest ago go first.
const ENTRIES: u64 = 2_000_000;
/// Organizations that nobody searches go sooner.
const IDLE: Duration = Duration::from_mins(30);

/// A cache of [`Lexicon`]s. Cheap to clone.
#[derive(Clone)]
pub struct Lexicons {
    db: Db,
    slots: Cache<OrgId, Arc<Slot>>,
}

#[derive(Default)]
struct Slot {
    /// Who catches up. Others wait: what was committed before they asked may be missing from an earlier pass.
    turn: Mutex<Watermark>,
    lexicon: RwLock<Lexicon>,
}

/// The words of one organization, as fresh as when they were asked for or fresher.
#[derive(Clone)]
pub struct Words(Arc<Slot>);

impl Words {
    /// Runs `work`, which may take milliseconds, on a blocking thread.
    ///
    /// # Errors
    /// [`db::Error::Busy`] when it panicked.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Lexicon) -> T + Send + 'static,
    ) -> Result<T, db::Error> {
        let slot = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || slot.read(work)).await.map_err(|_| db::Error::Busy)
    }
}

impl Lexicons {
    pub fn new(db: &Db) -> Self {
        let weigh = |_: &OrgId, slot: &Arc<Slot>| -> u32 {
            // An empty one is no burden, but there may be many.
            u32::try_from(slot.read(Lexicon::len)).unwrap_or(u32::MAX).max(100)
        };
        let slots = Cache::builder().max_capacity(ENTRIES).weigher(weigh).time_to_idle(IDLE).build();
        Self { db: db.clone(), slots }
    }

    /// The words of all that was committed before this call.
    pub async fn of(&self, org: OrgId) -> Result<Words, db::Error> {
        let slot = self.slots.get_with(org, Arc::default);
        let grown = self.catch_up(org, &slot).await?;
        if grown && self.slots.contains_key(&org) {
            // Weighed anew.
            self.slots.insert(org, Arc::clone(&slot));
        }
        Ok(Words(slot))
    }

    /// Whether anything was new.
    async fn catch_up(&self, org: OrgId, slot: &Arc<Slot>) -> Result<bool, db::Error> {
        let mut watermark = slot.turn.lock().await;
        let (from, slot) = (*watermark, Arc::clone(slot));
        let (settled, read) = self
            .db
            .tenant(org)
            .tx(move |conn| {
                let settled = feed::settled(conn)?;
                let (mut cursor, mut read) = (Cursor::at(from), 0);
                loop {
                    let page = feed::of_org(conn, org, cursor, PAGE.try_into().unwrap_or(i64::MAX))?;
                    let (found, last) = (page.len(), page.last().map(|changed| changed.cursor));
                    slot.apply(page);
                    read += found;
                    match last {
                        Some(last) if found == PAGE => cursor = last,
                        _ => return Ok::<_, db::Error>((settled, read)),
                    }
                }
            })
            .await?;
        *watermark = settled;
        Ok(read > 0)
    }
}

impl Slot {
    // A lexicon holds no lock while it can fail: one that was poisoned is as good as before.
    fn read<T>(&self, work: impl FnOnce(&Lexicon) -> T) -> T {
        work(&self.lexicon.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn apply(&self, changes: Vec<Changed>) {
        let mut lexicon = self.lexicon.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            match change.entry {
                Some(entry) => lexicon.upsert(&entry),
                None => lexicon.remove(change.id),
            }
        }
    }
}
