//! What a person at the terminal reads while things start. Logs go to standard error; this is the answer of the command.

use std::{fmt, io::Write as _};

/// One line on standard output, at once. Whoever reads may have gone away; that stops nothing.
pub fn say(line: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
