//! A private RabbitMQ.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use localinfra::Rabbit;

use crate::support::{eventually, recorded, runs};

/// What the broker says first, or `None` when nobody answers.
fn greeting(port: u16) -> Option<[u8; 1]> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    let mut first = [0];
    match stream.read_exact(&mut first) {
        Ok(()) => Some(first),
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn starts_freezes_crashes_and_comes_back_on_the_same_port() {
    let dir = tempfile::tempdir().unwrap();
    let mut rabbit = Rabbit::start(dir.path()).unwrap();
    let (port, url) = (rabbit.port(), rabbit.amqp_url());
    assert!(greeting(port).is_some());

    rabbit.pause();
    assert_eq!(greeting(port), None);
    rabbit.resume();
    eventually("a resumed broker answers", || greeting(port).is_some());

    rabbit.kill();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    rabbit.restart().unwrap();
    assert_eq!(rabbit.amqp_url(), url);
    assert!(greeting(port).is_some());

    let processes = recorded(dir.path(), &["pid", "epmd.pid"]);
    drop(rabbit);
    assert!(!processes.iter().any(|pid| runs(*pid)), "something outlived the broker");
}
