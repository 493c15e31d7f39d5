//! How many tokens a text is, as far as that can be told without the model's own tokenizer.
//!
//! Three answers for three questions. [`Size::likely`] is for reserving: about right, cheap, one pass. [`Size::at_least`] is
//! for refusing: so low that a request which fits is never turned away; what it lets pass by mistake the provider refuses.
//! [`Tokenizer`] is for charging what a provider did not count: OpenAI's `o200k_base` vocabulary, near enough for others.

use std::{
    iter,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde_json::Value;

use super::{
    chat::{ChatRequest, MediaSource, Part, ResponseFormat, Tool},
    embedding::EmbeddingInput,
    json,
};

/// UTF-8 bytes of a token: English prose has 4 to 5, code about 3, Chinese 3 to 4.
const BYTES_A_TOKEN: u64 = 4;
/// More bytes than a token of any natural text has on average, once runs of one character count as one.
const MOST_BYTES_A_TOKEN: u64 = 8;
/// What the template around a message costs (OpenAI cookbook, "How to count tokens": 3 a message and 3 for the answer).
const MESSAGE: u64 = 3;
/// An image of usual size: OpenAI's high detail at 1024 × 1024 is 765, Anthropic's about 1,400.
const IMAGE: u64 = 1_000;
/// The smallest that anybody charges for an image: OpenAI's low detail.
const LEAST_IMAGE: u64 = 64;
/// Base64 characters of an attached document that make a token, roughly: a page of PDF is 100 kB and 1,500 tokens.
const DOCUMENT_CHARS_A_TOKEN: u64 = 80;
/// A document behind a URL or an id.
const DOCUMENT: u64 = 5_000;
/// Base64 characters of sound that make a token: 10 tokens a second of compressed sound.
const SOUND_CHARS_A_TOKEN: u64 = 1_000;

/// A size in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// What it probably is.
    pub likely: u64,
    /// What it is at least.
    pub at_least: u64,
}

impl Size {
    fn both(tokens: u64) -> Self {
        Self { likely: tokens, at_least: tokens }
    }

    fn text(text: &str) -> Self {
        Self { likely: likely(text), at_least: at_least(text) }
    }

    /// Not less than nothing, and certainly not more than `likely`.
    fn guess(likely: u64, at_least: u64) -> Self {
        Self { likely, at_least }
    }

    fn json(value: &Value) -> Self {
        // Providers rewrite schemas into something shorter, so nothing is certain.
        Self::guess((json::bytes(value) as u64).div_ceil(BYTES_A_TOKEN), 0)
    }
}

impl std::ops::Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { likely: self.likely + other.likely, at_least: self.at_least + other.at_least }
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), std::ops::Add::add)
    }
}

/// What a text probably is.
pub fn likely(text: &str) -> u64 {
    (text.len() as u64).div_ceil(BYTES_A_TOKEN)
}

/// What a text is at least. A run of one byte may be a single token (there are tokens of 80 spaces).
fn at_least(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let changes = bytes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    (changes as u64) / MOST_BYTES_A_TOKEN
}

/// The input of a chat.
pub fn chat(request: &ChatRequest) -> Size {
    let messages = request.messages.iter().map(|message| {
        let name = message.name.as_deref().map_or(Size::default(), Size::text);
        Size::both(MESSAGE) + name + message.parts.iter().map(part).sum()
    });
    let tools = request.tools.iter().map(|tool| match tool {
        Tool::Function { name, description, parameters, .. } => {
            let description = description.as_deref().map_or(Size::default(), Size::text);
            Size::text(name) + description + parameters.as_ref().map_or(Size::default(), Size::json)
        }
        Tool::Other(tool) => Size::json(tool),
    });
    let format = match &request.response_format {
        Some(ResponseFormat::JsonSchema { schema, .. }) => Size::json(schema),
        _ => Size::default(),
    };
    Size::both(MESSAGE) + messages.sum() + tools.sum() + format
}

