//! Which entries answer a question (ADR 0013): the words of entries in memory, and a score from words, vectors, names and
//! dates whose constants do not depend on what else is compared. Nothing here performs I/O.

pub mod constants;
pub mod lexicon;
pub mod question;
pub mod rank;
pub mod score;
pub mod sentences;
#[cfg(test)]
mod tests;
pub mod words;
