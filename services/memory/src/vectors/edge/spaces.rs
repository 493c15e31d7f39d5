//! Which generation of each space answers, and the steps that replace one by another.
//!
//! Below the root each space has a directory of its id with a directory for each generation, and a file that names the
//! current one. All other generations are leftovers, removed when the space is opened.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use anyhow::Context;

use super::{
    EdgeSettings,
    files::{self, RootLock},
    generation::{Generation, Place, lock},
};
use crate::vectors::{Change, Space, VectorError, Watermark};

const CURRENT: &str = "current";

pub(super) struct Spaces {
    settings: EdgeSettings,
    root_lock: Mutex<Option<Arc<RootLock>>>,
    slots: Mutex<HashMap<i32, Arc<Slot>>>,
}

/// What is open of a space.
#[derive(Default)]
struct Slot {
    /// Held by whatever changes the space, so that a change whose caller has left ends before the next one begins.
    changing: Mutex<()>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    current: Option<Arc<Generation>>,
    next: Option<Arc<Generation>>,
    /// No generation has the number of another, even one that is gone: a search may still be in there.
    last: u64,
}

impl Spaces {
    pub(super) fn new(settings: EdgeSettings) -> Self {
        Self { settings, root_lock: Mutex::default(), slots: Mutex::default() }
    }

    pub(super) fn open(&self, space: Space) -> Result<Watermark, VectorError> {
        let slot = self.slot(space);
        let _changing = lock(&slot.changing);
        let current = lock(&slot.open).current.clone();
        if let Some(current) = current {
            if current.place().space == space {
                return Ok(current.committed());
            }
            slot.close(&current);
        }
        let dir = self.dir(space);
        self.root_lock()?;
        fs::create_dir_all(&dir).context("no directory for a space").map_err(VectorError::Unavailable)?;
        let current = if let Some(current) = self.load(space)? {
            current
        } else {
            let current = self.create(&slot, space)?;
            current.commit(Watermark::default())?;
            self.point_to(&current)?;
            current
        };
        self.remove_others(&current);
        let committed = current.committed();
        let mut open = lock(&slot.open);
        open.last = open.last.max(current.place().number);
        open.current = Some(current);
        Ok(committed)
    }

    pub(super) fn apply(&self, space: Space, changes: &[Change]) -> Result<(), VectorError> {
        let slot = self.slot(space);
        let _changing = lock(&slot.changing);
        slot.current(space)?;
        slot.generations().iter().try_for_each(|generation| slot.noting(generation, |it| it.apply(changes)))
    }

    pub(super) fn commit(&self, space: Space, watermark: Watermark) -> Result<(), VectorError> {
        let slot = self.slot(space);
        let _changing = lock(&slot.changing);
        slot.noting(&slot.current(space)?, |current| current.commit(watermark))
    }

    pub(super) fn begin_rebuild(&self, space: Space) -> Result<(), VectorError> {
        let slot = self.slot(space);
        let _changing = lock(&slot.changing);
        slot.current(space)?;
        slot.give_up();
        let next = self.create(&slot, space)?;
        lock(&slot.open).next = Some(next);
        Ok(())
    }

    pub(super) fn fill(&self, space: Space, changes: &[Change]) -> Result<(), VectorError> {
        let slot = self.slot(space);
        let _changing = lock(&slot.changing);
        slot.noting(&slot.next(space)?, |next| next.apply(changes))
    }

    pub(super) fn give_up_rebuild(&self, space: Space) {
        let slot = self.slot(space);
        let _changing = lock(&slot.changing);
        slot.give_up();
    }

    pub(super) fn publish(&self, space: Space, watermark: Watermark) -> Result<(), VectorError> {
        let slot = self.slot(space);
        let _changing = lock(&slot.changing);
        let next = slot.next(space)?;
        slot.noting(&next, |next| next.commit_now(watermark))?;
        self.point_to(&next)?;
        let mut open = lock(&slot.open);
        open.next = None;
        let old = open.current.replace(next);
        drop(open);
        if let Some(old) = old {
            old.doom();
        }
        Ok(())
    }

    pub(super) fn drop_space(&self, space: Space) -> Result<(), VectorError> {
        let slot = self.slot(space);
        let _changing = lock(&slot.changing);
        let _root_lock = self.root_lock()?;
        lock(&slot.open).close();
        files::remove(&self.dir(space)).context("a space cannot be removed").map_err(VectorError::Unavailable)
    }

    /// Asks the generation that answers.
    pub(super) fn read<T>(
        &self,
        space: Space,
        ask: impl FnOnce(&Generation) -> Result<T, VectorError>,
    ) -> Result<T, VectorError> {
        let slot = self.slot(space);
        slot.noting(&slot.current(space)?, ask)
    }

    pub(super) fn optimize(&self, space: Space) -> Result<(), VectorError> {
        let slot = self.slot(space);
        slot.current(space)?;
        slot.generations().iter().try_for_each(|generation| slot.noting(generation, Generation::optimize))
    }