fn part(part: &Part) -> Size {
    match part {
        Part::Text { text, .. } | Part::Refusal { text } => Size::text(text),
        // Earlier thinking is often left out by the provider.
        Part::Thinking { text, .. } => Size::guess(likely(text), 0),
        Part::RedactedThinking { data } => Size::guess(likely(data), 0),
        Part::Image { detail, .. } => {
            Size::guess(if detail.as_deref() == Some("low") { LEAST_IMAGE } else { IMAGE }, LEAST_IMAGE)
        }
        Part::Audio { data, .. } => Size::guess(data.len() as u64 / SOUND_CHARS_A_TOKEN, 0),
        Part::File { source: MediaSource::Inline { data, .. }, .. } => {
            Size::guess(data.len() as u64 / DOCUMENT_CHARS_A_TOKEN, 0)
        }
        Part::File { .. } => Size::guess(DOCUMENT, 0),
        Part::ToolCall(call) => Size::text(&call.name) + Size::text(&call.arguments),
        Part::ToolResult { parts, .. } => parts.iter().map(self::part).sum(),
        Part::Other(value) => Size::json(value),
    }
}

/// One input of an embedding model.
pub fn embedding(input: &EmbeddingInput) -> Size {
    match input {
        EmbeddingInput::Text(text) => Size::text(text),
        EmbeddingInput::Tokens(tokens) => Size::both(tokens.len() as u64),
    }
}

/// Counts tokens of text by `o200k_base`. The vocabulary takes half a second to load and tens of megabytes to keep, so it
/// is loaded when first needed and not at all where it is switched off; until it is there, [`likely`] has to do. Cheap to
/// clone.
#[derive(Clone)]
pub struct Tokenizer {
    vocabulary: Option<Arc<Vocabulary>>,
}

#[derive(Default)]
struct Vocabulary {
    /// Inside `None`: it could not be loaded.
    loaded: OnceLock<Option<tiktoken_rs::CoreBPE>>,
    claimed: AtomicBool,
}

impl Tokenizer {
    /// With `exact`, by the vocabulary; without, by estimate only.
    pub fn new(exact: bool) -> Self {
        Self { vocabulary: exact.then(Arc::default) }
    }

    /// True for the first who asks while there is something to [`load`](Self::load): they should.
    pub fn claim_loading(&self) -> bool {
        self.vocabulary.as_ref().is_some_and(|vocabulary| !vocabulary.claimed.swap(true, Ordering::Relaxed))
    }

    /// Loads the vocabulary. Takes long: not for a thread that serves requests.
    pub fn load(&self) {
        if let Some(vocabulary) = &self.vocabulary {
            vocabulary.loaded.get_or_init(|| {
                let begun = Instant::now();
                let loaded = tiktoken_rs::o200k_base();
                match &loaded {
                    Ok(_) => tracing::info!(duration_ms = begun.elapsed().as_millis(), "The tokenizer is loaded"),
                    Err(error) => tracing::error!(%error, "The tokenizer cannot be loaded; tokens are estimated"),
                }
                loaded.ok()
            });
        }
    }

    /// What a text is: counted when the vocabulary is there, else estimated. Some microseconds for each kilobyte. A long text
    /// is counted in [`pieces`], so it may come out a token larger for each of them.
    pub fn count(&self, text: &str) -> u64 {
        match self.vocabulary.as_ref().and_then(|vocabulary| vocabulary.loaded.get()?.as_ref()) {
            Some(vocabulary) => pieces(text).map(|piece| vocabulary.encode_ordinary(piece).len() as u64).sum(),
            None => likely(text),
        }
    }
}

/// Most bytes of a text that the vocabulary gets at once: its pattern keeps a place to return to for each character of a run
/// of spaces, and tiktoken panics when that is a million.
const PIECE: usize = 64 * 1024;

/// A text in pieces, which end before whitespace where they can, as words with the space before them are tokens.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    iter::from_fn(move || {
        let end = rest.floor_char_boundary(PIECE);
        let end = match rest[..end].rfind(char::is_whitespace) {
            Some(space) if space > 0 && end < rest.len() => space,
            _ => end,
        };
        let (piece, more) = rest.split_at(end);
        rest = more;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Counts a text that comes in pieces, without keeping more than its beginning: what follows is counted by its bytes at
/// the rate of the beginning.
#[derive(Debug, Default)]
pub struct Running {
    beginning: String,
    bytes: u64,
}

/// Most bytes of a text that are kept for counting.
const KEPT: usize = 8 * 1024;

impl Running {
    /// The next piece.
    pub fn push(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        if self.beginning.len() + text.len() <= KEPT {
            self.beginning.push_str(text);
        }
    }

