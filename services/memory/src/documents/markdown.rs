//! Markdown (`CommonMark` with GitHub's tables). HTML in it is read as HTML.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{BlockKind, Refused, collect::Collector, html};

pub(super) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Refused> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reader = Reader { out, text: String::new(), items: 0, cells: 0 };
    for (n, event) in Parser::new_ext(text, options).enumerate() {
        if n % 4096 == 0 {
            reader.out.tick()?;
        }
        reader.event(event)?;
    }
    reader.flush()
}

struct Reader<'r, 'l> {
    out: &'r mut Collector<'l>,
    text: String,
    /// List items around what is being read.
    items: usize,
    /// Cells of the row that is being read.
    cells: usize,
}

impl Reader<'_, '_> {
    fn event(&mut self, event: Event<'_>) -> Result<(), Refused> {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) => self.text.push_str(&text),
            Event::SoftBreak => self.text.push(' '),
            Event::HardBreak => self.text.push('\n'),
            Event::Start(tag) => return self.start(&tag),
            Event::End(tag) => return self.end(tag),
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, tag: &Tag<'_>) -> Result<(), Refused> {
        match tag {
            Tag::Item => {
                self.flush()?;
                self.items += 1;
            }
            Tag::TableHead | Tag::TableRow => self.cells = 0,
            Tag::TableCell => {
                if self.cells > 0 {
                    self.text.push_str(" | ");
                }
                self.cells += 1;
            }
            Tag::Paragraph
            | Tag::Heading { .. }
            | Tag::List(_)
            | Tag::CodeBlock(_)
            | Tag::HtmlBlock
            | Tag::BlockQuote(_)
            | Tag::Table(_)
            | Tag::MetadataBlock(_) => self.flush()?,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) -> Result<(), Refused> {
        match tag {
            TagEnd::Heading(level) => {
                let text = std::mem::take(&mut self.text);
                // A heading in a list is part of the item.
                if self.items > 0 {
                    self.out.push(BlockKind::ListItem, &text)
                } else {
                    self.out.heading(level as u8, &text)
                }
            }
            TagEnd::Item => {
                self.flush()?;
                self.items = self.items.saturating_sub(1);
                Ok(())
            }
            TagEnd::CodeBlock => self.push(BlockKind::Code),
            TagEnd::TableHead => self.push(BlockKind::TableHeader),
            TagEnd::TableRow => self.push(BlockKind::TableRow),
            TagEnd::HtmlBlock => html::read(&std::mem::take(&mut self.text), self.out),
            TagEnd::MetadataBlock(_) => {
                let front = std::mem::take(&mut self.text);
                if let Some(title) = front.lines().find_map(|line| line.strip_prefix("title:")) {
                    self.out.title(title.trim().trim_matches(['"', '\'']));
                }
                Ok(())
            }
            TagEnd::Paragraph | TagEnd::List(_) | TagEnd::BlockQuote(_) | TagEnd::FootnoteDefinition => self.flush(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Refused> {
        self.push(if self.items > 0 { BlockKind::ListItem } else { BlockKind::Paragraph })
    }

    fn push(&mut self, kind: BlockKind) -> Result<(), Refused> {
        self.out.push(kind, &self.text)?;
        self.text.clear();
        Ok(())
    }
}
