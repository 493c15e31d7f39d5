//! From bytes to text: a byte order mark decides, then UTF-8 if it is that, then what HTML declares, then Windows-1252.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::{Format, Refused};

/// How far an HTML document is searched for the name of its encoding, as browsers do.
const PRESCAN_BYTES: usize = 1024;
/// One control character in so many bytes makes a text suspicious, more make it binary.
const BYTES_PER_CONTROL: usize = 20;

/// The text of any format but HTML.
pub(super) fn text(bytes: &[u8], format: Format) -> Result<Cow<'_, str>, Refused> {
    decode(bytes, None).ok_or(Refused::Malformed(format))
}

/// The text of an HTML document.
pub(super) fn html(bytes: &[u8]) -> Result<Cow<'_, str>, Refused> {
    decode(bytes, declared(bytes)).ok_or(Refused::Malformed(Format::Html))
}

/// Whether the bytes can be text at all.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    decode(bytes, None).is_some()
}

fn decode<'a>(bytes: &'a [u8], declared: Option<&'static Encoding>) -> Option<Cow<'a, str>> {
    let text = if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        encoding.decode_without_bom_handling(&bytes[mark..]).0
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        Cow::Borrowed(text)
    } else if let Some(encoding) = declared {
        encoding.decode_without_bom_handling(bytes).0
    } else if bytes.iter().any(|byte| is_control(*byte)) {
        // Every byte is a character of Windows-1252, so only what no text has tells garbage from it.
        return None;
    } else {
        WINDOWS_1252.decode_without_bom_handling(bytes).0
    };
    let controls = text.bytes().filter(|byte| is_control(*byte)).count();
    (controls.saturating_mul(BYTES_PER_CONTROL) <= text.len()).then_some(text)
}

/// Control characters that no text needs; a form feed, and an escape in a log, are common.
fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127)
}

/// The encoding after `charset=` in the head of a document.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN_BYTES)]).to_ascii_lowercase();
    let (_, rest) = head.split_once("charset=")?;
    let label = rest.trim_start_matches(['"', '\'', ' ']);
    let end = label.find(['"', '\'', ' ', ';', '>', '/']).unwrap_or(label.len());
    Encoding::for_label(&label.as_bytes()[..end])
}
