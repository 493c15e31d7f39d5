//! PDF (ISO 32000). Text is drawn glyph by glyph, so lines and paragraphs are what lies close together. Pages that are
//! pictures give nothing.

mod glyphs;
mod outline;
mod page;

use std::collections::HashMap;

use lopdf::{Document, LoadOptions, Object, ObjectId};

use super::{BlockKind, Format, Refused, collect::Collector};

const MALFORMED: Refused = Refused::Malformed(Format::Pdf);

pub(super) fn read(bytes: &[u8], out: &mut Collector<'_>) -> Result<(), Refused> {
    let options = LoadOptions { max_decompressed_size: Some(out.limits.expanded_bytes), ..LoadOptions::default() };
    let document = match Document::load_mem_with_options(bytes, options) {
        // What an empty password opens is decrypted by now.
        Ok(document) if document.is_encrypted() => return Err(Refused::Encrypted),
        Ok(document) => document,
        Err(lopdf::Error::Decompress(lopdf::DecompressError::MemoryLimitExceeded { .. })) => {
            return Err(Refused::ExpandsTooMuch);
        }
        Err(lopdf::Error::Decryption(_) | lopdf::Error::InvalidPassword) => return Err(Refused::Encrypted),
        Err(_) => return Err(MALFORMED),
    };
    if let Some(title) = title(&document) {
        out.title(&title);
    }
    let mut headings: HashMap<ObjectId, Vec<outline::Heading>> = HashMap::new();
    for heading in outline::read(&document) {
        headings.entry(heading.page).or_default().push(heading);
    }
    let mut left_bytes = out.limits.expanded_bytes;
    let mut fonts = HashMap::new();
    for page in document.page_iter().take(out.limits.pages) {
        out.tick()?;
        for heading in headings.remove(&page).unwrap_or_default() {
            out.heading(heading.level, &heading.title)?;
        }
        let mut pages = page::Pages { document: &document, left_bytes, fonts, out };
        let text = pages.text(page)?;
        (left_bytes, fonts) = (pages.left_bytes, pages.fonts);
        for paragraph in text.split("\n\n") {
            out.push(BlockKind::Paragraph, &unhyphenated(paragraph))?;
        }
    }
    Ok(())
}

fn title(document: &Document) -> Option<String> {
    let information = document.trailer.get_deref(b"Info", document).and_then(Object::as_dict).ok()?;
    let title = information.get_deref(b"Title", document).ok()?;
    lopdf::decode_text_string(title).ok()
}

/// Joins a word that was parted at the end of a line: `some-⏎thing`, but not `UTF-⏎8`.
fn unhyphenated(paragraph: &str) -> String {
    let mut joined = String::with_capacity(paragraph.len());
    for line in paragraph.lines() {
        let parted = joined.ends_with('-')
            && joined[..joined.len() - 1].ends_with(char::is_lowercase)
            && line.starts_with(char::is_lowercase);
        if parted {
            joined.pop();
        } else if !joined.is_empty() {
            joined.push('\n');
        }
        joined.push_str(line.trim_end());
    }
    joined
}
