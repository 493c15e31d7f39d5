//! One server process: started into a guard's group, recorded in a pid file, signalled, ended.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::error::{Error, Tried};
use crate::wait;

/// Signals in the order to try them, with the time each is given. `SIGKILL` comes last by itself.
pub(crate) type Steps = &'static [(Signal, Duration)];

/// A running server.
pub(crate) struct Process {
    child: Child,
    name: &'static str,
    log: PathBuf,
    pid_file: PathBuf,
}

/// Where a server writes.
pub(crate) struct Files {
    /// Its standard output and error.
    pub log: PathBuf,
    /// Its process id and the mark by which its command line is known.
    pub pid: PathBuf,
}

impl Process {
    /// Starts `command` in the process group `group`. `mark` is a part of its command line that no other process has.
    pub fn start(
        name: &'static str,
        mut command: Command,
        files: &Files,
        group: i32,
        mark: &str,
    ) -> Result<Self, Error> {
        let log = File::create(&files.log).tried("create", &files.log)?;
        let child = command
            .process_group(group)
            .stdin(Stdio::null())
            .stdout(log.try_clone().tried("open", &files.log)?)
            .stderr(log)
            .spawn()
            .tried("start", Path::new(command.get_program()))?;
        let process = Self { child, name, log: files.log.clone(), pid_file: files.pid.clone() };
        fs::write(&files.pid, format!("{} {mark}\n", process.id())).tried("write", &files.pid)?;
        Ok(process)
    }

    /// The process id.
    pub fn id(&self) -> i32 {
        id(&self.child)
    }

    /// Sends a signal; a process that has ended already is no error.
    pub fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Waits until `ready` holds, at most `limit`.
    pub fn wait_ready(&mut self, limit: Duration, ready: impl Fn() -> bool) -> Result<(), Error> {
        let started = wait::until(limit, || match self.ended() {
            Some(status) => Err(self.failure(format!("ended while starting ({status})"))),
            None => Ok(ready().then_some(())),
        })?;
        started.ok_or_else(|| self.failure(format!("did not answer within {} seconds", limit.as_secs())))
    }

    /// Ends the process by `steps`, then by `SIGKILL`, and waits for it.
    pub fn end(&mut self, steps: Steps) {
        for (signal, patience) in steps {
            self.signal(*signal);
            if matches!(wait::until(*patience, || Ok::<_, Error>(self.ended())), Ok(Some(_))) {
                return self.forget();
            }
        }
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
        self.forget();
    }

    /// Leaves the process to others, who then see it go: an ended child that nobody waits for stays in the table.
    pub fn detach(mut self) {
        thread::spawn(move || {
            // A signal is for the threads of whoever uses this crate.
            let _ = SigSet::all().thread_block();
            self.child.wait()
        });
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    fn forget(&self) {
        // A pid file that stays is recognized as stale; its removal only saves the next start the look.
        let _ = fs::remove_file(&self.pid_file);
    }

    fn failure(&self, problem: String) -> Error {
        Error::Start { server: self.name, problem, log: self.log.clone(), tail: tail(&self.log) }
    }
}

/// Hides variables from a server that were meant for another one of its kind: those whose name starts with one of
/// `prefixes`.
#[expect(clippy::disallowed_methods, reason = "what a child inherits is not configuration")]
pub(crate) fn hide_variables(command: &mut Command, prefixes: &[&str]) {
    for (name, _) in std::env::vars_os() {
        if prefixes.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
}

/// The process id as the operating system's calls take it.
pub(crate) fn id(child: &Child) -> i32 {
    // Process ids fit by definition of `pid_t`; 0 cannot come out, as it would address our own group.
    i32::try_from(child.id()).unwrap_or(i32::MAX)
}

/// Sends a signal; a process that has ended already is no error.
pub(crate) fn send(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Ends the process that an earlier run recorded in `pid_file`, if it still is there and provably ours.
pub(crate) fn end_left_over(pid_file: &Path, steps: Steps) -> Result<(), Error> {
    let recorded = match fs::read_to_string(pid_file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).tried("read", pid_file),
    };
    if let Some((pid, mark)) = recorded.trim_end().split_once(' ')
        && let Ok(pid) = pid.parse()
    {
        end_marked(pid, mark, steps, pid_file)?;
    }
    fs::remove_file(pid_file).tried("remove", pid_file)
}

/// Ends process `pid` if its command line has `mark`; a process without it is somebody else's with a reused id.
pub(crate) fn end_marked(pid: i32, mark: &str, steps: Steps, of: &Path) -> Result<(), Error> {
    let gone = || Ok::<_, Error>((!is_marked(pid, mark)).then_some(()));
    for (signal, patience) in steps.iter().chain(&[(Signal::SIGKILL, Duration::from_secs(10))]) {
        if !is_marked(pid, mark) {
            return Ok(());
        }
        // A stopped process takes no other signal but SIGKILL.
        send(pid, Signal::SIGCONT);
        if kill(Pid::from_raw(pid), *signal) == Err(Errno::EPERM) {
            break;
        }
        if wait::until(*patience, gone)?.is_some() {
            return Ok(());
        }
    }
    Err(Error::LeftOver { pid, dir: of.parent().unwrap_or(of).to_owned() })
}

/// Whether `pid` lives and has `mark` on its command line. Process ids are reused; the mark is the proof.
pub(crate) fn is_marked(pid: i32, mark: &str) -> bool {
    pid > 1 && !mark.is_empty() && command_line(pid).is_some_and(|line| line.contains(mark))
}

/// Waits until processes have ended, for ten seconds at most.
pub(crate) fn wait_for_end(pids: &[i32]) {
    let has_ended = |pid: &i32| command_line(*pid).is_none_or(|line| line.trim().is_empty());
    let _ = wait::until(Duration::from_secs(10), || Ok::<_, Infallible>(pids.iter().all(has_ended).then_some(())));
}

fn command_line(pid: i32) -> Option<String> {
    if Path::new("/proc/self/cmdline").exists() {
        // Empty for a process that has ended and was not yet collected by its parent.
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&line).replace('\0', " "));
    }
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The direct children of a process.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    parents().into_iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid).collect()
}

/// Every process with its parent.
fn parents() -> Vec<(i32, i32)> {
    if Path::new("/proc/self/stat").exists() {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        return entries
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
                // "pid (name) state parent …", where the name may hold anything.
                let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
                Some((pid, parent))
            })
            .collect();
    }
    let listed = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output();
    let text = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (pid, parent) = line.trim().split_once(char::is_whitespace)?;
            Some((pid.parse().ok()?, parent.trim().parse().ok()?))
        })
        .collect()
}

/// The last lines of a log file.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
