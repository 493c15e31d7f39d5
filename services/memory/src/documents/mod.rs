//! Documents: from the bytes of an upload to its text in blocks, and from blocks to chunks that an embedding model reads.
//!
//! What is uploaded is hostile until shown otherwise: every reader works within [`Limits`], none panics, and the service
//! runs them in a child process ([`child`]) that can be lost.

pub mod child;
pub mod chunk;
mod collect;
mod csv;
mod decode;
mod docx;
mod format;
mod html;
mod json;
mod markdown;
mod pdf;
mod sentences;
#[cfg(test)]
mod tests;
mod text;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use collect::Collector;
pub use format::Format;

/// What reading one document may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub input_bytes: usize,
    /// All text that comes out, headings counted with each block under them.
    pub text_bytes: usize,
    pub blocks: usize,
    /// What compressed parts may expand to, all together.
    pub expanded_bytes: usize,
    /// Of a CSV file.
    pub columns: usize,
    /// Of a PDF; the pages after them are not read.
    pub pages: usize,
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes: 25 << 20,
            text_bytes: 16 << 20,
            blocks: 100_000,
            expanded_bytes: 64 << 20,
            columns: 1_000,
            pages: 2_000,
            time: Duration::from_secs(20),
        }
    }
}

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extracted {
    /// As the document itself gives it.
    pub title: Option<String>,
    /// In reading order, at least one.
    pub blocks: Vec<Block>,
}

/// A piece of text that belongs together. It has no control characters but line feeds (and tabs, in code).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The headings above it, the outermost first. In JSON the keys that lead to it.
    pub heading_path: Vec<String>,
    pub kind: BlockKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    Paragraph,
    ListItem,
    Code,
    /// The first row of a table, which says what the cells below are.
    TableHeader,
    /// Cells with ` | ` between them.
    TableRow,
    /// Values with their names, of a row of a CSV file or an object in JSON.
    Record,
}

/// Why a document was not read. None of them goes away by trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    #[error("the document or the text in it is too large")]
    TooLarge,
    #[error("the document is encrypted")]
    Encrypted,
    #[error("the document is not a valid {0}")]
    Malformed(Format),
    #[error("the document holds no text; pages that are pictures are not read")]
    NoText,
    #[error("this kind of document is not supported")]
    Unsupported,
    #[error("the document is declared as {declared}, which it is not")]
    Mismatch { declared: Format },
    #[error("the document took too long to read")]
    TimedOut,
    #[error("the document expands to too much")]
    ExpandsTooMuch,
    #[error("the document takes too much memory or time to read")]
    TooDemanding,
}

/// Reads `bytes` as `format` within `limits`.
///
/// A library that panics over the document makes it [`Refused::Malformed`]. An endless loop or an exhausted memory cannot
/// be contained here: see [`child`].
pub fn extract(bytes: &[u8], format: Format, limits: &Limits) -> Result<Extracted, Refused> {
    if bytes.len() > limits.input_bytes {
        return Err(Refused::TooLarge);
    }
    let read = || {
        let mut out = Collector::new(limits);
        match format {
            Format::Text => text::read(&decode::text(bytes, format)?, &mut out)?,
            Format::Markdown => markdown::read(&decode::text(bytes, format)?, &mut out)?,
            Format::Html => html::read(&decode::html(bytes)?, &mut out)?,
            Format::Csv => csv::read(&decode::text(bytes, format)?, &mut out)?,
            Format::Json => json::read(&decode::text(bytes, format)?, &mut out)?,
            Format::Docx => docx::read(bytes, &mut out)?,
            Format::Pdf => pdf::read(bytes, &mut out)?,
        }
        out.finish()
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(Refused::Malformed(format)))
}
