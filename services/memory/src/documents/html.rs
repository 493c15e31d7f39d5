//! HTML, by its tokens alone: building a tree takes time that grows with the square of the nesting.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use super::{BlockKind, Refused, collect::Collector};

/// What is read between two looks at the clock.
const STEP_BYTES: usize = 16 << 10;

pub(super) fn read(html: &str, out: &mut Collector<'_>) -> Result<(), Refused> {
    let page = Page {
        out,
        text: String::new(),
        place: Place::Flow,
        hidden: false,
        row: None,
        first_row: false,
        refused: None,
    };
    let tokenizer = Tokenizer::new(Sink(RefCell::new(page)), TokenizerOpts::default());
    let input = BufferQueue::default();
    let mut rest = html;
    while !rest.is_empty() {
        let (step, after) = rest.split_at(rest.floor_char_boundary(STEP_BYTES));
        input.push_back(StrTendril::from_slice(step));
        // The only sink is ours, and it never asks to stop for a script.
        let _ = tokenizer.feed(&input);
        tokenizer.sink.0.borrow().check()?;
        rest = after;
    }
    tokenizer.end();
    let mut page = tokenizer.sink.0.into_inner();
    page.flush();
    page.refused.map_or(Ok(()), Err)
}

/// The tokenizer gives its tokens to a shared reference.
struct Sink<'p, 'l>(RefCell<Page<'p, 'l>>);

impl TokenSink for Sink<'_, '_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut page = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => page.characters(&text),
            Token::TagToken(tag) => return page.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// What the text is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Flow,
    Title,
    Heading(u8),
    ListItem,
    Preformatted,
}

impl Place {
    fn open(self, open: bool) -> Self {
        if open { self } else { Self::Flow }
    }
}

struct Page<'p, 'l> {
    out: &'p mut Collector<'l>,
    text: String,
    place: Place,
    hidden: bool,
    /// Cells so far of the table row that is open.
    row: Option<usize>,
    /// No row of the table was seen yet.
    first_row: bool,
    refused: Option<Refused>,
}

impl Page<'_, '_> {
    fn check(&self) -> Result<(), Refused> {
        self.out.tick()?;
        self.out.has_room_for(&self.text)?;
        self.refused.map_or(Ok(()), Err)
    }

    fn characters(&mut self, text: &str) {
        if self.hidden {
            return;
        }
        if self.place == Place::Preformatted {
            self.text.push_str(text);
        } else {
            // A line break in the source is a space on the page.
            self.text.extend(text.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let open = tag.kind == TagKind::StartTag;
        match &*tag.name {
            // Building a tree would tell the tokenizer that no tags are in these; without a tree we have to.
            "script" | "style" | "noscript" | "iframe" | "xmp" | "noembed" | "noframes" | "textarea" => {
                self.hidden = open;
                let raw = match &*tag.name {
                    "script" => RawKind::ScriptData,
                    "textarea" => RawKind::Rcdata,
                    _ => RawKind::Rawtext,
                };
                return if open { TokenSinkResult::RawData(raw) } else { TokenSinkResult::Continue };
            }
            "title" => {
                self.flush();
                self.place = Place::Title.open(open);
                return if open { TokenSinkResult::RawData(RawKind::Rcdata) } else { TokenSinkResult::Continue };
            }
            "br" => self.text.push('\n'),
            "td" | "th" if self.row.is_some() => self.cell(open),
            "tr" => {
                self.flush();
                self.row = open.then_some(0);
            }
            "table" => {
                self.flush();
                self.row = None;
                self.first_row = open;
            }
            _ if self.row.is_some() => self.text.push(' '),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.flush();
                self.place = Place::Heading(tag.name.as_bytes()[1] - b'0').open(open);
            }
            "pre" => {
                self.flush();
                self.place = Place::Preformatted.open(open);
            }
            "li" | "dt" | "dd" => {
                self.flush();
                self.place = Place::ListItem.open(open);
            }
            "ul" | "ol" | "dl" => {
                self.flush();
                self.place = Place::Flow;
            }
            "p" | "div" | "section" | "article" | "aside" | "blockquote" | "header" | "footer" | "nav" | "main"
            | "figure" | "figcaption" | "details" | "summary" | "form" | "fieldset" | "address" | "hr" | "body"
            | "head" | "html" | "caption" | "option" => self.flush(),
            _ => {}
        }
        TokenSinkResult::Continue
    }

    fn cell(&mut self, open: bool) {
        if let (true, Some(cells)) = (open, &mut self.row) {
            if *cells > 0 {
                self.text.push_str(" | ");
            }
            *cells += 1;
        }
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.refused.is_some() || text.trim().is_empty() {
            return;
        }
        let pushed = match self.place {
            Place::Title => {
                self.out.title(&text);
                Ok(())
            }
            Place::Heading(level) => {
                // One that nobody closed ends with its first line.
                self.place = Place::Flow;
                self.out.heading(level, &text)
            }
            _ => {
                let kind = self.kind();
                self.out.push(kind, &text)
            }
        };
        self.refused = pushed.err();
    }

    /// What the text that ends here is.
    fn kind(&mut self) -> BlockKind {
        match self.row {
            // A table of one column is there for its looks.
            Some(cells) if cells > 1 => {
                let header = std::mem::replace(&mut self.first_row, false);
                if header { BlockKind::TableHeader } else { BlockKind::TableRow }
            }
            _ => match self.place {
                Place::Preformatted => BlockKind::Code,
                Place::ListItem => BlockKind::ListItem,
                _ => BlockKind::Paragraph,
            },
        }
    }
}
