//! Whatever the bytes are, reading them ends without a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Format, Limits, Refused, docx_of, extract, pages, pdf_of, read, refusal, small};

const FORMATS: [Format; 7] =
    [Format::Text, Format::Markdown, Format::Html, Format::Pdf, Format::Docx, Format::Csv, Format::Json];

/// Reads `bytes`, within the time that a second allows for.
fn timed(bytes: &[u8], format: Format, limits: &Limits) -> Result<super::Extracted, Refused> {
    let limits = Limits { time: Duration::from_secs(1), ..limits.clone() };
    let started = Instant::now();
    let extracted = extract(bytes, format, &limits);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(10), "{format} took {took:?}");
    if let Ok(extracted) = &extracted {
        let text: usize = extracted.blocks.iter().map(|block| block.text.len()).sum();
        assert!(text <= limits.text_bytes && (1..=limits.blocks).contains(&extracted.blocks.len()));
        for block in &extracted.blocks {
            let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
            assert!(!block.text.trim().is_empty() && !block.text.contains(strange), "{block:?}");
            assert!(
                block.heading_path.iter().all(|heading| !heading.is_empty() && !heading.contains(char::is_control))
            );
        }
    }
    extracted
}

#[test]
fn deep_nesting_ends() {
    let deep = |open: &str, close: &str| [open.repeat(100_000), "x".into(), close.repeat(100_000)].concat();
    assert_eq!(refusal(deep("[", "]").as_bytes(), Format::Json), Refused::Malformed(Format::Json));
    assert_eq!(refusal(deep("{\"a\":", "}").as_bytes(), Format::Json), Refused::Malformed(Format::Json));
    assert_eq!(read(deep("<ul><li>", "</li></ul>").as_bytes(), Format::Html).blocks.len(), 1);
    assert_eq!(read(deep("<table><tr><td>", "</table>").as_bytes(), Format::Html).blocks.len(), 1);
    for open in ["> ", "- ", "[", "*", "_a", "`", "<a", "|", "![a](", "#", "1. ", "<!--", "\\", "&", "[^1]: "] {
        timed(open.repeat(20_000).as_bytes(), Format::Markdown, &Limits::default()).ok();
        timed(open.repeat(20_000).as_bytes(), Format::Html, &Limits::default()).ok();
    }
}

#[test]
fn long_lines_are_read() {
    let line = "word ".repeat(2 << 20);
    for format in [Format::Text, Format::Markdown, Format::Html] {
        assert_eq!(read(line.as_bytes(), format).blocks.len(), 1);
    }
    let quoted = format!("a\n\"{line}\"");
    assert_eq!(read(quoted.as_bytes(), Format::Csv).blocks[0].text.len(), line.len() + 2);
    assert_eq!(read(format!("[\"{line}\"]").as_bytes(), Format::Json).blocks.len(), 1);
    let attributes = format!("<p {}>x", "a=1 ".repeat(200_000));
    timed(attributes.as_bytes(), Format::Html, &Limits::default()).ok();
}

fn damaged(whole: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let places = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20);
    (Just(whole), places, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mut bytes, places, end, cut)| {
        for (at, byte) in places {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

fn whole_pdf() -> Vec<u8> {
    pdf_of(
        &pages(
            &[b"BT /F1 12 Tf 72 720 Td (one) Tj [(two) -200 (three)] TJ T* ET", b"BT (four) ' ET"],
            "/Outlines 4 0 R",
        ),
        "/Info 2 0 R",
    )
}

fn whole_docx() -> Vec<u8> {
    docx_of(
        "<w:p><w:pPr><w:pStyle w:val=\"berschrift1\"/></w:pPr><w:r><w:t>a</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>",
    )
}

/// Pieces of the formats in any order are read further into than arbitrary bytes.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<table>",
        "<tr>",
        "<td>",
        "</td>",
        "<h1>",
        "</h2>",
        "<pre>",
        "<title>",
        "<script>",
        "</script>",
        "<li>",
        "<p",
        "&amp;",
        "&#x0;",
        "<!--",
        "# ",
        "- ",
        "  - ",
        "```\n",
        "|",
        "-|-\n",
        "> ",
        "---\n",
        "\n\n",
        "\n",
        "\t",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\u0000",
        "\\ud800",
        "1e999",
        "null",
        ";",
        "\u{0}",
        "\u{feff}",
        "\u{202e}",
        "ü",
        "日本。",
        "🙂",
        "word",
        " ",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let detected = Format::detect(&bytes, None, None);
        for format in FORMATS {
            timed(&bytes, format, &small()).ok();
            let called = [format!("%PDF-1.7\n{format}").as_bytes(), &bytes].concat();
            timed(&called, format, &small()).ok();
        }
        prop_assert!(detected.is_ok() || detected == Err(Refused::Unsupported));
    }

    #[test]
    fn pieces_of_formats_are_read_or_refused(text in pieces()) {
        for format in FORMATS {
            timed(text.as_bytes(), format, &small()).ok();
        }
    }

    #[test]
    fn damaged_documents_are_read_or_refused(pdf in damaged(whole_pdf()), docx in damaged(whole_docx())) {
        timed(&pdf, Format::Pdf, &small()).ok();
        timed(&docx, Format::Docx, &small()).ok();
    }

    #[test]
    fn contents_of_pages_are_read_or_refused(content in "[BTEFJdm'\" ()<>\\[\\]/0-9.\\-]{0,200}") {
        timed(&pdf_of(&pages(&[content.as_bytes()], ""), ""), Format::Pdf, &small()).ok();
    }

    #[test]
    fn bodies_of_documents_are_read_or_refused(body in prop::collection::vec(prop::sample::select(vec![
        "<w:p>", "</w:p>", "<w:t>", "</w:t>", "x", "<w:tbl>", "</w:tbl>", "<w:tr>", "</w:tr>", "<w:tc>", "</w:tc>", "<w:del>", "</w:del>", "&lt;", "&#0;", "<w:br/>", "<![CDATA[y]]>",
        "<w:pStyle w:val=\"Titel\"/>", "<w:numPr/>", "<w:outlineLvl w:val=\"300\"/>",
    ]), 0..60)) {
        timed(&docx_of(&body.concat()), Format::Docx, &small()).ok();
        // One that is well-formed, whatever its elements mean.
        let closed = body.iter().filter(|piece| !piece.starts_with("</")).copied().collect::<String>();
        let ends = body.iter().rev().filter(|piece| piece.starts_with("<w:") && !piece.ends_with("/>")).map(|piece| piece.replace("<w:", "</w:"));
        timed(&docx_of(&[closed, ends.collect()].concat()), Format::Docx, &small()).ok();
    }
}
