//! From blocks to chunks: pieces of a document that an embedding model reads whole. A chunk is about one place in the
//! document and begins with the headings that lead to it.

use serde::{Deserialize, Serialize};

use super::{Block, BlockKind, sentences};

/// How large chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Of a chunk with its headings, as the given estimate counts. At least 16.
    pub budget_tokens: usize,
    /// What part of a chunk is said again in the next one when a long block is cut between them: 0 to 0.5.
    pub overlap: f64,
}

impl Default for Sizes {
    /// For a model that reads 256 tokens.
    fn default() -> Self {
        Self { budget_tokens: 200, overlap: 0.15 }
    }
}

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its place among the chunks of the document, from 0.
    pub position: usize,
    pub heading_path: Vec<String>,
    /// What is embedded and found: the heading path in the first line, then the text.
    pub text: String,
    /// The blocks of which it holds something, both included.
    pub first_block: usize,
    pub last_block: usize,
}

/// The parts of a chunk's heading path have this between them.
const PATH_SEPARATOR: &str = " > ";
/// At most this part of a chunk are its headings, and as much the repeated header of a table.
const FRAME_PART: usize = 4;

/// Cuts a document into chunks, the same ones each time.
///
/// `tokens` estimates how many tokens a text has. No chunk is estimated above the budget, provided that two texts put
/// together never have more tokens than both have apart, white space has none, and one character fits.
pub fn chunks(blocks: &[Block], sizes: Sizes, tokens: &dyn Fn(&str) -> usize) -> Vec<Chunk> {
    let mut packer = Packer { sizes, tokens, chunks: Vec::new(), frame: Frame::default(), header: None, open: None };
    for (at, block) in blocks.iter().enumerate() {
        packer.block(at, block);
    }
    packer.close();
    packer.chunks
}

/// An estimate that needs no vocabulary: a token for five letters or two digits of a word, and for each other character.
///
/// For `WordPiece` with a vocabulary of English it is within a tenth of English prose, and too low by a third for the long
/// words of German.
pub fn estimate_tokens(text: &str) -> usize {
    let (mut tokens, mut letters, mut digits) = (0, 0_usize, 0_usize);
    for c in text.chars() {
        // Latin letters with accents are read without them.
        let latin = c.is_alphabetic() && c < '\u{250}';
        (letters, digits) = match (latin, c.is_ascii_digit()) {
            (true, _) => (letters + 1, 0),
            (_, true) => (0, digits + 1),
            _ => (0, 0),
        };
        let begins = letters % 5 == 1 || digits % 2 == 1;
        let alone = letters + digits == 0 && !c.is_whitespace();
        tokens += usize::from(begins || alone);
    }
    tokens
}

/// What each chunk of a section begins with.
#[derive(Default)]
struct Frame {
    path: Vec<String>,
    line: String,
    tokens: usize,
}

/// A chunk that still takes text.
struct Open {
    body: String,
    tokens: usize,
    first_block: usize,
    last_block: usize,
    /// It says nothing that the chunk before did not say.
    repeats_only: bool,
}

struct Packer<'t> {
    sizes: Sizes,
    tokens: &'t dyn Fn(&str) -> usize,
    chunks: Vec<Chunk>,
    frame: Frame,
    /// The header of the table that is being read, and its tokens.
    header: Option<(String, usize)>,
    open: Option<Open>,
}

