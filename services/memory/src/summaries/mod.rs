//! What a conversation was about, in few words: by a language model, or in its own sentences. No I/O.

pub mod extractive;
pub mod prompt;

use crate::domain::{extraction::Turn, tokens};

/// What a model is given at a time: with the rest, one with room for 4,096 tokens has room for its answer.
pub const PIECE_TOKENS: usize = 2_000;
/// Pieces that are worth a model's time, while somebody waits. What is longer is brought to its own sentences first.
pub const PIECES: usize = 6;
/// Of one turn.
pub const TURN_TOKENS: usize = 1_000;

/// Turns in pieces of at most [`PIECE_TOKENS`], each of at least one turn.
pub fn pieces(turns: &[Turn]) -> Vec<&[Turn]> {
    let (mut pieces, mut from, mut length) = (Vec::new(), 0, 0);
    for (place, turn) in turns.iter().enumerate() {
        let more = tokens::estimate(&turn.text);
        if place > from && length + more > PIECE_TOKENS {
            pieces.push(&turns[from..place]);
            (from, length) = (place, 0);
        }
        length += more;
    }
    if from < turns.len() {
        pieces.push(&turns[from..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn pieces_are_all_of_it_and_none_is_too_long() {
        let turn =
            |tokens: usize| Turn { speaker: "user".to_owned(), at: DateTime::UNIX_EPOCH, text: "word".repeat(tokens) };
        let turns: Vec<_> = [900, 900, 300, 2_500, 100, 1_900, 1].map(turn).into();
        let sizes: Vec<_> = pieces(&turns).iter().map(|piece| piece.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 2, 1]);
        assert!(pieces(&[]).is_empty());
    }
}
