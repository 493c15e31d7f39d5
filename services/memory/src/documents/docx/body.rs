//! The text of a document: its paragraphs, lists and tables in the order in which they stand. Deleted text, field codes,
//! and what moved elsewhere are left out.

use quick_xml::{
    Reader,
    events::{BytesRef, BytesStart, Event},
};

use super::{Collector, MALFORMED, Refused, outline_level, styles::Levels, val};
use crate::documents::BlockKind;

/// Tables in tables that are kept as rows; the text of deeper ones is kept as paragraphs.
const TABLES: usize = 8;

/// Reads `word/document.xml`. Entities of a document type are never expanded: a part that has one is refused.
pub(super) fn read(xml: &str, levels: &Levels, out: &mut Collector<'_>) -> Result<(), Refused> {
    let mut reader = Reader::from_str(xml);
    let mut body = Body { levels, out, paragraphs: Vec::new(), tables: Vec::new(), in_text: false };
    // How many elements deep we are in something that is left out.
    let mut skipped = 0_usize;
    for step in 0_usize.. {
        if step % 4096 == 0 {
            body.out.tick()?;
        }
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::Eof => break,
            Event::DocType(_) => return Err(MALFORMED),
            // An alternative for old programs says the same once more.
            Event::Start(element)
                if skipped > 0 || matches!(element.local_name().as_ref(), "Fallback" | "moveFrom" | "del") =>
            {
                skipped += 1;
            }
            Event::End(_) if skipped > 0 => skipped -= 1,
            _ if skipped > 0 => {}
            Event::Start(element) => body.start(&element),
            Event::Empty(element) => body.empty(&element),
            Event::End(element) => body.end(element.local_name().as_ref())?,
            Event::Text(text) => body.text(|into| into.push_str(&text.xml10_content()))?,
            Event::CData(text) => body.text(|into| into.push_str(&text.xml10_content()))?,
            Event::GeneralRef(reference) => body.text(|into| resolve(&reference, into))?,
            _ => {}
        }
    }
    Ok(())
}

/// `&amp;`, `&#228;` and the like. Whatever else has a name was defined by a document type, and is nothing.
pub(super) fn resolve(reference: &BytesRef<'_>, into: &mut String) {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => into.push(character),
        _ => into.push_str(quick_xml::escape::resolve_xml_entity(reference).unwrap_or_default()),
    }
}

#[derive(Default)]
struct Paragraph {
    text: String,
    level: Option<u8>,
    list_item: bool,
}

#[derive(Default)]
struct Table {
    rows: usize,
    cells: Vec<String>,
}

struct Body<'b, 'l> {
    levels: &'b Levels,
    out: &'b mut Collector<'l>,
    /// A text box is a paragraph within a paragraph.
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    in_text: bool,
}

impl Body<'_, '_> {
    fn start(&mut self, element: &BytesStart<'_>) {
        match element.local_name().as_ref() {
            "t" => self.in_text = true,
            "p" => self.paragraphs.push(Paragraph::default()),
            "tbl" => self.tables.push(Table::default()),
            "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    table.cells.clear();
                }
            }
            "tc" => {
                if let Some(table) = self.tables.last_mut() {
                    table.cells.push(String::new());
                }
            }
            _ => self.empty(element),
        }
    }

    fn empty(&mut self, element: &BytesStart<'_>) {
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        match element.local_name().as_ref() {
            "tab" => paragraph.text.push(' '),
            "br" | "cr" => paragraph.text.push('\n'),
            "noBreakHyphen" => paragraph.text.push('-'),
            "numPr" => paragraph.list_item = true,
            "pStyle" => {
                let level = val(element).and_then(|id| self.levels.get(&id).copied());
                paragraph.level = paragraph.level.or(level);
            }
            "outlineLvl" => paragraph.level = paragraph.level.or(outline_level(element)),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) -> Result<(), Refused> {
        match name {
            "t" => self.in_text = false,
            "p" => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    return self.paragraph(&paragraph);
                }
            }
            "tr" => return self.row(),
            "tbl" => {
                self.tables.pop();
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, write: impl FnOnce(&mut String)) -> Result<(), Refused> {
        if let (true, Some(paragraph)) = (self.in_text, self.paragraphs.last_mut()) {
            write(&mut paragraph.text);
            self.out.has_room_for(&paragraph.text)?;
        }
        Ok(())
    }

    fn paragraph(&mut self, paragraph: &Paragraph) -> Result<(), Refused> {
        if self.tables.len() <= TABLES
            && let Some(cell) = self.tables.last_mut().and_then(|table| table.cells.last_mut())
        {
            cell.push_str(&paragraph.text);
            cell.push(' ');
            return self.out.has_room_for(cell);
        }
        match paragraph {
            Paragraph { level: Some(level), text, .. } => self.out.heading(*level, text),
            Paragraph { list_item: true, text, .. } => self.out.push(BlockKind::ListItem, text),
            Paragraph { text, .. } => self.out.push(BlockKind::Paragraph, text),
        }
    }

    /// Ends a row: of a table in a table it becomes part of the cell around it.
    fn row(&mut self) -> Result<(), Refused> {
        let depth = self.tables.len();
        let Some(table) = self.tables.last_mut() else { return Ok(()) };
        let cells = std::mem::take(&mut table.cells);
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return Ok(());
        }
        table.rows += 1;
        let kind = match (cells.len(), table.rows) {
            (1, _) => BlockKind::Paragraph,
            (_, 1) => BlockKind::TableHeader,
            _ => BlockKind::TableRow,
        };
        let row = cells.iter().map(|cell| cell.trim()).collect::<Vec<_>>().join(" | ");
        let around = (1..=TABLES).contains(&(depth - 1)).then(|| depth - 2);
        match around.and_then(|at| self.tables[at].cells.last_mut()) {
            Some(cell) => {
                cell.push_str(&row);
                cell.push(' ');
                self.out.has_room_for(cell)
            }
            None => self.out.push(kind, &row),
        }
    }
}
