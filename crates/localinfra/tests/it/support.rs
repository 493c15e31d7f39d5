//! What the tests share: the command line of localinfra as a child, and a view of the machine's processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Asks until `holds`, at most two minutes; a busy machine is slow, and a failure is loud.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !holds() {
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A running `localinfra`, killed with -9 when dropped.
pub struct Localinfra {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Localinfra {
    pub fn start(arguments: &[&str], dir: &Path) -> Self {
        let (command, rest) = arguments.split_first().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_localinfra"))
            .args([command, "--dir"])
            .arg(dir)
            .args(rest)
            // A surrounding `localinfra run` must not answer for the one under test.
            .env_remove(localinfra::DATABASE_URL_VARIABLE)
            .env_remove(localinfra::AMQP_URL_VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line of its output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "localinfra ended without a word");
        line.trim_end().to_owned()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    pub fn close_input(&mut self) {
        self.child.stdin = None;
    }

    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Localinfra {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process ids in the pid files under `dir`.
pub fn recorded(dir: &Path, files: &[&str]) -> Vec<i32> {
    let read = |file: &&str| fs::read_to_string(dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    files.iter().map(|file| read(file).split(' ').next().unwrap().parse().unwrap()).collect()
}

/// The pid files of a pair of servers.
pub const PID_FILES: [&str; 3] = ["postgres/pid", "rabbitmq/pid", "rabbitmq/epmd.pid"];

/// `roots` and everything that descends from them.
pub fn family(roots: &[i32]) -> Vec<i32> {
    let listed = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let pairs: Vec<(i32, i32)> = text
        .lines()
        .map(|line| {
            let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap());
            (numbers.next().unwrap(), numbers.next().unwrap())
        })
        .collect();
    let mut family = roots.to_vec();
    let mut next = 0;
    while next < family.len() {
        let of = family[next];
        family.extend(pairs.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

/// Whether a process runs: one that has ended and waits to be collected does not.
pub fn runs(pid: i32) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8(state.stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

/// Waits until none of `pids` runs.
pub fn all_gone(pids: &[i32]) {
    eventually("all processes have ended", || !pids.iter().any(|pid| runs(*pid)));
}

/// Runs one statement with `psql`.
pub fn psql(url: &str, statement: &str) -> Output {
    let programs = localinfra::PostgresPrograms::find(None).unwrap();
    let program: PathBuf = programs.program("psql");
    Command::new(program).args(["-X", "-A", "-t", "-c", statement, url]).stdin(Stdio::null()).output().unwrap()
}

/// Runs one statement and returns what it says.
pub fn ask(url: &str, statement: &str) -> String {
    let output = psql(url, statement);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
