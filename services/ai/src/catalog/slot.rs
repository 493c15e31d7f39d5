//! One value that is read from elsewhere and kept: believed for a while, read anew behind the answers, and served from the
//! last good copy while it cannot be read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{sync::Mutex, time::Instant};

/// How long a copy is served when nothing newer can be read.
pub const LAST_GOOD: Duration = Duration::from_mins(10);
/// Between two tries after a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// Holds one value of type `T`.
pub struct Slot<T> {
    state: ArcSwap<State<T>>,
    /// Grows with every announced change, so that a reading that began before one does not count as fresh after it.
    changes: AtomicU64,
    /// One reader at a time; the others take what it brings.
    reading: Mutex<()>,
    /// Somebody reads behind the answers.
    behind: AtomicBool,
}

struct State<T> {
    good: Option<Good<T>>,
    failed: Option<Instant>,
}

struct Good<T> {
    value: Arc<T>,
    read: Instant,
    changes: u64,
}

/// What is to be done for a caller.
enum Turn<T> {
    /// Take this.
    Serve(Arc<T>),
    /// Take this, and let somebody read anew.
    ServeAndRefresh(Arc<T>),
    /// Wait for a reading.
    Wait,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            state: ArcSwap::from_pointee(State { good: None, failed: None }),
            changes: AtomicU64::new(0),
            reading: Mutex::default(),
            behind: AtomicBool::new(false),
        }
    }
}

