//! The embedded engine passes the suite, and keeps its directory to itself.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use tempfile::TempDir;

use super::{
    World,
    samples::{org, space, upsert},
};
use crate::vectors::{EdgeIndex, EdgeSettings, VectorError, VectorIndex, Watermark};

pub(super) fn settings(root: &Path) -> EdgeSettings {
    EdgeSettings {
        root: root.to_owned(),
        searches: NonZeroUsize::new(2).unwrap(),
        build_threads: NonZeroUsize::new(2).unwrap(),
        scan_kb: 32,
    }
}

pub(super) fn index(root: &Path) -> EdgeIndex {
    EdgeIndex::new(settings(root))
}

/// What a directory holds at this moment, as after the end of its process.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries.map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            // A file may go while the directory is read.
            let _ = fs::copy(entry.path(), target);
        }
    }
}

struct EdgeWorld {
    /// So that the index of a killed process is not closed in good order before its directory is copied.
    running: Option<Arc<dyn VectorIndex>>,
    /// How many processes were killed.
    killed: usize,
    dirs: TempDir,
}

impl EdgeWorld {
    fn new() -> Self {
        Self { running: None, killed: 0, dirs: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.dirs.path().join(self.killed.to_string())
    }
}

impl World for EdgeWorld {
    fn start(&mut self) -> BoxFuture<'_, Arc<dyn VectorIndex>> {
        self.running = None;
        let index: Arc<dyn VectorIndex> = Arc::new(index(&self.root()));
        self.running = Some(Arc::clone(&index));
        Box::pin(async { index })
    }

    fn start_after_kill(&mut self) -> BoxFuture<'_, Arc<dyn VectorIndex>> {
        let before = self.root();
        self.killed += 1;
        copy(&before, &self.root());
        self.start()
    }
}

suite!(std::future::ready(EdgeWorld::new()));

#[tokio::test]
async fn a_second_process_is_locked_out() {
    let dir = tempfile::tempdir().unwrap();
    let first = index(dir.path());
    first.open(space(1, 8)).await.unwrap();
    let second = index(dir.path());
    for refused in [second.open(space(1, 8)).await.map(drop), second.drop_space(space(1, 8)).await] {
        let Err(VectorError::Unavailable(cause)) = refused else { panic!("{refused:?}") };
        assert!(cause.to_string().contains("another process uses the vector index"), "{cause}");
    }
    first.apply(space(1, 8), vec![upsert(1, org(1), vec![1.0; 8])]).await.unwrap();
    first.commit(space(1, 8), Watermark(3)).await.unwrap();
    drop(first);
    assert_eq!(second.open(space(1, 8)).await.unwrap(), Watermark(3));
}

#[tokio::test]
async fn old_generations_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let index = index(dir.path());
    let space = space(1, 8);
    index.open(space).await.unwrap();
    for round in 1..4 {
        index.begin_rebuild(space).await.unwrap();
        index.publish(space, Watermark(round)).await.unwrap();
    }
    let left = || {
        let mut names: Vec<_> = fs::read_dir(dir.path().join("1"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(left(), ["4", "current"]);
    index.drop_space(space).await.unwrap();
    assert!(!dir.path().join("1").exists());
}
