//! Facts out of what people say: what a language model is asked, and what of its answer is believed. No I/O.

pub mod answer;
pub mod prompt;
pub mod sameness;

use crate::domain::extraction::Turn;

/// Of the new turns of one task: with the rest, a model with room for 4,096 tokens has room for its answer.
pub const TURN_TOKENS: usize = 1_500;
/// Earlier turns that come along so that "it" and "there" can be understood, and how long they may be together.
pub const CONTEXT_TURNS: usize = 4;
pub const CONTEXT_TOKENS: usize = 400;
/// Memories among which a model finds what a fact takes the place of.
pub const CANDIDATES: usize = 10;
/// Facts of one answer.
pub const FACTS: usize = 10;
/// Of one fact.
pub const FACT_CHARS: usize = 300;
/// For that many facts.
pub const ANSWER_TOKENS: u32 = 800;

/// What a model is given.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Earlier turns, only to be understood.
    pub context: Vec<Turn>,
    /// The turns to take facts from. A model calls them by their number, from 1.
    pub turns: Vec<Turn>,
    /// What is remembered already. A model calls them by their number, from 1.
    pub known: Vec<String>,
}

/// A text of at most so many tokens: its beginning.
pub fn cut(text: &str, tokens: usize) -> &str {
    let mut end = text.len().min(tokens * 4);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
