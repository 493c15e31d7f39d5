//! CSV (RFC 4180, and what spreadsheets write instead): each row says its values with their names, so that it can be read
//! without the first row.

use super::{BlockKind, Format, Refused, collect::Collector};

/// Characters that are kept of the name of a column: it is repeated in each row.
const NAME_CHARS: usize = 64;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(super) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Refused> {
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut row = csv::StringRecord::new();
    let mut names = Vec::new();
    let mut first = true;
    // The first row, if it would be lost: nothing is under it, or names in it are cut.
    let mut unsaid = String::new();
    while rows.read_record(&mut row).map_err(|_| Refused::Malformed(Format::Csv))? {
        if row.len() > out.limits.columns {
            return Err(Refused::TooLarge);
        }
        if first {
            names = row.iter().map(name).collect();
            unsaid = row.iter().collect::<Vec<_>>().join("; ");
            first = false;
            if row.iter().any(|cell| cell.chars().count() > NAME_CHARS) {
                out.push(BlockKind::Record, &std::mem::take(&mut unsaid))?;
            }
            continue;
        }
        unsaid.clear();
        let mut record = String::new();
        for (column, value) in row.iter().enumerate().filter(|(_, value)| !value.trim().is_empty()) {
            if !record.is_empty() {
                record.push_str("; ");
            }
            if let Some(name) = names.get(column).filter(|name| !name.is_empty()) {
                record.push_str(name);
                record.push_str(": ");
            }
            record.push_str(value);
        }
        out.push(BlockKind::Record, &record)?;
    }
    out.push(BlockKind::Record, &unsaid)
}

fn name(cell: &str) -> String {
    cell.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME_CHARS).collect()
}

/// The delimiter that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut quoted = false;
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                if let Some(found) = DELIMITERS.iter().position(|delimiter| *delimiter == byte) {
                    counts[found] += 1;
                }
            }
        }
    }
    // The first of equals: a comma.
    let most = counts.iter().max().copied().unwrap_or_default();
    counts.iter().position(|count| *count == most).map_or(b',', |found| DELIMITERS[found])
}
