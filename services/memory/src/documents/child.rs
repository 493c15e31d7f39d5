//! Reading a document in a process of its own, so that one that makes a library loop or swallow memory takes nothing else
//! down with it.
//!
//! The child is a program of ours with a hidden sub-command. It gets one line of JSON and then the document on its standard
//! input, and answers with one line of JSON on its standard output: the last one, whatever a library may print before.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

use super::{Extracted, Format, Limits, Refused, extract};

/// What the operating system lets the child have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of address space, with the program itself.
    pub memory_bytes: u64,
    pub cpu_seconds: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, cpu_seconds: 30 }
    }
}

/// The first line that the child reads.
#[derive(Serialize, Deserialize)]
struct Header {
    format: Format,
    limits: Limits,
    document_bytes: usize,
}

/// A header that is longer was not written by us.
const HEADER_BYTES: u64 = 4 << 10;
/// What a block takes in the answer beside its text and headings.
const BLOCK_BYTES: usize = 128;
/// What the title takes, and whatever is printed before the answer.
const OTHER_BYTES: usize = 16 << 10;

/// The whole of the sub-command: binds this process for good, then reads one document.
///
/// An error means that the request was not understood or the answer could not be written, and should end the process with
/// a code other than 0.
pub fn run_child(bounds: Bounds, stdin: impl Read, mut stdout: impl Write) -> io::Result<()> {
    bind(bounds)?;
    let mut stdin = io::BufReader::new(stdin);
    let mut line = Vec::new();
    stdin.by_ref().take(HEADER_BYTES).read_until(b'\n', &mut line)?;
    let header: Header = serde_json::from_slice(&line)?;
    let mut document = Vec::new();
    let answer = match stdin.take(header.limits.input_bytes as u64 + 1).read_to_end(&mut document) {
        Ok(bytes) if bytes == header.document_bytes => extract(&document, header.format, &header.limits),
        Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(Refused::TooDemanding),
        Err(error) => return Err(error),
    };
    stdout.write_all(b"\n")?;
    serde_json::to_writer(&mut stdout, &answer)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Besides memory and time: no file can be opened, written or dumped.
fn bind(bounds: Bounds) -> io::Result<()> {
    const STANDARD_STREAMS: u64 = 3;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, STANDARD_STREAMS, STANDARD_STREAMS)?;
    setrlimit(Resource::RLIMIT_CPU, bounds.cpu_seconds, bounds.cpu_seconds)?;
    setrlimit(Resource::RLIMIT_AS, bounds.memory_bytes, bounds.memory_bytes)?;
    Ok(())
}

/// Reads `document` in a child: `program` with `arguments` has to call [`run_child`].
///
/// The child has no environment, and is killed when it takes longer than `patience` or when the caller gives up. How many
/// run at a time is the caller's to decide. The outer error is ours, not the document's: the program could not be started
/// or is not the right one, and to try again later may help.
pub async fn extract_in_child(
    program: &Path,
    arguments: &[&str],
    document: &[u8],
    format: Format,
    limits: &Limits,
    patience: Duration,
) -> io::Result<Result<Extracted, Refused>> {
    if document.len() > limits.input_bytes {
        return Ok(Err(Refused::TooLarge));
    }
    let mut header = serde_json::to_vec(&Header { format, limits: limits.clone(), document_bytes: document.len() })?;
    header.push(b'\n');
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What a library says there may quote the document.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the child has no standard streams"));
    };
    let ask = async move {
        // A child that ends before it has read everything answers, or its status tells.
        if stdin.write_all(&header).await.is_ok() {
            let _ = stdin.write_all(document).await;
        }
        let _ = stdin.shutdown().await;
    };
    let most = most_bytes(limits);
    let listen = async {
        let mut answer = Vec::new();
        stdout.take(most as u64 + 1).read_to_end(&mut answer).await?;
        if answer.len() > most {
            return Ok(None);
        }
        let status = child.wait().await?;
        io::Result::Ok(Some((answer, status)))
    };
    match tokio::time::timeout(patience, async { tokio::join!(ask, listen).1 }).await {
        Err(_) => Ok(Err(Refused::TimedOut)),
        Ok(Err(failed)) => Err(failed),
        Ok(Ok(None)) => Ok(Err(Refused::TooLarge)),
        Ok(Ok(Some((answer, status)))) => understand(&answer, status),
    }
}

/// JSON doubles at most what a text has: no control characters are left but line feeds and tabs.
fn most_bytes(limits: &Limits) -> usize {
    let text = limits.text_bytes.saturating_mul(2);
    text.saturating_add(limits.blocks.saturating_mul(BLOCK_BYTES)).saturating_add(OTHER_BYTES)
}

fn understand(answer: &[u8], status: ExitStatus) -> io::Result<Result<Extracted, Refused>> {
    // Without a code it was ended by a signal: no memory, no time, no stack left.
    let Some(code) = status.code() else { return Ok(Err(Refused::TooDemanding)) };
    if code != 0 {
        return Err(io::Error::other(format!("the child that reads documents ended with code {code}")));
    }
    let last = answer.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(last)?)
}
