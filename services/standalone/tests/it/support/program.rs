//! A running program and every line it writes.

use std::process::{ExitStatus, Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use super::PATIENCE;

pub struct Program {
    child: Child,
    out: Lines,
    err: Lines,
}

/// The lines of one stream, as they come.
struct Lines {
    seen: watch::Receiver<Vec<String>>,
    reader: JoinHandle<()>,
}

impl Program {
    /// Starts it. It is killed when the test forgets about it.
    pub fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = started.spawn().expect("a program that can be started");
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { child, out: Lines::of(out), err: Lines::of(err) }
    }

    /// Waits for a line on standard output and returns the first that fits.
    pub async fn wait_out(&mut self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        match self.out.wait(fits).await {
            Some(line) => line,
            None => panic!("no {what}\nstdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr()),
        }
    }

    /// Waits for a line on standard error.
    pub async fn wait_err(&mut self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        match self.err.wait(fits).await {
            Some(line) => line,
            None => panic!("no {what}\nstdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr()),
        }
    }

    /// Everything on standard output until now.
    pub fn stdout(&self) -> String {
        self.out.seen.borrow().join("\n")
    }

    /// Everything on standard error until now.
    pub fn stderr(&self) -> String {
        self.err.seen.borrow().join("\n")
    }

    /// Asks it to end, by SIGTERM.
    pub async fn terminate(&self) {
        let pid = self.child.id().expect("it runs").to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(status.success());
    }

    /// Ends it by SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it has ended and its output is read to the end.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status =
            status.unwrap_or_else(|_| panic!("it does not end\n{}\n{}", self.stdout(), self.stderr())).unwrap();
        for lines in [&mut self.out, &mut self.err] {
            let _ = timeout(PATIENCE, &mut lines.reader).await;
        }
        status
    }
}

impl Lines {
    fn of(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, seen) = watch::channel(Vec::new());
        let reader = kit::tasks::spawn("lines", async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|seen| seen.push(line));
            }
        });
        Self { seen, reader }
    }

    /// The first line that fits; `None` when the stream ends, or patience does, before there is one.
    async fn wait(&mut self, fits: impl Fn(&str) -> bool) -> Option<String> {
        let find = |seen: &Vec<String>| seen.iter().find(|line| fits(line)).cloned();
        // At the end of the stream the last state still counts.
        let _ = timeout(PATIENCE, self.seen.wait_for(|seen| find(seen).is_some())).await;
        find(&self.seen.borrow())
    }
}
