//! What a document is. Its content decides where it can; what was declared decides between kinds of text.

use std::fmt;

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{Refused, decode};

/// The kinds of documents that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Text,
    Markdown,
    Html,
    Pdf,
    Docx,
    Csv,
    Json,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Markdown => "Markdown",
            Self::Html => "HTML",
            Self::Pdf => "PDF",
            Self::Docx => "DOCX",
            Self::Csv => "CSV",
            Self::Json => "JSON",
        })
    }
}

/// What the first look at the bytes tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Pdf,
    Docx,
    /// An OLE container with an encrypted package in it: an office document with a password.
    EncryptedOffice,
    /// Something that begins as HTML does.
    Html,
    Text,
    Other,
}

/// An OLE container ([MS-CFB] 2.2), in which old and encrypted office documents come.
const OLE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
/// How far into the file a PDF may begin.
const PDF_LEAD_BYTES: usize = 1024;
/// Where the directory of a ZIP file is looked for, counted from its end.
const DIRECTORY_BYTES: usize = 1 << 20;

impl Format {
    /// Decides what `bytes` are.
    ///
    /// `media_type` may have parameters, only the extension of `file_name` counts. Neither is trusted: a PDF that is declared
    /// as CSV, or the other way round, is [`Refused::Mismatch`].
    pub fn detect(bytes: &[u8], media_type: Option<&str>, file_name: Option<&str>) -> Result<Self, Refused> {
        let by_type = media_type.and_then(Self::of_media_type);
        let declared = by_type.or_else(|| file_name.and_then(Self::of_file_name));
        let mismatch = |declared| Err(Refused::Mismatch { declared });
        match (look(bytes), declared) {
            (Found::EncryptedOffice, None | Some(Self::Docx)) => Err(Refused::Encrypted),
            (Found::Pdf, None | Some(Self::Pdf)) => Ok(Self::Pdf),
            (Found::Docx, None | Some(Self::Docx)) => Ok(Self::Docx),
            (Found::Html, None) => Ok(Self::Html),
            (Found::Text, None) => Ok(if is_json(bytes) { Self::Json } else { Self::Text }),
            (Found::Html, Some(declared @ (Self::Html | Self::Markdown | Self::Text))) => Ok(declared),
            (Found::Text, Some(declared)) if !matches!(declared, Self::Pdf | Self::Docx) => Ok(declared),
            (_, Some(declared)) => mismatch(declared),
            (Found::Other, None) => Err(Refused::Unsupported),
        }
    }

    /// `text/plain` is what clients say that know nothing better, so it leaves the choice to the name and the content.
    fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match essence.as_str() {
            "text/markdown" | "text/x-markdown" => Self::Markdown,
            "text/html" | "application/xhtml+xml" => Self::Html,
            "application/pdf" => Self::Pdf,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Self::Docx,
            "text/csv" | "application/csv" | "text/tab-separated-values" => Self::Csv,
            "application/json" | "text/json" | "application/x-ndjson" | "application/jsonl" => Self::Json,
            _ => return None,
        })
    }

    fn of_file_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        Some(match extension.to_ascii_lowercase().as_str() {
            "txt" | "text" | "log" => Self::Text,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "pdf" => Self::Pdf,
            "docx" => Self::Docx,
            "csv" | "tsv" => Self::Csv,
            "json" | "ndjson" | "jsonl" => Self::Json,
            _ => return None,
        })
    }
}

fn look(bytes: &[u8]) -> Found {
    if contains(&bytes[..bytes.len().min(PDF_LEAD_BYTES)], b"%PDF-") {
        return Found::Pdf;
    }
    if bytes.starts_with(b"PK\x03\x04") {
        // Names stand in the directory as they are, also when it lies about everything else.
        let directory = &bytes[bytes.len().saturating_sub(DIRECTORY_BYTES)..];
        return if contains(directory, b"word/document.xml") { Found::Docx } else { Found::Other };
    }
    if bytes.starts_with(OLE) {
        let package: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        return if contains(bytes, &package) { Found::EncryptedOffice } else { Found::Other };
    }
    if !decode::is_text(bytes) {
        return Found::Other;
    }
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |tag: &[u8]| start.len() >= tag.len() && start[..tag.len()].eq_ignore_ascii_case(tag);
    if begins(b"<!doctype html") || begins(b"<html") { Found::Html } else { Found::Text }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn is_json(bytes: &[u8]) -> bool {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    matches!(start.first(), Some(b'{' | b'[')) && serde_json::from_slice::<IgnoredAny>(start).is_ok()
}