impl<T: Send + Sync + 'static> Slot<T> {
    /// The value. `fresh` is how long it is believed; `read` reads it.
    ///
    /// # Errors
    /// What `read` gives, when there is no copy from the last ten minutes.
    pub async fn get<F>(
        self: &Arc<Self>,
        fresh: Duration,
        read: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Arc<T>, db::Error>
    where
        F: Future<Output = Result<T, db::Error>> + Send,
    {
        match self.turn(fresh) {
            Turn::Serve(value) => Ok(value),
            Turn::ServeAndRefresh(value) => {
                self.refresh_behind(fresh, read);
                Ok(value)
            }
            Turn::Wait => self.read(fresh, read).await,
        }
    }

    /// The value is another one now: whoever asks next waits for it.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    fn turn(&self, fresh: Duration) -> Turn<T> {
        let state = self.state.load();
        let Some(good) = state.good.as_ref().filter(|good| good.read.elapsed() < LAST_GOOD) else { return Turn::Wait };
        let value = Arc::clone(&good.value);
        let failing = state.failed.is_some();
        let age = good.read.elapsed();
        let known_to_be_old = good.changes != self.changes.load(Ordering::Acquire);
        if !known_to_be_old && age < fresh {
            Turn::Serve(value)
        } else if failing || (!known_to_be_old && age < fresh * 2) {
            // Who asks often never waits; neither does anybody while it cannot be read.
            let again = state.failed.is_none_or(|failed| failed.elapsed() >= AGAIN);
            if again { Turn::ServeAndRefresh(value) } else { Turn::Serve(value) }
        } else {
            Turn::Wait
        }
    }

    fn refresh_behind<F>(self: &Arc<Self>, fresh: Duration, read: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<T, db::Error>> + Send,
    {
        if self.behind.swap(true, Ordering::AcqRel) {
            return;
        }
        let slot = Arc::clone(self);
        kit::tasks::spawn("ai.catalog.refresh", async move {
            // The failure is in the state, and logged.
            drop(slot.read(fresh, read).await);
            slot.behind.store(false, Ordering::Release);
        });
    }

    async fn read<F>(&self, fresh: Duration, read: impl FnOnce() -> F) -> Result<Arc<T>, db::Error>
    where
        F: Future<Output = Result<T, db::Error>> + Send,
    {
        let asked = Instant::now();
        let _reading = self.reading.lock().await;
        // Somebody else may have read, or failed to, while this one waited.
        let state = self.state.load_full();
        let failed_meanwhile = state.failed.is_some_and(|failed| failed > asked);
        match self.turn(fresh) {
            Turn::Serve(value) => return Ok(value),
            Turn::ServeAndRefresh(value) if failed_meanwhile => return Ok(value),
            Turn::Wait if failed_meanwhile => {
                return Err(db::Error::Unavailable("it could not be read a moment ago".into()));
            }
            Turn::ServeAndRefresh(_) | Turn::Wait => {}
        }
        let changes = self.changes.load(Ordering::Acquire);
        match read().await {
            Ok(value) => {
                let value = Arc::new(value);
                let good = Good { value: Arc::clone(&value), read: Instant::now(), changes };
                self.state.store(Arc::new(State { good: Some(good), failed: None }));
                Ok(value)
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "The models cannot be read");
                let old = self.state.load_full();
                let good = old.good.as_ref().map(|good| Good { value: Arc::clone(&good.value), ..*good });
                let last =
                    good.as_ref().filter(|good| good.read.elapsed() < LAST_GOOD).map(|good| Arc::clone(&good.value));
                self.state.store(Arc::new(State { good, failed: Some(Instant::now()) }));
                last.ok_or(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::time::{advance, sleep};

    use super::*;

    const FRESH: Duration = Duration::from_secs(30);

    /// Counts how often it is read; fails when told to.
    #[derive(Default)]
    struct Source {
        reads: AtomicU32,
        down: AtomicBool,
    }

    async fn get(slot: &Arc<Slot<u32>>, source: &Arc<Source>) -> Result<u32, db::Error> {
        let source = Arc::clone(source);
        let read = move || async move {
            let read = source.reads.fetch_add(1, Ordering::SeqCst) + 1;
            sleep(Duration::from_millis(5)).await;
            if source.down.load(Ordering::SeqCst) { Err(db::Error::Busy) } else { Ok(read) }
        };
        slot.get(FRESH, read).await.map(|value| *value)
    }

    /// Lets what runs behind the answers come to its end.
    async fn settle() {
        sleep(Duration::from_millis(50)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_who_ask_at_once_cause_one_reading() {
        let (slot, source) = (Arc::default(), Arc::default());
        let all = futures_util::future::join_all((0..100).map(|_| get(&slot, &source))).await;
        assert!(all.into_iter().all(|value| value.unwrap() == 1));
        assert_eq!(source.reads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_value_is_served_once_more_and_read_behind_the_answer() {
        let (slot, source) = (Arc::default(), Arc::default());
        assert_eq!(get(&slot, &source).await.unwrap(), 1);
        advance(FRESH + Duration::from_secs(1)).await;
        assert_eq!(get(&slot, &source).await.unwrap(), 1);
        settle().await;
        assert_eq!(get(&slot, &source).await.unwrap(), 2);
        advance(FRESH * 3).await;
        assert_eq!(get(&slot, &source).await.unwrap(), 3, "who asks seldom waits rather than gets what is too old");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_change_nobody_gets_the_old_value_even_from_a_reading_under_way() {
        let (slot, source) = (Arc::<Slot<u32>>::default(), Arc::default());
        let (first, ()) = tokio::join!(get(&slot, &source), async {
            sleep(Duration::from_millis(1)).await;
            slot.changed();
        });
        assert_eq!(first.unwrap(), 1);
        assert_eq!(get(&slot, &source).await.unwrap(), 2);
        assert_eq!(get(&slot, &source).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_cannot_be_read_the_last_good_copy_holds_for_ten_minutes() {
        let (slot, source) = (Arc::<Slot<u32>>::default(), Arc::<Source>::default());
        assert_eq!(get(&slot, &source).await.unwrap(), 1);
        source.down.store(true, Ordering::SeqCst);
        slot.changed();
        assert_eq!(get(&slot, &source).await.unwrap(), 1);
        let before = source.reads.load(Ordering::SeqCst);
        for _ in 0..100 {
            assert_eq!(get(&slot, &source).await.unwrap(), 1);
        }
        settle().await;
        assert_eq!(source.reads.load(Ordering::SeqCst), before, "a source that is down is left in peace for a while");
        advance(LAST_GOOD).await;
        assert!(get(&slot, &source).await.is_err());
        source.down.store(false, Ordering::SeqCst);
        assert!(get(&slot, &source).await.is_ok());
    }
}
