//! Comma-separated values (RFC 4180) that a spreadsheet can be trusted with.

use std::{borrow::Cow, fmt::Write as _};

/// One line, with its end.
pub fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let mut line = String::new();
    for (n, text) in cells.into_iter().enumerate() {
        if n > 0 {
            line.push(',');
        }
        // Writing to a text cannot fail.
        let _ = write!(line, "{}", cell(text.as_ref()));
    }
    line.push_str("\r\n");
    line
}

/// A text as a cell. One that a spreadsheet would take for a formula gets a `'` in front (OWASP, "CSV Injection"): names of
/// models are what somebody wrote.
fn cell(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && text.parse::<i64>().is_err();
    let quoted = text.contains([',', '"', '\r', '\n']);
    match (formula, quoted) {
        (false, false) => Cow::Borrowed(text),
        (true, false) => Cow::Owned(format!("'{text}")),
        (formula, true) => Cow::Owned(format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_defused_and_separators_quoted() {
        let given = ["gpt-5", "=HYPERLINK(\"x\")", "+1+2", "@sum", "-2", "a,b", "line\nbreak", "", "\ttab", "-a,b"];
        let wanted = "gpt-5,\"'=HYPERLINK(\"\"x\"\")\",'+1+2,'@sum,-2,\"a,b\",\"line\nbreak\",,'\ttab,\"'-a,b\"\r\n";
        assert_eq!(line(given), wanted);
    }

    /// Reads one line back.
    fn read(line: &str) -> Vec<String> {
        let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = line.strip_suffix("\r\n").unwrap().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(std::mem::take(&mut cell)),
                c => cell.push(c),
            }
        }
        cells.push(cell);
        cells
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_no_cell_begins_like_a_formula(
            cells in prop::collection::vec("[ -~\\t\\r\\nü=+@-]{0,12}", 1..6)
        ) {
            let back = read(&line(&cells));
            prop_assert_eq!(back.len(), cells.len());
            for (back, cell) in back.iter().zip(&cells) {
                let quoted = format!("'{cell}");
                prop_assert!(*back == *cell || *back == quoted);
                let plain = back.parse::<i64>().is_ok() || !back.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
                prop_assert!(plain, "{:?}", back);
            }
        }
    }
}
