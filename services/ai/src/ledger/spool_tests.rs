use contracts::{CompletionId, ModelId, OrgId, UserId};

use super::*;
use crate::domain::{
    money::NanoUsd,
    usage::{OperationKind, UsageRecord},
};

fn entry(n: u128) -> Entry {
    let id = Uuid::from_u128(n);
    Entry {
        record: UsageRecord {
            id: CompletionId::from_uuid(id),
            recorded_at: chrono::DateTime::UNIX_EPOCH,
            org: OrgId::from_uuid(id),
            user: UserId::from_uuid(id),
            api_key: None,
            model: "fast".into(),
            model_id: ModelId::from_uuid(id),
            provider: None,
            upstream_model: None,
            operation: OperationKind::Chat,
            dialect: Some("messages".into()),
            input_tokens: 1,
            cached_input_tokens: 0,
            cache_write_tokens: 0,
            output_tokens: 2,
            reasoning_tokens: 0,
            cost: NanoUsd(3),
            estimated: false,
            cached: false,
            streamed: true,
            outcome: "completed".into(),
            stop_reason: None,
            time_to_first_token_ms: None,
            duration_ms: 5,
            attempts: 1,
            session_id: None,
            traceparent: None,
        },
        charges: Vec::new(),
        turn: None,
    }
}

fn open(dir: &Path) -> Arc<Spool> {
    Arc::new(Spool::open(dir, 1 << 20).unwrap())
}

fn name(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// Everything that can be read, each file finished.
fn drain(spool: &Arc<Spool>) -> Vec<Entry> {
    let mut all = Vec::new();
    while let Some(mut reader) = spool.next_file().unwrap() {
        loop {
            let entries = reader.next(2).unwrap();
            if entries.is_empty() {
                break;
            }
            all.extend(entries);
        }
        reader.finish().unwrap();
    }
    all
}

#[test]
fn what_was_appended_is_read_by_the_process_that_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let entries: Vec<Entry> = (1..=5).map(entry).collect();
    spool.append(name(1), &entries[..3]).unwrap();
    spool.append(name(2), &entries[3..]).unwrap();
    // A living process's file is its own.
    let other = open(dir.path());
    assert!(other.next_file().unwrap().is_none());
    drop(spool);
    assert!(other.bytes() > 0);
    assert_eq!(drain(&other), entries);
    assert_eq!(other.bytes(), 0);
    assert!(other.next_file().unwrap().is_none());
}

#[test]
fn a_file_that_was_not_finished_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    spool.append(name(1), &[entry(1), entry(2)]).unwrap();
    let mut reader = spool.next_file().unwrap().unwrap();
    assert_eq!(reader.next(1).unwrap().len(), 1);
    drop(reader);
    assert_eq!(drain(&spool), [entry(1), entry(2)]);
}

#[test]
fn a_line_that_a_crash_cut_costs_nothing_but_itself() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    spool.append(name(1), &[entry(1)]).unwrap();
    drop(spool);
    let path = dir.path().join(format!("usage-{}.jsonl", name(1)));
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"record\":{\"id\":").unwrap();
    let spool = open(dir.path());
    assert_eq!(drain(&spool), [entry(1)]);
    assert_eq!(fs::read(dir.path().join("usage.rejected")).unwrap(), b"{\"record\":{\"id\":");
}

#[test]
fn it_is_bounded_and_nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("spool");
    let spool = Arc::new(Spool::open(&inner, 1_500).unwrap());
    spool.append(name(1), &[entry(1)]).unwrap();
    let refused = spool.append(name(2), &[entry(2), entry(3)]);
    assert!(matches!(refused, Err(SpoolError::Full)), "{refused:?}");
    assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    let file = inner.join(format!("usage-{}.jsonl", name(1)));
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(drain(&spool), [entry(1)]);
    spool.append(name(2), &[entry(2)]).unwrap();
}
