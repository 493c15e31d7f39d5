//! The guard: ends a group of servers when the processes that need them are gone.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::error::{Error, Tried};
use crate::process::id;

const SCRIPT: &str = include_str!("guard.sh");
/// The guard's name on its command line.
pub(crate) const MARK: &str = "brainops-guard";

/// A guard for the servers of this process alone. Dropping it ends them and waits for that.
pub(crate) struct Guard {
    child: Child,
    /// Held for its closing: the guard acts at end of file.
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts a guard; `pid_files` name the servers that will join its group.
    pub fn start(pid_files: &[PathBuf]) -> Result<Self, Error> {
        let mut child = spawn(Path::new("/nonexistent/announcement"), pid_files, Stdio::piped())?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// The process group for the servers. A server joins it before it replaces its parent's image, and its copy
    /// of the pipe is closed only by that replacement; so the guard cannot miss one that was just being started.
    pub fn group(&self) -> i32 {
        id(&self.child)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        // The guard ends by its own SIGKILL to the group; there is nothing to learn from its status.
        let _ = self.child.wait();
    }
}

/// Starts a guard whose pipe is the named pipe at `fifo`, which any process can join. Returns its process group
/// and this process's own hold on the pipe.
pub(crate) fn start_shared(fifo: &Path, announcement: &Path, pid_files: &[PathBuf]) -> Result<(i32, Lease), Error> {
    match fs::remove_file(fifo) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).tried("remove", fifo),
        _ => {}
    }
    mkfifo(fifo, Mode::S_IRUSR | Mode::S_IWUSR).tried("create", fifo)?;
    // Opened without blocking, as there is no writer yet, and made blocking for the guard.
    let reader = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(fifo).tried("open", fifo)?;
    let writer = File::options().write(true).open(fifo).tried("open", fifo)?;
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::empty())).tried("open", fifo)?;
    let child = spawn(announcement, pid_files, Stdio::from(reader))?;
    Ok((id(&child), Lease { pipe: writer }))
}

/// A hold on a shared guard's pipe: the servers stay while any process has one.
#[derive(Debug)]
pub(crate) struct Lease {
    pipe: File,
}

impl Lease {
    /// Joins the guard that reads `fifo`; `None` when there is none.
    pub fn join(fifo: &Path) -> Result<Option<Self>, Error> {
        match File::options().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(fifo) {
            Ok(pipe) => Ok(Some(Self { pipe })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // A named pipe without a reader.
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENXIO as i32) => Ok(None),
            Err(error) => Err(error).tried("open", fifo),
        }
    }

    /// Tells the guard that somebody is here, and how long to linger after the last one has left.
    pub fn linger(&self, seconds: u32) -> Result<(), Error> {
        (&self.pipe).write_all(format!("{seconds}\n").as_bytes()).tried("write to", Path::new("the guard's pipe"))
    }
}

fn spawn(announcement: &Path, pid_files: &[PathBuf], stdin: Stdio) -> Result<Child, Error> {
    Command::new("/bin/sh")
        .args(["-c", SCRIPT, MARK])
        .arg(announcement)
        .args(pid_files)
        .process_group(0)
        .current_dir("/")
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .tried("start", Path::new("/bin/sh"))
}
