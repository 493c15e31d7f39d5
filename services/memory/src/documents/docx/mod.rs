//! DOCX (ECMA-376, `WordprocessingML`). The ZIP file's directory may lie about sizes, so what is bounded is what is read.

mod body;
mod styles;

use std::io::{Cursor, Read as _};

use quick_xml::{XmlVersion, events::BytesStart};
use zip::{ZipArchive, result::ZipError};

use super::{Format, Refused, collect::Collector, decode};

const MALFORMED: Refused = Refused::Malformed(Format::Docx);
/// More files than any document has; the directory is all in memory.
const FILES: usize = 10_000;

pub(super) fn read(bytes: &[u8], out: &mut Collector<'_>) -> Result<(), Refused> {
    let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| MALFORMED)?;
    if archive.len() > FILES {
        return Err(Refused::ExpandsTooMuch);
    }
    let mut parts = Parts { archive, left_bytes: out.limits.expanded_bytes };
    if let Some(title) = parts.text("docProps/core.xml")?.as_deref().and_then(styles::title) {
        out.title(&title);
    }
    let levels = match parts.text("word/styles.xml")? {
        Some(xml) => styles::heading_levels(&xml, out)?,
        None => styles::Levels::default(),
    };
    let xml = parts.text("word/document.xml")?.ok_or(MALFORMED)?;
    body::read(&xml, &levels, out)
}

struct Parts<'b> {
    archive: ZipArchive<Cursor<&'b [u8]>>,
    /// What may still be read, over all parts.
    left_bytes: usize,
}

impl Parts<'_> {
    fn text(&mut self, name: &str) -> Result<Option<String>, Refused> {
        let file = match self.archive.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => return Err(Refused::Encrypted),
            Err(_) => return Err(MALFORMED),
        };
        let mut bytes = Vec::new();
        file.take(self.left_bytes as u64 + 1).read_to_end(&mut bytes).map_err(|_| MALFORMED)?;
        self.left_bytes = self.left_bytes.checked_sub(bytes.len()).ok_or(Refused::ExpandsTooMuch)?;
        decode::text(&bytes, Format::Docx).map(|text| Some(text.into_owned()))
    }
}

/// The value of `w:val`, in which most elements say what they have to say.
fn val(element: &BytesStart<'_>) -> Option<String> {
    let attribute = element.try_get_attribute("w:val").ok()??;
    attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}

/// `w:outlineLvl` counts from 0; 9 is body text.
fn outline_level(element: &BytesStart<'_>) -> Option<u8> {
    val(element)?.parse::<u8>().ok().filter(|level| *level < 9).map(|level| level + 1)
}
