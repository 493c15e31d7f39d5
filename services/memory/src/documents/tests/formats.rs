use super::{Format, Refused, docx_of, zip};

fn detect(bytes: &[u8], media_type: &str, name: &str) -> Result<Format, Refused> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Format::detect(bytes, given(media_type).as_deref(), given(name).as_deref())
}

#[test]
fn the_content_decides() {
    assert_eq!(detect(b"\n%PDF-1.4 ...", "", ""), Ok(Format::Pdf));
    assert_eq!(detect(&docx_of(""), "application/octet-stream", "a"), Ok(Format::Docx));
    assert_eq!(detect(b"\xef\xbb\xbf <!DocType HTML><p>", "text/plain", ""), Ok(Format::Html));
    assert_eq!(detect(b" {\"a\": 1}", "", "a.unknown"), Ok(Format::Json));
    assert_eq!(detect(b"{a: 1}", "", ""), Ok(Format::Text));
}

#[test]
fn between_kinds_of_text_the_declaration_decides() {
    assert_eq!(detect(b"# a", "text/markdown; charset=utf-8", "a.csv"), Ok(Format::Markdown));
    assert_eq!(detect(b"a,b", "", "Report.CSV"), Ok(Format::Csv));
    assert_eq!(detect(b"a", "text/plain", "notes.md"), Ok(Format::Markdown));
    assert_eq!(detect(b"<p>a", "TEXT/HTML", ""), Ok(Format::Html));
    assert_eq!(detect(b"[1]", "", "a.txt"), Ok(Format::Text));
}

#[test]
fn what_is_not_what_it_is_declared_as_is_refused() {
    let mismatch = |declared| Err(Refused::Mismatch { declared });
    assert_eq!(detect(b"%PDF-1.4", "text/csv", ""), mismatch(Format::Csv));
    assert_eq!(detect(b"plain", "application/pdf", ""), mismatch(Format::Pdf));
    assert_eq!(detect(b"plain", "", "a.docx"), mismatch(Format::Docx));
    assert_eq!(detect(b"<html>sign in", "application/json", ""), mismatch(Format::Json));
    assert_eq!(detect(b"\x7fELF\x02\x01\x01\0\0\0", "text/plain", "a.txt"), mismatch(Format::Text));
}

#[test]
fn what_cannot_be_read_is_refused() {
    assert_eq!(detect(&zip(&[("xl/workbook.xml", b"<x/>")]), "", "a.xlsx"), Err(Refused::Unsupported));
    assert_eq!(detect(b"\x7fELF\x02\x01\x01\0\0\0", "", ""), Err(Refused::Unsupported));
    let mut office = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    assert_eq!(detect(&office, "", "a.doc"), Err(Refused::Unsupported));
    office.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(detect(&office, "", "a.docx"), Err(Refused::Encrypted));
}
