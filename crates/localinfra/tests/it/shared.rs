//! Several processes share one pair of servers.

use nix::sys::signal::Signal;

use crate::support::{Localinfra, PID_FILES, all_gone, ask, family, recorded, runs};

/// Prints the database's URL, then stays until its input is closed.
const STAY: [&str; 5] = ["run", "--", "sh", "-c", "echo $BRAINOPS_TEST_DATABASE_URL; cat; exit 7"];

#[test]
fn the_first_starts_all_join_and_the_last_stops() {
    let dir = tempfile::tempdir().unwrap();
    let mut both = [Localinfra::start(&STAY, dir.path()), Localinfra::start(&STAY, dir.path())];
    let urls = both.each_mut().map(Localinfra::line);
    assert_eq!(urls[0], urls[1]);
    let processes = family(&recorded(dir.path(), &PID_FILES));

    both[0].close_input();
    assert_eq!(both[0].wait(), Some(7), "the command's own status");
    assert_eq!(ask(&urls[1], "SELECT 1"), "1");
    both[1].close_input();
    assert_eq!(both[1].wait(), Some(7));
    assert!(!processes.iter().any(|pid| runs(*pid)), "something outlived the last one");
}

#[test]
fn servers_outlive_the_process_that_started_them_while_another_needs_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Localinfra::start(&STAY, dir.path());
    let url = first.line();
    let mut second = Localinfra::start(&STAY, dir.path());
    assert_eq!(second.line(), url);
    first.signal(Signal::SIGKILL);
    first.wait();
    let processes = family(&recorded(dir.path(), &PID_FILES));
    assert_eq!(ask(&url, "SELECT 1"), "1");

    // A process joins after the last but before its servers have ended: it is given servers that work.
    second.signal(Signal::SIGKILL);
    second.wait();
    let mut third = Localinfra::start(&STAY, dir.path());
    let url = third.line();
    assert_eq!(ask(&url, "SELECT 1"), "1");
    third.signal(Signal::SIGKILL);
    all_gone(&processes);
    all_gone(&family(&recorded(dir.path(), &PID_FILES)));
}

#[test]
fn servers_that_were_killed_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Localinfra::start(&STAY, dir.path());
    first.line();
    for pid in recorded(dir.path(), &PID_FILES) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }
    let mut second = Localinfra::start(&STAY, dir.path());
    assert_eq!(ask(&second.line(), "SELECT 1"), "1");
    second.close_input();
    second.wait();
}
