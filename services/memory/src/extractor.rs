//! Where documents are read: in a process of its own, which is this program with a hidden sub-command.

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use crate::{
    documents::{
        Extracted, Format, Limits, Refused,
        child::{Bounds, extract_in_child, run_child},
    },
    domain::document::LARGEST,
};

/// The hidden sub-command.
const COMMAND: &str = "extract-document";
/// Address space, of which the program itself takes a part before it has read anything.
const MEMORY_BYTES: u64 = 1 << 30;
/// Longer than reading may take by its own clock.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program that reads documents.
#[derive(Clone, Debug)]
pub struct Extractor {
    program: PathBuf,
}

impl Extractor {
    /// `program` as the first thing in its `main` has to call [`extract_if_asked`]; this program when there is none.
    ///
    /// # Errors
    /// When the operating system does not say which program this is.
    pub fn new(program: Option<PathBuf>) -> io::Result<Self> {
        Ok(Self { program: program.map_or_else(std::env::current_exe, Ok)? })
    }

    /// Reads `document`. An error is not the document's fault, and to try again may help.
    pub async fn extract(&self, document: &[u8], format: Format) -> io::Result<Result<Extracted, Refused>> {
        let limits = Limits { input_bytes: LARGEST, text_bytes: LARGEST, ..Limits::default() };
        extract_in_child(&self.program, &[COMMAND], document, format, &limits, PATIENCE).await
    }
}

/// Reads one document, when this process was started to do that; then it has to end with what this gives. To be called
/// before anything else happens, because what other threads and libraries take counts against the bounds of the process.
pub fn extract_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != COMMAND) || arguments.next().is_some() {
        return None;
    }
    let bounds = Bounds { memory_bytes: MEMORY_BYTES, ..Bounds::default() };
    let done = run_child(bounds, io::stdin().lock(), io::stdout().lock());
    // Who asked reads the code; nobody reads what is printed.
    Some(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
