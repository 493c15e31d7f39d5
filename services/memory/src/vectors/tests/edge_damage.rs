//! What the embedded engine's files go through: a kill at any moment, and damage to any of them. Either the index still
//! gives the right answers or it begins anew; and it never takes the process down.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{
    edge::{copy, index},
    oracle::{Oracle, assert_same},
    samples::{all_of, delete, exactly, org, rng, space, upsert, vector},
};
use crate::vectors::{Change, Hit, Space, VectorError, VectorIndex, Watermark};

const DIMENSION: usize = 16;

fn the_space() -> Space {
    space(1, DIMENSION)
}

/// The history: change number n has transaction id n.
fn history(length: usize) -> Vec<Change> {
    let mut rng = rng(20);
    (0..length)
        .map(|number| match number % 5 {
            4 => delete(number / 2, org(1)),
            _ => upsert(number * 7 % length, org(1), vector(&mut rng, DIMENSION)),
        })
        .collect()
}

/// Tells everything from a watermark on, as often as the index has to be opened anew, and gives all answers.
async fn healed(index: &dyn VectorIndex, history: &[Change]) -> (Watermark, Vec<Hit>) {
    let mut first = None;
    for _ in 0..4 {
        let watermark = index.open(the_space()).await.unwrap();
        first.get_or_insert(watermark);
        let told = async {
            for batch in history[usize::try_from(watermark.0).unwrap()..].chunks(100) {
                index.apply(the_space(), batch.to_vec()).await?;
            }
            index.commit(the_space(), Watermark(history.len() as u64)).await?;
            index.search(the_space(), question()).await?;
            index.optimize(the_space()).await?;
            index.search(the_space(), question()).await
        };
        match told.await {
            Ok(found) => return (first.unwrap(), found),
            Err(VectorError::Damaged(_) | VectorError::Closed) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("it does not heal")
}

fn question() -> crate::vectors::Query {
    exactly(vec![0.3; DIMENSION], all_of(org(1)), 2000)
}

fn expected(history: &[Change]) -> Vec<Hit> {
    let mut oracle = Oracle::default();
    oracle.apply(history);
    oracle.search(&question())
}

fn assert_each_once(found: &[Hit]) {
    let ids: HashSet<_> = found.iter().map(|hit| hit.id).collect();
    assert_eq!(ids.len(), found.len(), "something is found twice");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// An index of a history, of which the first part is in a graph and the last part is not, closed in good order.
async fn left_behind(root: &Path, history: &[Change]) {
    let index = index(root);
    index.open(the_space()).await.unwrap();
    let (early, late) = history.split_at(history.len() * 4 / 5);
    for batch in early.chunks(100) {
        index.apply(the_space(), batch.to_vec()).await.unwrap();
    }
    index.commit(the_space(), Watermark(early.len() as u64)).await.unwrap();
    index.optimize(the_space()).await.unwrap();
    index.apply(the_space(), late.to_vec()).await.unwrap();
    index.commit(the_space(), Watermark(history.len() as u64)).await.unwrap();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Gone,
    Empty,
    Halved,
    Flipped,
}

impl Damage {
    const ALL: [Self; 4] = [Self::Gone, Self::Empty, Self::Halved, Self::Flipped];

    fn inflict(self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        match self {
            Self::Gone => return fs::remove_file(path).unwrap(),
            Self::Empty => bytes.clear(),
            Self::Halved => bytes.truncate(bytes.len() / 2),
            Self::Flipped => {
                let step = (bytes.len() / 40).max(1);
                bytes.iter_mut().step_by(step).for_each(|byte| *byte ^= 0x11);
            }
        }
        fs::write(path, bytes).unwrap();
    }
}

/// One file of each kind, by what is left of its path without the names of segments and numbers. Of the many files of
/// payload indexes, those of one field.
fn kinds(root: &Path) -> BTreeMap<String, PathBuf> {
    let of_one_index = |name: &str| !name.contains("payload_index") || name.contains("-holder-");
    let paths = files(root).into_iter().map(|path| path.strip_prefix(root).unwrap().to_owned());
    let kinds = paths.map(|path| {
        let name = path.to_str().unwrap().to_owned();
        let parts: Vec<_> = name.split('/').filter(|part| part.len() != 36).collect();
        let kind = parts.join("/");
        // Of the log, whose numbers count, every file.
        (if kind.contains("/wal/") { kind } else { kind.replace(|letter: char| letter.is_ascii_digit(), "") }, path)
    });
    kinds.filter(|(name, _)| of_one_index(name)).collect()
}

async fn damaged(whole: &Path, file: &Path, damage: Damage, history: &[Change]) {
    let dir = tempfile::tempdir().unwrap();
    copy(whole, dir.path());
    damage.inflict(&dir.path().join(file));
    let index = index(dir.path());
    let (watermark, found) = healed(&index, history).await;
    println!("{damage:?} {}: {watermark:?}, {} found", file.display(), found.len());
    assert_each_once(&found);
    // The engine has no checksums: other content in the place of content may go unnoticed, a missing file does not.
    if damage == Damage::Gone || watermark == Watermark(0) {
        assert_same(&found, &expected(history));
    }
    // What changes from now on counts in any case.
    let mut rng = rng(22);
    let told: Vec<_> = (0..history.len()).map(|number| upsert(number, org(1), vector(&mut rng, DIMENSION))).collect();
    let later: Vec<_> = history.iter().cloned().chain(told).collect();
    let (_, found) = healed(&index, &later).await;
    assert_same(&found, &expected(&later));
}

#[tokio::test]
async fn damage_to_files_heals() {
    let history = history(200);
    let dir = tempfile::tempdir().unwrap();
    left_behind(dir.path(), &history).await;
    // A third of them, each in one way; the test below takes its time.
    for (number, file) in kinds(dir.path()).values().enumerate().step_by(3) {
        damaged(dir.path(), file, Damage::ALL[number % 4], &history).await;
    }
}

#[tokio::test]
#[ignore = "takes minutes: every damage to every kind of file"]
async fn every_damage_to_any_file_heals() {
    let history = history(500);
    let dir = tempfile::tempdir().unwrap();
    left_behind(dir.path(), &history).await;
    for file in kinds(dir.path()).values() {
        for damage in Damage::ALL {
            damaged(dir.path(), file, damage, &history).await;
        }
    }
}

#[tokio::test]
async fn lost_directories_heal() {
    let history = history(200);
    let whole = tempfile::tempdir().unwrap();
    left_behind(whole.path(), &history).await;
    for lost in ["1", "1/1", "1/1/points", "1/1/points/wal", "1/1/points/segments", "1/current", "1/1/watermark"] {
        let dir = tempfile::tempdir().unwrap();
        copy(whole.path(), dir.path());
        let lost_path = dir.path().join(lost);
        if lost_path.is_dir() { fs::remove_dir_all(lost_path) } else { fs::remove_file(lost_path) }.unwrap();
        let (watermark, found) = healed(&index(dir.path()), &history).await;
        assert_eq!(watermark, Watermark(0), "{lost}");
        assert_same(&found, &expected(&history));
    }
}

#[tokio::test]
async fn what_ended_the_process_is_not_opened_again() {
    let history = history(50);
    let dir = tempfile::tempdir().unwrap();
    left_behind(dir.path(), &history).await;
    fs::write(dir.path().join("1/1/opening"), "").unwrap();
    let (watermark, found) = healed(&index(dir.path()), &history).await;
    assert_eq!(watermark, Watermark(0));
    assert_same(&found, &expected(&history));
}

#[tokio::test]
async fn the_log_is_shortened_and_counts_on() {
    let dir = tempfile::tempdir().unwrap();
    let space = space(1, 512);
    let mut rng = rng(21);
    let mut oracle = Oracle::default();
    let logs = |root: &Path| files(&root.join("1/1/points/wal")).len();
    for round in 0..3 {
        let index = index(dir.path());
        assert_eq!(index.open(space).await.unwrap(), Watermark(round));
        if round > 0 {
            assert!(logs(dir.path()) <= 3, "{} files", logs(dir.path()));
        }
        let told: Vec<_> = (0..2000).map(|number| upsert(number % 1500, org(1), vector(&mut rng, 512))).collect();
        for batch in told.chunks(200) {
            index.apply(space, batch.to_vec()).await.unwrap();
        }
        let gone = (0..100).map(|number| delete(number, org(1))).collect::<Vec<_>>();
        index.apply(space, gone.clone()).await.unwrap();
        index.commit(space, Watermark(round + 1)).await.unwrap();
        oracle.apply(&told);
        oracle.apply(&gone);
        let question = exactly(vec![0.1; 512], all_of(org(1)), 2000);
        assert_same(&index.search(space, question.clone()).await.unwrap(), &oracle.search(&question));
    }
}

/// Not a test of its own: what the killed process does, in its current directory. Where there is a file `halt`, it is
/// killed while it waits after its first commit and has told more; where there is a file `build`, it tells everything,
/// commits, and then builds graphs.
#[tokio::test]
#[ignore = "started by another test"]
async fn a_process_to_be_killed() {
    let root = std::env::current_dir().unwrap().join("index");
    let [halt, build] = ["halt", "build"].map(|name| root.with_file_name(name).exists());
    let history = history(3000);
    let index = std::sync::Arc::new(index(&root));
    let from = index.open(the_space()).await.unwrap();
    println!("opened");
    if build {
        index.apply(the_space(), history.clone()).await.unwrap();
        index.commit(the_space(), Watermark(3000)).await.unwrap();
        println!("building");
        index.optimize(the_space()).await.unwrap();
        fs::write(root.with_file_name("built"), "").unwrap();
        std::future::pending::<()>().await;
    }
    let mut told = usize::try_from(from.0).unwrap();
    for batch in history[told..].chunks(50) {
        index.apply(the_space(), batch.to_vec()).await.unwrap();
        told += batch.len();
        if halt && told > 100 {
            println!("halted");
            std::future::pending::<()>().await;
        }
        if told % 100 == 0 {
            index.commit(the_space(), Watermark(told as u64)).await.unwrap();
            println!("committed");
        }
        if told % 400 == 0 {
            let index = std::sync::Arc::clone(&index);
            kit::tasks::spawn("optimizing", async move { index.optimize(the_space()).await });
        }
    }
}

/// Starts [`a_process_to_be_killed`] and lets it come to a line of its output.
fn child_at(dir: &Path, moment: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "vectors::tests::edge_damage::a_process_to_be_killed", "--ignored", "--nocapture"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(moment)));
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_commit_survives_a_kill() {
    let history = history(3000);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("halt"), "").unwrap();
    kill(child_at(dir.path(), "halted"));
    let (watermark, found) = healed(&index(&dir.path().join("index")), &history).await;
    assert_eq!(watermark, Watermark(100));
    assert_same(&found, &expected(&history));
    assert_each_once(&found);
}

/// The engine builds beside what it has, in a directory that it moves away when it is done.
#[tokio::test]
async fn a_kill_while_graphs_are_built_loses_nothing() {
    let history = history(3000);
    let begun = |dir: &Path| {
        let begun = dir.join("index/1/1/points/temp_segments").read_dir();
        begun.is_ok_and(|mut entries| entries.next().is_some())
    };
    let dir = loop {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("build"), "").unwrap();
        let child = child_at(dir.path(), "building");
        while !begun(dir.path()) && !dir.path().join("built").exists() {
            std::thread::yield_now();
        }
        kill(child);
        // On a busy machine it may have been done by then.
        if begun(dir.path()) {
            break dir;
        }
    };
    let (watermark, found) = healed(&index(&dir.path().join("index")), &history).await;
    assert_eq!(watermark, Watermark(3000));
    assert_same(&found, &expected(&history));
    assert_each_once(&found);
    assert!(!begun(dir.path()), "what was begun is left");
}

