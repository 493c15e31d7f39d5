//! Where the readers of all formats put what they find. It keeps the headings and enforces the limits.

use std::time::Instant;

use super::{Block, BlockKind, Extracted, Limits, Refused};

/// Headings that a block keeps: the innermost.
const PATH_LENGTH: usize = 6;
/// Characters that are kept of a heading or a title.
const HEADING_CHARS: usize = 200;

pub(super) struct Collector<'l> {
    pub(super) limits: &'l Limits,
    until: Instant,
    headings: Vec<(u8, String)>,
    /// The innermost heading has nothing under it yet.
    bare: bool,
    title: Option<String>,
    blocks: Vec<Block>,
    text_bytes: usize,
}

impl<'l> Collector<'l> {
    /// The time runs from here on.
    pub(super) fn new(limits: &'l Limits) -> Self {
        let until = Instant::now() + limits.time;
        Self { limits, until, headings: Vec::new(), bare: false, title: None, blocks: Vec::new(), text_bytes: 0 }
    }

    /// Fails when the time is over. To be called every few thousand steps of work that finds no text.
    pub(super) fn tick(&self) -> Result<(), Refused> {
        if Instant::now() > self.until { Err(Refused::TimedOut) } else { Ok(()) }
    }

    /// Fails when `pending` text could not be pushed any more.
    pub(super) fn has_room_for(&self, pending: &str) -> Result<(), Refused> {
        if self.text_bytes + pending.len() > self.limits.text_bytes { Err(Refused::TooLarge) } else { Ok(()) }
    }

    /// The first title counts.
    pub(super) fn title(&mut self, title: &str) {
        let title = heading_text(title);
        if self.title.is_none() && !title.is_empty() {
            self.title = Some(title);
        }
    }

    /// What is pushed from here on is under this heading and those above it. Level 0 is the title of the document.
    pub(super) fn heading(&mut self, level: u8, whole: &str) -> Result<(), Refused> {
        let text = heading_text(whole);
        if text.is_empty() {
            return Ok(());
        }
        if self.headings.last().is_some_and(|(above, _)| *above >= level) {
            self.keep_bare_heading()?;
        }
        if level <= 1 {
            self.title(&text);
        }
        self.headings.retain(|(above, _)| *above < level);
        let cut = text.chars().count() >= HEADING_CHARS;
        self.headings.push((level, text));
        self.bare = true;
        if cut { self.push(BlockKind::Paragraph, whole) } else { self.tick() }
    }

    pub(super) fn push(&mut self, kind: BlockKind, text: &str) -> Result<(), Refused> {
        let path = self.headings[self.headings.len().saturating_sub(PATH_LENGTH)..].iter();
        let path = path.map(|(_, heading)| heading.clone()).collect();
        self.push_at(path, kind, text)
    }

    /// [`Self::push`] for a format whose text is not under headings but at the end of `keys`.
    pub(super) fn push_under(&mut self, keys: &[String], kind: BlockKind, text: &str) -> Result<(), Refused> {
        let path = keys[keys.len().saturating_sub(PATH_LENGTH)..].iter();
        let path = path.map(|key| heading_text(key)).filter(|key| !key.is_empty()).collect();
        self.push_at(path, kind, text)
    }

    fn push_at(&mut self, heading_path: Vec<String>, kind: BlockKind, text: &str) -> Result<(), Refused> {
        let text = if kind == BlockKind::Code { code(text) } else { tidy(text) };
        if text.is_empty() {
            return Ok(());
        }
        self.text_bytes += text.len() + heading_path.iter().map(String::len).sum::<usize>();
        if self.text_bytes > self.limits.text_bytes || self.blocks.len() >= self.limits.blocks {
            return Err(Refused::TooLarge);
        }
        self.tick()?;
        self.bare = false;
        self.blocks.push(Block { heading_path, kind, text });
        Ok(())
    }

    /// A heading without text below would be lost, so it becomes text itself.
    fn keep_bare_heading(&mut self) -> Result<(), Refused> {
        match self.headings.pop() {
            Some((_, heading)) if self.bare => self.push(BlockKind::Paragraph, &heading),
            _ => Ok(()),
        }
    }

    pub(super) fn finish(mut self) -> Result<Extracted, Refused> {
        self.keep_bare_heading()?;
        if self.blocks.is_empty() {
            return Err(Refused::NoText);
        }
        Ok(Extracted { title: self.title, blocks: self.blocks })
    }
}

fn heading_text(text: &str) -> String {
    tidy(text).chars().take(HEADING_CHARS).map(|c| if c == '\n' { ' ' } else { c }).collect()
}

/// Lines without white space around them and with single spaces in them; no empty line, no control character.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len().min(1 << 16));
    for line in text.split(['\n', '\r']) {
        let start = tidied.len();
        for word in line.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
            if tidied.len() > start {
                tidied.push(' ');
            } else if start > 0 {
                tidied.push('\n');
            }
            tidied.push_str(word);
        }
    }
    tidied
}

/// Code with its lines and indentation, without empty lines around it.
fn code(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let first = kept.find(|c: char| !c.is_whitespace()).unwrap_or(kept.len());
    let line = kept[..first].rfind('\n').map_or(0, |end| end + 1);
    kept[line..].trim_end().to_owned()
}