    /// The generation that was current when the root was last in use. One that cannot be trusted is left to be removed.
    fn load(&self, space: Space) -> Result<Option<Arc<Generation>>, VectorError> {
        let current = fs::read_to_string(self.dir(space).join(CURRENT)).ok().and_then(|text| text.trim().parse().ok());
        let Some(number) = current else { return Ok(None) };
        match Generation::load(self.place(space, number)?, &self.settings) {
            Ok(generation) => Ok(Some(Arc::new(generation))),
            Err(error @ VectorError::Damaged(_)) => {
                distrusted(space, &error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn create(&self, slot: &Slot, space: Space) -> Result<Arc<Generation>, VectorError> {
        let number = {
            let mut open = lock(&slot.open);
            open.last = self.numbers(space).into_iter().fold(open.last, u64::max) + 1;
            open.last
        };
        Generation::create(self.place(space, number)?, &self.settings).map(Arc::new)
    }

    fn place(&self, space: Space, number: u64) -> Result<Place, VectorError> {
        let dir = self.dir(space).join(number.to_string());
        Ok(Place { space, number, dir, root_lock: self.root_lock()? })
    }

    fn slot(&self, space: Space) -> Arc<Slot> {
        Arc::clone(lock(&self.slots).entry(space.id).or_default())
    }

    fn root_lock(&self) -> Result<Arc<RootLock>, VectorError> {
        let mut held = lock(&self.root_lock);
        if let Some(held) = &*held {
            return Ok(Arc::clone(held));
        }
        let taken = Arc::new(RootLock::take(&self.settings.root).map_err(VectorError::Unavailable)?);
        *held = Some(Arc::clone(&taken));
        Ok(taken)
    }

    fn dir(&self, space: Space) -> PathBuf {
        self.settings.root.join(space.id.to_string())
    }

    fn point_to(&self, current: &Generation) -> Result<(), VectorError> {
        let Place { space, number, .. } = current.place();
        let written = files::replace(&self.dir(*space).join(CURRENT), &format!("{number}\n"))
            .and_then(|()| files::sync_dir(&self.settings.root));
        written.context("the current generation cannot be written down").map_err(VectorError::Unavailable)
    }

    /// Numbers of the generations that are on disk.
    fn numbers(&self, space: Space) -> Vec<u64> {
        let entries = fs::read_dir(self.dir(space)).into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    fn remove_others(&self, current: &Generation) {
        let Place { space, number, .. } = *current.place();
        for other in self.numbers(space).into_iter().filter(|&other| other != number) {
            if let Err(error) = files::remove(&self.dir(space).join(other.to_string())) {
                tracing::warn!(space.id, %error, "An old generation of a vector index could not be removed");
            }
        }
    }
}

impl Slot {
    fn current(&self, space: Space) -> Result<Arc<Generation>, VectorError> {
        let current = lock(&self.open).current.clone();
        current.filter(|current| current.place().space == space).ok_or(VectorError::Closed)
    }

    /// The one that a rebuild fills.
    fn next(&self, space: Space) -> Result<Arc<Generation>, VectorError> {
        self.current(space)?;
        lock(&self.open).next.clone().ok_or(VectorError::Closed)
    }

    fn give_up(&self) {
        let given_up = lock(&self.open).next.take();
        if let Some(given_up) = given_up {
            given_up.doom();
        }
    }

    /// Those that are told changes.
    fn generations(&self) -> Vec<Arc<Generation>> {
        let open = lock(&self.open);
        open.current.iter().chain(&open.next).cloned().collect()
    }

    /// Does something with a generation, and closes the space when it turns out to be damaged.
    fn noting<T>(
        &self,
        generation: &Arc<Generation>,
        work: impl FnOnce(&Generation) -> Result<T, VectorError>,
    ) -> Result<T, VectorError> {
        let done = work(generation);
        if let Err(error @ VectorError::Damaged(_)) = &done {
            distrusted(generation.place().space, error);
            self.close(generation);
        }
        done
    }

    /// Closes a damaged generation. If it is the current one, the space is closed, and a rebuild is given up.
    fn close(&self, damaged: &Arc<Generation>) {
        damaged.doom();
        let mut open = lock(&self.open);
        if open.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, damaged)) {
            open.close();
        }
        open.next.take_if(|next| Arc::ptr_eq(next, damaged));
    }
}

impl Open {
    fn close(&mut self) {
        for generation in self.current.take().into_iter().chain(self.next.take()) {
            generation.doom();
        }
    }
}

fn distrusted(space: Space, error: &VectorError) {
    let error = match error {
        VectorError::Damaged(cause) | VectorError::Unavailable(cause) => format!("{error}: {cause:#}"),
        error => error.to_string(),
    };
    tracing::warn!(space.id, error, "A vector index cannot be used and is built again");
}
