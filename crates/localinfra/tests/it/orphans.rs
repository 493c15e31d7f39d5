//! However the parent dies, nothing stays behind, and the next start works.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};

use crate::support::{Localinfra, PID_FILES, all_gone, ask, family, recorded, runs};

/// Starts both servers and returns the database's URL and all their processes.
fn serve(dir: &std::path::Path) -> (Localinfra, String, Vec<i32>) {
    let mut parent = Localinfra::start(&["serve"], dir);
    let url = parent.line().split_once('=').unwrap().1.to_owned();
    parent.line();
    let processes = family(&recorded(dir, &PID_FILES));
    assert!(processes.len() > 6, "PostgreSQL alone has more processes than {processes:?}");
    (parent, url, processes)
}

#[test]
fn ctrl_c_stops_both_servers_and_keeps_the_data() {
    let dir = tempfile::tempdir().unwrap();
    let (mut parent, url, processes) = serve(dir.path());
    ask(&url, "CREATE TABLE kept AS SELECT 7 AS n");
    parent.signal(Signal::SIGINT);
    assert_eq!(parent.wait(), Some(0));
    assert!(!processes.iter().any(|pid| runs(*pid)), "something outlived Ctrl-C");

    let (_parent, url, _) = serve(dir.path());
    assert_eq!(ask(&url, "SELECT n FROM kept"), "7");
}

#[test]
fn a_parent_killed_with_9_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (parent, _, processes) = serve(dir.path());
    parent.signal(Signal::SIGKILL);
    all_gone(&processes);
}

#[test]
fn frozen_servers_of_a_killed_parent_are_ended_too() {
    let dir = tempfile::tempdir().unwrap();
    let (parent, _, processes) = serve(dir.path());
    // As `pause` does: PostgreSQL with its children, and the node alone.
    let mut frozen = family(&recorded(dir.path(), &PID_FILES[..1]));
    frozen.extend(recorded(dir.path(), &PID_FILES[1..2]));
    for pid in frozen {
        kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    }
    parent.signal(Signal::SIGKILL);
    all_gone(&processes);
}

#[test]
fn a_start_ends_what_a_killed_guard_left_over() {
    let dir = tempfile::tempdir().unwrap();
    let (mut parent, url, processes) = serve(dir.path());
    ask(&url, "CREATE TABLE kept AS SELECT 7 AS n");
    // The group of each server is named after its guard. Guards first, so that none can act.
    for server in recorded(dir.path(), &PID_FILES[..2]) {
        let guard = getpgid(Some(Pid::from_raw(server))).unwrap();
        kill(guard, Signal::SIGKILL).unwrap();
    }
    parent.signal(Signal::SIGKILL);
    parent.wait();
    assert!(recorded(dir.path(), &PID_FILES).iter().all(|pid| runs(*pid)), "nothing is left to recover from");

    let (_parent, url, _) = serve(dir.path());
    assert_eq!(ask(&url, "SELECT n FROM kept"), "7");
    all_gone(&processes);
}
