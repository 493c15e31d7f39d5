//! Where settled calls wait while the database is away: files of JSON lines, on disk before the call is told that it is
//! safe, and read again when the database is back, by this process or by one that comes after it.
//!
//! A file belongs to the process that holds its lock; a file without one was left by a process that died. Reading a file
//! twice does no harm, because a call counts once (see [`super::commit`]). There
//! are no secrets in it, but what was said in calls that are to be remembered: nobody else may read the files.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::entry::Entry;

const SUFFIX: &str = "jsonl";
/// Of a file that nobody may read yet.
const NEW: &str = "new";
/// Lines that cannot be read, or not be stored, for somebody to look at.
const ASIDE: &str = "rejected";

pub struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The file that is written to.
    active: Option<(PathBuf, File)>,
    /// Bytes in the directory that are ours, as far as we know.
    bytes: u64,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("the spool is full")]
    Full,
    #[error("the spool cannot be written")]
    Io(#[from] io::Error),
    #[error("a record cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Spool {
    /// Makes the directory, readable for nobody else, when it is not there.
    pub fn open(dir: &Path, max_bytes: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let spool = Self { dir: dir.to_owned(), max_bytes, state: Mutex::default() };
        spool.state().bytes = spool.files()?.iter().filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum();
        Ok(spool)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// Adds entries to the end of our file. They survive a crash of the machine when this returns. Blocks for as long as the
    /// disk takes. `name` is that of a new file, if one is needed.
    pub fn append<'a>(&self, name: Uuid, entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), SpoolError> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        let mut state = self.state();
        let State { active, bytes } = &mut *state;
        let after = bytes.saturating_add(lines.len() as u64);
        if after > self.max_bytes {
            return Err(SpoolError::Full);
        }
        let (_, file) = match active {
            Some(active) => active,
            None => active.insert(self.create(name)?),
        };
        let written = file.write_all(&lines).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // Half a line may be there. It is skipped when the file is read, and nothing follows it.
            *active = None;
            return Err(error.into());
        }
        *bytes = after;
        Ok(())
    }

    fn create(&self, name: Uuid) -> io::Result<(PathBuf, File)> {
        let path = self.dir.join(format!("usage-{name}.{SUFFIX}"));
        // Named when it is locked: a reader that found it before that would take it for a dead process's, and delete it.
        let unnamed = path.with_extension(NEW);
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&unnamed)?;
        file.lock()?;
        fs::rename(&unnamed, &path)?;
        // The name of the file, too, has to survive.
        File::open(&self.dir)?.sync_all()?;
        Ok((path, file))
    }

    /// The next file to bring into the database, ours before those of processes that died; `None` when there is none.
    /// Whoever appends from here on begins another file.
    pub fn next_file(self: &Arc<Self>) -> io::Result<Option<Reader>> {
        let own = self.state().active.take().map(|(path, _)| path);
        for path in own.into_iter().chain(self.files()?) {
            if let Some(file) = claim(&path)? {
                return Ok(Some(Reader { spool: Arc::clone(self), path, lines: BufReader::new(file) }));
            }
        }
        Ok(None)
    }

    /// Keeps an entry that the database refuses, for somebody to look at.
    pub fn reject(&self, entry: &Entry) -> Result<(), SpoolError> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        Ok(self.put_aside(&line)?)
    }

    fn put_aside(&self, line: &[u8]) -> io::Result<()> {
        let path = self.dir.join(format!("usage.{ASIDE}"));
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.write_all(line)?;
        file.sync_data()
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|suffix| suffix == SUFFIX) {
                found.push(path);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is being brought into the database. It stays, for another time, unless it is [finished](Self::finish).
pub struct Reader {
    spool: Arc<Spool>,
    path: PathBuf,
    lines: BufReader<File>,
}

impl Reader {
    /// The next entries, `most` of them; none at the end. A line that is none (a crash cut it) is put aside.
    pub fn next(&mut self, most: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut line = Vec::new();
        while entries.len() < most && self.lines.read_until(b'\n', &mut line)? > 0 {
            match serde_json::from_slice(&line) {
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    tracing::error!(%error, "A line of the usage spool cannot be read and is put aside");
                    self.spool.put_aside(&line)?;
                }
            }
            line.clear();
        }
        Ok(entries)
    }

    /// All of it is in the database.
    pub fn finish(self) -> io::Result<()> {
        let size = self.lines.get_ref().metadata()?.len();
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut state = self.spool.state();
        state.bytes = state.bytes.saturating_sub(size);
        Ok(())
    }
}

/// The file with its lock; `None` when a living process has it, or it is gone.
fn claim(path: &Path) -> io::Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
