//! A service as a process: commands, exit codes, signals, log lines.
//!
//! The process is this test binary itself, told to run [`as_a_process`] only.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use crate::tiny::{Tiny, values};

const ARGS: &str = "KIT_TEST_ARGS";

/// Not a test of its own: the other tests run it in a process with `KIT_TEST_ARGS`.
#[test]
#[expect(clippy::disallowed_methods, reason = "this process is told by its parent what to be")]
fn as_a_process() -> ExitCode {
    match std::env::var(ARGS) {
        Ok(args) => kit::main_from::<Tiny>(std::iter::once("tiny").chain(args.split_whitespace())),
        Err(_) => ExitCode::SUCCESS,
    }
}

fn command(args: &str, more: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "process::as_a_process", "--nocapture", "--test-threads=1"])
        .env_clear()
        .envs(values(more))
        .env(ARGS, args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn run(args: &str, more: &[(&str, &str)]) -> (bool, String, String) {
    let Output { status, stdout, stderr } = command(args, more).output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A running service and its log.
pub struct Process {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    pub addr: SocketAddr,
}

impl Process {
    pub fn serve(more: &[(&str, &str)]) -> Self {
        let mut child = command("serve", more).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let addr = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before it was ready");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            if line["message"] == "The service is ready" {
                break line["http.addr"].as_str().unwrap().parse().unwrap();
            }
        };
        Self { child, log, addr }
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits for the end: whether it was orderly, and the rest of the log.
    pub fn end(mut self) -> (bool, Vec<serde_json::Value>) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().success(), json_lines(&rest))
    }
}

fn json_lines(log: &str) -> Vec<serde_json::Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

pub fn get(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("http://{addr}{path}").parse().unwrap();
        let mut request = kit::outbound::plain_client_of(&url).get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    })
}

#[test]
fn sigterm_and_sigint_end_it_in_good_order() {
    for signal in ["-TERM", "-INT"] {
        let process = Process::serve(&[]);
        assert_eq!(get(process.addr, "/v1/hello", &[]), 200);
        process.signal(signal);
        let (orderly, log) = process.end();
        assert!(orderly, "{log:?}");
        let messages: Vec<_> = log.iter().filter_map(|line| line["message"].as_str()).collect();
        assert_eq!(messages.last(), Some(&"The service has stopped"), "{messages:?}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let begun = Instant::now();
    let process = Process::serve(&[("TINY_TASK", "ignore")]);
    process.signal("-TERM");
    std::thread::sleep(Duration::from_millis(300));
    process.signal("-TERM");
    let (orderly, log) = process.end();
    assert!(!orderly);
    assert!(begun.elapsed() < Duration::from_secs(10), "{log:?}");
}

#[test]
fn a_failing_task_ends_the_process_with_one_clear_message() {
    let (orderly, _, stderr) = run("serve", &[("TINY_TASK", "fail")]);
    assert!(!orderly);
    let errors: Vec<_> = json_lines(&stderr).into_iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert_eq!(errors[0]["error"], "the task tiny.task of tiny failed: on purpose");
}

#[test]
fn a_panic_is_one_line_of_the_log() {
    let (orderly, _, stderr) = run("serve", &[("TINY_TASK", "panic")]);
    assert!(!orderly);
    let panics: Vec<_> = json_lines(&stderr).into_iter().filter(|line| line["panic.location"].is_string()).collect();
    assert_eq!(panics.len(), 1, "{stderr}");
    assert_eq!(panics[0]["panic.message"], "with a bang");
    assert_eq!(panics[0]["task.name"], "tiny.task");
}

#[test]
fn a_wrong_configuration_is_one_message() {
    let (orderly, _, stderr) = run("serve", &[("TINY_GREETING", ""), ("BRAINOPS_PRIVATE_ADDR", "x")]);
    assert!(!orderly);
    assert!(
        stderr.contains("tiny: The configuration has 2 problems:\n  BRAINOPS_PRIVATE_ADDR: found \"x\""),
        "{stderr}"
    );
    assert!(stderr.contains("\n  TINY_GREETING: found nothing"), "{stderr}");
    assert!(!stderr.contains("a-planted-secret"), "{stderr}");
}

#[test]
fn a_request_is_found_by_its_trace_and_its_secrets_are_not_found_at_all() {
    let process = Process::serve(&[("BRAINOPS_LOG", "trace")]);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let headers = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-request-id", "request-0001"),
        ("authorization", "Bearer planted-token"),
    ];
    assert_eq!(get(process.addr, "/v1/hello?password=planted-query", &headers), 200);
    process.signal("-TERM");
    let (_, log) = process.end();
    let answered: Vec<_> = log.iter().filter(|line| line["message"] == "Request answered").collect();
    assert_eq!(answered.len(), 1, "{log:?}");
    assert_eq!(answered[0]["trace_id"], trace);
    assert_eq!(answered[0]["request.id"], "request-0001");
    assert_eq!(answered[0]["http.route"], "/v1/hello");
    assert_eq!(answered[0]["service"], "tiny");
    let all = serde_json::to_string(&log).unwrap();
    for secret in ["planted-token", "planted-query", "a-planted-secret"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn the_other_commands_print_and_need_no_configuration() {
    let bare = [("TINY_GREETING", ""), ("TINY_KEY", "")];
    let (orderly, stdout, _) = run("openapi", &bare);
    assert!(orderly && stdout.contains("\"title\": \"Tiny\""), "{stdout}");
    let (orderly, stdout, _) = run("error-codes", &bare);
    assert!(orderly && stdout.contains("\"code\": \"tiny_error\"") && stdout.contains("418"), "{stdout}");
    let (orderly, stdout, _) = run("configuration", &bare);
    assert!(orderly && stdout.contains("| `TINY_GREETING` | all | What it says."), "{stdout}");
    let (orderly, _, stderr) = run("migrate", &bare);
    assert!(!orderly && stderr.contains("TINY_KEY"), "{stderr}");
    assert!(run("migrate", &[]).0);
    let (orderly, _, stderr) = run("dance", &[]);
    assert!(!orderly && stderr.contains("dance"), "{stderr}");
}
