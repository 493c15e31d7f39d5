//! Files of an index that are not the engine's: the lock, and small ones that are replaced as a whole.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

const LOCK: &str = "lock";

/// Proof that no other process works below the root. It holds until dropped, or until the process ends.
#[derive(Debug)]
pub(super) struct RootLock(#[expect(dead_code, reason = "held, never read")] File);

impl RootLock {
    /// Creates the root where it is missing. Fails at once when somebody else holds it.
    pub(super) fn take(root: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(root).context("the directory of the vector index cannot be created")?;
        let file = File::options().create(true).truncate(false).write(true).open(root.join(LOCK));
        let file = file.context("the lock file of the vector index cannot be opened")?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(anyhow!(
                "another process uses the vector index in {}: it belongs to one process at a time",
                root.display()
            )),
            Err(TryLockError::Error(error)) => Err(error).context("the lock file of the vector index cannot be locked"),
        }
    }
}

/// What a generation contains for good. Written only after the engine has flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) dimension: usize,
    pub(super) watermark: u64,
    /// The engine forgets damaged parts without a word; they are missed by this.
    pub(super) points: u64,
    /// The engine numbers updates by its log, and forgets the numbers with the log.
    pub(super) updates: u64,
}

impl Record {
    /// `None` where there is none, or not as it was written.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (record, digest) = text.strip_suffix('\n')?.split_once('\n')?;
        (blake3::hash(record.as_bytes()).to_hex().as_str() == digest).then(|| serde_json::from_str(record).ok())?
    }

    pub(super) fn write(self, path: &Path) -> io::Result<()> {
        let record = serde_json::to_string(&self)?;
        let digest = blake3::hash(record.as_bytes()).to_hex();
        replace(path, &format!("{record}\n{digest}\n"))
    }
}

/// Puts `content` in the place of a file. After a crash there is the old one or the new one.
pub(super) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes what was created, renamed and removed in a directory durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a file or a directory with all that is in it; one that is not there is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
