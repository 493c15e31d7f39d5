//! Documents are made here, byte by byte where it matters: no file of a foreign program is in the repository.

mod child;
mod chunks;
mod docx;
mod formats;
mod hostile;
mod pdf;
mod texts;

use super::{Block, BlockKind, Extracted, Format, Limits, Refused, extract};

/// Kind, heading path and text of each block, as one line each.
fn lines(extracted: &Extracted) -> Vec<String> {
    extracted.blocks.iter().map(line).collect()
}

fn line(block: &Block) -> String {
    let kind = match block.kind {
        BlockKind::Paragraph => "p",
        BlockKind::ListItem => "li",
        BlockKind::Code => "code",
        BlockKind::TableHeader => "th",
        BlockKind::TableRow => "tr",
        BlockKind::Record => "record",
    };
    format!("{kind} [{}] {}", block.heading_path.join(" > "), block.text)
}

fn read(bytes: &[u8], format: Format) -> Extracted {
    extract(bytes, format, &Limits::default()).unwrap()
}

fn refusal(bytes: &[u8], format: Format) -> Refused {
    extract(bytes, format, &Limits::default()).unwrap_err()
}

/// Limits with which a test of exhaustion is quick.
fn small() -> Limits {
    Limits {
        input_bytes: 64 << 10,
        text_bytes: 32 << 10,
        blocks: 100,
        expanded_bytes: 64 << 10,
        columns: 20,
        pages: 10,
        ..Limits::default()
    }
}

/// A ZIP file of these parts.
fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A DOCX file with this in its body.
fn docx_of(body: &str) -> Vec<u8> {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><w:document xmlns:w=\"urn:w\" xmlns:mc=\"urn:mc\"><w:body>{body}</w:body></w:document>"
    );
    let styles = r#"<w:styles>
        <w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>
        <w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
        <w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="Heading 2"/></w:style>
        <w:style w:type="paragraph" w:styleId="Kapitel"><w:name w:val="Kapitel"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
    </w:styles>"#;
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/styles.xml", styles.as_bytes()),
        ("word/document.xml", document.as_bytes()),
    ])
}

/// A PDF file of these objects, numbered from 1; the first one is the catalog. `trailer` is what else the trailer says.
fn pdf_of(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n", n + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        file.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    let size = objects.len() + 1;
    file.extend(format!("trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let mut object = format!("<<{dictionary}/Length {}>>\nstream\n", content.len()).into_bytes();
    object.extend(content);
    object.extend(b"\nendstream");
    object
}

/// The objects of a PDF of pages with these contents, whose font `F1` is in Windows-1252. Objects 1 to 3 are the catalog,
/// the tree of pages and the font; the pages are 4, 6, 8, …, their contents 5, 7, 9, …
fn pages(contents: &[&[u8]], catalog: &str) -> Vec<Vec<u8>> {
    let kids: Vec<_> = (0..contents.len()).map(|n| format!("{} 0 R", 4 + 2 * n)).collect();
    let mut objects = vec![
        format!("<</Type/Catalog/Pages 2 0 R{catalog}>>").into_bytes(),
        format!("<</Type/Pages/Count {}/Kids[{}]>>", contents.len(), kids.join(" ")).into_bytes(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_vec(),
    ];
    for (n, content) in contents.iter().enumerate() {
        let page = format!("<</Type/Page/Parent 2 0 R/Resources<</Font<</F1 3 0 R>>>>/Contents {} 0 R>>", 5 + 2 * n);
        objects.push(page.into_bytes());
        objects.push(stream("", content));
    }
    objects
}
