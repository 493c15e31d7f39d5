//! A private PostgreSQL.

use std::fs;
use std::process::{Command, id};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use localinfra::{Error, Postgres, PostgresOptions};

use crate::support::{ask, psql, runs};

#[test]
fn keeps_its_data_and_port_from_one_run_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(dir.path(), PostgresOptions::durable()).unwrap();
    let url = postgres.admin_url();
    ask(&url, "CREATE TABLE kept AS SELECT 42 AS n");
    assert_eq!(ask(&url, "SHOW fsync"), "on");
    drop(postgres);
    assert!(!psql(&url, "SELECT 1").status.success(), "still answers after it was stopped");

    let postgres = Postgres::start(dir.path(), PostgresOptions::durable()).unwrap();
    assert_eq!(postgres.admin_url(), url);
    assert_eq!(ask(&url, "SELECT n FROM kept"), "42");
}

#[test]
fn asks_for_a_password_and_listens_on_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(dir.path(), PostgresOptions::for_tests()).unwrap();
    let refused = psql(&postgres.url_with_password("postgres", "postgres", "wrong"), "SELECT 1");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("password authentication failed"));
    assert_eq!(ask(&postgres.admin_url(), "SHOW listen_addresses"), "127.0.0.1");
    assert_eq!(ask(&postgres.admin_url(), "SHOW max_connections"), "400");
}

#[test]
fn a_directory_has_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Postgres::start(dir.path(), PostgresOptions::for_tests()).unwrap();
    let second = Postgres::start(dir.path(), PostgresOptions::for_tests());
    assert!(matches!(second, Err(Error::InUse { .. })));
}

#[test]
fn comes_back_on_the_same_port_after_kill_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut postgres = Postgres::start(dir.path(), PostgresOptions::durable()).unwrap();
    let url = postgres.admin_url();
    ask(&url, "CREATE TABLE acknowledged AS SELECT 1 AS n");
    postgres.kill();
    assert!(!psql(&url, "SELECT 1").status.success());
    postgres.restart().unwrap();
    assert_eq!(ask(&url, "SELECT n FROM acknowledged"), "1");
    postgres.restart().unwrap();
    assert_eq!(ask(&url, "SELECT n FROM acknowledged"), "1");
}

#[test]
fn a_paused_server_answers_after_it_was_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(dir.path(), PostgresOptions::for_tests()).unwrap();
    let url = postgres.admin_url();
    postgres.pause();
    let (answered, answer) = mpsc::channel();
    let client = thread::spawn(move || answered.send(ask(&url, "SELECT 1")));
    assert!(answer.recv_timeout(Duration::from_secs(1)).is_err(), "a paused server answered");
    postgres.resume();
    assert_eq!(answer.recv_timeout(Duration::from_mins(1)).unwrap(), "1");
    client.join().unwrap().unwrap();
}

#[test]
fn stale_lock_files_that_name_other_processes_neither_block_nor_harm() {
    let dir = tempfile::tempdir().unwrap();
    drop(Postgres::start(dir.path(), PostgresOptions::for_tests()).unwrap());
    // As after a crash of the machine: the ids now belong to a bystander and to this very process.
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let data = dir.path().join("data");
    fs::write(dir.path().join("pid"), format!("{} {}\n", bystander.id(), data.display())).unwrap();
    let lock = format!("{}\n{}\n1700000000\n5432\n\n127.0.0.1\n", id(), data.display());
    fs::write(data.join("postmaster.pid"), lock).unwrap();

    let postgres = Postgres::start(dir.path(), PostgresOptions::for_tests()).unwrap();
    assert_eq!(ask(&postgres.admin_url(), "SELECT 1"), "1");
    assert!(runs(bystander.id().try_into().unwrap()), "a process that is not ours was ended");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn data_of_another_version_are_kept_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    drop(Postgres::start(dir.path(), PostgresOptions::durable()).unwrap());
    fs::write(dir.path().join("data/PG_VERSION"), "9\n").unwrap();
    let Err(error) = Postgres::start(dir.path(), PostgresOptions::durable()) else { panic!("started") };
    assert!(matches!(&error, Error::Version { found, .. } if found == "9"), "{error}");
    assert!(dir.path().join("data/base").exists());
}