impl Packer<'_> {
    fn block(&mut self, at: usize, block: &Block) {
        if at == 0 || self.frame.path != block.heading_path {
            self.close();
            self.frame = self.frame(&block.heading_path);
            self.header = None;
        }
        if block.kind != BlockKind::TableRow {
            self.header = None;
        }
        let tokens = (self.tokens)(&block.text);
        let separator = match block.kind {
            BlockKind::TableRow | BlockKind::ListItem | BlockKind::Record => "\n",
            _ => "\n\n",
        };
        if self.open.as_ref().is_some_and(|open| open.tokens + tokens <= self.room()) {
            self.append(at, separator, &block.text, tokens);
        } else {
            self.close();
            self.begin(at);
            if self.free() >= tokens {
                self.append(at, "", &block.text, tokens);
            } else {
                self.split(at, &block.text);
            }
        }
        if block.kind == BlockKind::TableHeader && tokens <= self.room() / FRAME_PART {
            self.header = Some((block.text.clone(), tokens));
        }
    }

    /// Tokens of a chunk beside its headings.
    fn room(&self) -> usize {
        self.sizes.budget_tokens.max(16) - self.frame.tokens
    }

    /// Tokens that still fit into the open chunk.
    fn free(&self) -> usize {
        self.room().saturating_sub(self.open.as_ref().map_or(0, |open| open.tokens))
    }

    /// The headings as one line. If they are too long, the innermost that fit are kept, and of the last one what fits.
    fn frame(&self, path: &[String]) -> Frame {
        let most = self.sizes.budget_tokens.max(16) / FRAME_PART;
        let line = (0..path.len())
            .map(|from| path[from..].join(PATH_SEPARATOR))
            .find(|line| (self.tokens)(line) <= most)
            .unwrap_or_else(|| {
                let mut line = String::new();
                for word in path.last().into_iter().flat_map(|heading| sentences::words(heading)) {
                    if (self.tokens)(&line) + (self.tokens)(word) > most {
                        break;
                    }
                    line.push_str(word);
                }
                line.trim_end().to_owned()
            });
        Frame { path: path.to_vec(), tokens: (self.tokens)(&line), line }
    }

    /// Opens a chunk; in the middle of a table with the table's header.
    fn begin(&mut self, at: usize) {
        let (mut body, tokens) = self.header.clone().unwrap_or_default();
        if !body.is_empty() {
            body.push('\n');
        }
        self.open = Some(Open { body, tokens, first_block: at, last_block: at, repeats_only: true });
    }

    fn append(&mut self, at: usize, separator: &str, text: &str, tokens: usize) {
        let Some(open) = &mut self.open else { return };
        open.body.push_str(separator);
        open.body.push_str(text);
        open.tokens += tokens;
        open.last_block = at;
        open.repeats_only = false;
    }

    fn close(&mut self) {
        let Some(open) = self.open.take().filter(|open| !open.repeats_only) else { return };
        let mut text = self.frame.line.clone();
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(open.body.trim_end());
        self.chunks.push(Chunk {
            position: self.chunks.len(),
            heading_path: self.frame.path.clone(),
            text,
            first_block: open.first_block,
            last_block: open.last_block,
        });
    }

    /// Spreads a block that fits into no chunk over several: by sentences, those that do not fit by lines and words, and
    /// what is longer still (a number, a text without spaces) anywhere.
    fn split(&mut self, at: usize, text: &str) {
        let most = self.free();
        let mut pieces = Vec::new();
        for sentence in sentences::sentences(text) {
            self.pieces(sentence, most, &mut pieces);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a part of a small positive number"
        )]
        let overlap = (most as f64 * self.sizes.overlap.clamp(0.0, 0.5)) as usize;
        for (n, (piece, tokens)) in pieces.iter().enumerate() {
            if *tokens > self.free() {
                self.close();
                self.begin(at);
                // Said again is what fits beside the piece that comes next.
                let repeated = overlap.min(self.free().saturating_sub(*tokens));
                let from = tail(&pieces[..n], repeated);
                if let Some(open) = &mut self.open {
                    for (piece, tokens) in &pieces[from..n] {
                        open.body.push_str(piece);
                        open.tokens += tokens;
                    }
                }
            }
            self.append(at, "", piece, *tokens);
        }
    }

    fn pieces<'s>(&self, sentence: &'s str, most: usize, into: &mut Vec<(&'s str, usize)>) {
        let tokens = (self.tokens)(sentence);
        if tokens <= most {
            into.push((sentence, tokens));
            return;
        }
        for line in sentence.split_inclusive('\n') {
            let tokens = (self.tokens)(line);
            if tokens <= most {
                into.push((line, tokens));
                continue;
            }
            for mut word in sentences::words(line) {
                while !word.is_empty() {
                    let (piece, tokens) = self.longest(word, most);
                    into.push((piece, tokens));
                    word = &word[piece.len()..];
                }
            }
        }
    }

    /// The start of `text` that fits, found by halving; at least one character.
    fn longest<'s>(&self, text: &'s str, most: usize) -> (&'s str, usize) {
        // A token is seldom longer, and a text of megabytes must not be estimated again for each piece.
        let mut end = text.floor_char_boundary(most.saturating_mul(16).max(4));
        loop {
            let tokens = (self.tokens)(&text[..end]);
            let half = text.floor_char_boundary(end / 2);
            if tokens <= most || half == 0 {
                return (&text[..end], tokens);
            }
            end = half;
        }
    }
}

/// Where the pieces at the end begin that have at most so many tokens together.
fn tail(pieces: &[(&str, usize)], most: usize) -> usize {
    let mut sum = 0;
    let fitting = pieces.iter().rev().take_while(|(_, tokens)| {
        sum += tokens;
        sum <= most
    });
    pieces.len() - fitting.count()
}