/// The engine was killed when a new part was in its place and the parts that it is made of were not gone yet.
#[tokio::test]
async fn a_part_beside_those_it_is_made_of_is_found_once() {
    let history = history(3000);
    let dir = tempfile::tempdir().unwrap();
    let (root, before) = (dir.path().join("index"), dir.path().join("before"));
    let parts = |root: &Path| root.join("1/1/points/segments");
    {
        let index = index(&root);
        index.open(the_space()).await.unwrap();
        index.apply(the_space(), history.clone()).await.unwrap();
        index.commit(the_space(), Watermark(3000)).await.unwrap();
        copy(&root, &before);
        index.optimize(the_space()).await.unwrap();
    }
    let mut replaced = 0;
    for part in fs::read_dir(parts(&before)).unwrap() {
        let part = part.unwrap();
        let back = parts(&root).join(part.file_name());
        if !back.exists() {
            copy(&part.path(), &back);
            replaced += 1;
        }
    }
    assert!(replaced > 0, "nothing was built");
    let (_, found) = healed(&index(&root), &history).await;
    assert_same(&found, &expected(&history));
    assert_each_once(&found);
}

/// What the engine was about may be lost, and is then told again.
#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing() {
    let history = history(3000);
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("index");
    for round in 0..4 {
        let child = child_at(dir.path(), if round % 2 == 0 { "opened" } else { "committed" });
        std::thread::sleep(std::time::Duration::from_millis(30 + round * 180));
        kill(child);
        // Looked at in a copy, so that the next process begins with what was left.
        let seen = dir.path().join("seen");
        copy(&root, &seen);
        let (_, found) = healed(&index(&seen), &history).await;
        assert_same(&found, &expected(&history));
        assert_each_once(&found);
        fs::remove_dir_all(&seen).unwrap();
    }
}

#[tokio::test]
async fn a_commit_during_an_optimization_holds() {
    let history = history(3000);
    let dir = tempfile::tempdir().unwrap();
    let first = std::sync::Arc::new(index(dir.path()));
    first.open(the_space()).await.unwrap();
    first.apply(the_space(), history[..2400].to_vec()).await.unwrap();
    let optimizing = {
        let first = std::sync::Arc::clone(&first);
        kit::tasks::spawn("optimizing", async move { first.optimize(the_space()).await })
    };
    for batch in history[2400..].chunks(20) {
        first.apply(the_space(), batch.to_vec()).await.unwrap();
        first.commit(the_space(), Watermark(1)).await.unwrap();
    }
    first.commit(the_space(), Watermark(3000)).await.unwrap();
    optimizing.await.unwrap().unwrap();
    let seen = dir.path().join("copy");
    copy(&dir.path().join("1"), &seen.join("1"));
    let second = index(&seen);
    assert_eq!(second.open(the_space()).await.unwrap(), Watermark(3000));
    assert_same(&second.search(the_space(), question()).await.unwrap(), &expected(&history));
}
