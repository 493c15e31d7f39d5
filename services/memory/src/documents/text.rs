//! Plain text: paragraphs are what empty lines part.

use super::{BlockKind, Refused, collect::Collector};

pub(super) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Refused> {
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            out.push(BlockKind::Paragraph, &text[start..at])?;
            start = at + line.len();
        }
        at += line.len();
    }
    out.push(BlockKind::Paragraph, &text[start..])
}