    /// Its tokens.
    pub fn tokens(&self, tokenizer: &Tokenizer) -> u64 {
        match self.beginning.len() as u64 {
            0 => self.bytes.div_ceil(BYTES_A_TOKEN),
            kept => tokenizer.count(&self.beginning).saturating_mul(self.bytes).div_ceil(kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROSE: &str = "The quick brown fox jumps over the lazy dog, and nobody in the whole wide forest is in the \
                         least surprised about it, because foxes have done that for a very long time.";
    const CODE: &str = "fn main() -> Result<(), Error> {\n    let xs: Vec<u32> = (0..10).map(|n| n * n).collect();\n    \
                        println!(\"{xs:?}\");\n    Ok(())\n}\n";
    const CHINESE: &str = "人工智能正在改变我们的生活方式，许多公司已经开始使用语言模型来回答客户的问题。";

    fn exact() -> Tokenizer {
        let tokenizer = Tokenizer::new(true);
        assert!(tokenizer.claim_loading());
        assert!(!tokenizer.claim_loading());
        tokenizer.load();
        tokenizer
    }

    #[test]
    fn estimates_are_about_right_and_the_lower_bound_is_below() {
        let tokenizer = exact();
        for text in [PROSE, CODE, CHINESE] {
            let (counted, size) = (tokenizer.count(text), Size::text(text));
            assert!((counted / 2..=counted * 2).contains(&size.likely), "{counted} {size:?} {text}");
            assert!(size.at_least <= counted, "{counted} {size:?} {text}");
        }
        // The worst known: long runs, long words.
        for text in [&" ".repeat(4_000), &"=".repeat(4_000), &"congratulations ".repeat(4), &"\n\n\n".repeat(999)] {
            let counted = tokenizer.count(text);
            assert!(Size::text(text).at_least <= counted + 3, "{counted} {text}");
        }
    }

    #[test]
    fn a_text_in_pieces_counts_about_like_the_whole() {
        let tokenizer = exact();
        let text = PROSE.repeat(400);
        let mut running = Running::default();
        for word in text.split_inclusive(' ') {
            running.push(word);
        }
        assert!(running.beginning.capacity() <= 2 * KEPT);
        let (whole, pieces) = (tokenizer.count(&text), running.tokens(&tokenizer));
        assert!(pieces.abs_diff(whole) * 100 < whole, "{pieces} {whole}");
        assert_eq!(Running::default().tokens(&tokenizer), 0);
    }

    #[test]
    fn a_long_text_is_counted_in_pieces() {
        let tokenizer = exact();
        // One run of more than a million spaces panicked.
        assert!((10_000..100_000).contains(&tokenizer.count(&" ".repeat(1_500_000))));
        for text in [PROSE.repeat(2_000), CODE.repeat(2_000), CHINESE.repeat(2_000), format!("x {}", "é".repeat(PIECE))]
        {
            assert_eq!(pieces(&text).collect::<String>(), text);
            assert!(pieces(&text).all(|piece| piece.len() <= PIECE));
            let whole = exact_count(&tokenizer, &text);
            assert!(tokenizer.count(&text).abs_diff(whole) <= pieces(&text).count() as u64);
        }
        assert_eq!(tokenizer.count(""), 0);
    }

    /// Without pieces.
    fn exact_count(tokenizer: &Tokenizer, text: &str) -> u64 {
        tokenizer.vocabulary.as_ref().unwrap().loaded.get().unwrap().as_ref().unwrap().encode_ordinary(text).len()
            as u64
    }

    #[test]
    fn a_first_piece_too_large_to_keep_is_estimated() {
        let mut running = Running::default();
        running.push(&"x".repeat(KEPT + 1));
        assert_eq!(running.tokens(&Tokenizer::new(false)), likely(&"x".repeat(KEPT + 1)));
    }

    #[test]
    fn without_a_vocabulary_everything_is_estimated() {
        let tokenizer = Tokenizer::new(false);
        assert!(!tokenizer.claim_loading());
        tokenizer.load();
        assert_eq!(tokenizer.count("12345678"), 2);
    }

    proptest! {
        #[test]
        fn no_text_is_certainly_more_than_it_probably_is(text in ".{0,300}") {
            let size = Size::text(&text);
            prop_assert!(size.at_least <= size.likely);
            let mut running = Running::default();
            let (a, b) = text.split_at(text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at));
            running.push(a);
            running.push(b);
            prop_assert_eq!(running.tokens(&Tokenizer::new(false)), likely(&text));
        }
    }
}
