//! What leaves the process for its operators: traces to a collector, reports to Sentry. Both are real local servers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use crate::process::{Process, get, run};

/// Accepts every POST and hands on path and body.
struct Collector {
    url: String,
    posts: mpsc::Receiver<(String, Vec<u8>)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (hand, posts) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let hand = hand.clone();
                std::thread::spawn(move || serve(stream.unwrap(), &hand));
            }
        });
        Self { url, posts }
    }

    /// All that came, once the process that sent it has ended.
    fn received(&self) -> Vec<(String, Vec<u8>)> {
        let first = self.posts.recv_timeout(Duration::from_secs(10)).expect("nothing arrived");
        std::iter::once(first).chain(self.posts.try_iter()).collect()
    }
}

fn serve(stream: TcpStream, hand: &mpsc::Sender<(String, Vec<u8>)>) {
    let mut answers = stream.try_clone().unwrap();
    let mut requests = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if requests.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let mut body = vec![0; length.expect("a length").parse().unwrap()];
        requests.read_exact(&mut body).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        // Nobody listens any more when the test is over.
        let _ = hand.send((path, body));
        answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn spans_reach_the_collector_before_the_process_ends() {
    let collector = Collector::start();
    let process = Process::serve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}/", collector.url))]);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("traceparent", parent), ("authorization", "Bearer planted-token")];
    assert_eq!(get(process.addr, "/v1/hello?password=planted-query", &headers), 200);
    process.signal("-TERM");
    let (orderly, log) = process.end();
    assert!(orderly, "{log:?}");

    let received = collector.received();
    assert!(received.iter().all(|(path, _)| path == "/v1/traces"));
    let all = received.into_iter().flat_map(|(_, body)| body).collect::<Vec<_>>();
    let trace_id = u128::from_str_radix("0af7651916cd43dd8448eb211c80319c", 16).unwrap().to_be_bytes();
    assert!(contains(&all, &trace_id), "the caller's trace goes on");
    for expected in ["GET /v1/hello", "service.name", "tiny", "deployment.environment.name"] {
        assert!(contains(&all, expected.as_bytes()), "{expected}");
    }
    for secret in ["planted-token", "planted-query", "a-planted-secret"] {
        assert!(!contains(&all, secret.as_bytes()), "{secret}");
    }
}

#[test]
fn a_caller_that_does_not_record_is_not_recorded() {
    let collector = Collector::start();
    let process = Process::serve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.url))]);
    let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    assert_eq!(get(process.addr, "/v1/hello", &[("traceparent", unsampled)]), 200);
    process.signal("-TERM");
    let (_, log) = process.end();
    let traced: Vec<_> = log.iter().filter(|line| line["message"] == "Request answered").collect();
    assert_eq!(traced[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c", "the log has the id all the same");
    assert!(collector.posts.try_iter().all(|(_, body)| !contains(&body, b"GET /v1/hello")));
}

#[test]
fn a_panic_and_the_end_of_the_process_are_reported_without_secrets() {
    let collector = Collector::start();
    let dsn = format!("http://publickey@{}/1", collector.url);
    let (orderly, _, stderr) = run("serve", &[("SENTRY_DSN", &dsn), ("TINY_TASK", "panic")]);
    assert!(!orderly);
    let received = collector.received();
    assert!(received.iter().all(|(path, _)| path.starts_with("/api/1/envelope/")), "{received:?}");
    let all =
        String::from_utf8_lossy(&received.into_iter().flat_map(|(_, body)| body).collect::<Vec<_>>()).into_owned();
    assert!(all.contains("with a bang") && all.contains("\"service\":\"tiny\""), "{all}");
    assert!(all.contains("\"stacktrace\""), "a panic comes with its stack: {all}");
    assert!(all.contains("The process ends because of an error"), "{all}");
    assert!(!all.contains("a-planted-secret") && !all.contains("server_name"), "{all}");
    assert!(!stderr.contains("publickey"), "{stderr}");
}
