//! A summary in a conversation's own sentences: those whose words are what it is mostly about, each new one about something
//! else. `SumBasic` of Nenkova and Vanderwende ("The Impact of Frequency on Summarization", 2005), without its condition that a
//! sentence must have the most probable word.

use std::collections::{BTreeSet, HashMap};

use crate::{
    domain::{extraction::Turn, tokens},
    recall::{sentences::split, words::words},
};

/// A sentence with fewer words says little alone.
const LEAST_WORDS: usize = 3;
/// A sentence that is longer is none: a table, a log, a list.
const LONGEST_TOKENS: usize = 100;

struct Sentence<'a> {
    /// Its turn, and its place among all sentences.
    turn: usize,
    place: usize,
    text: &'a str,
    /// In order, so that sums over them come out the same each time.
    words: BTreeSet<String>,
    cost: usize,
}

/// The turns brought to their most telling sentences, in their order, of about `budget_tokens` with the names of who speaks.
/// The same turns always give the same sentences.
pub fn condensed(turns: &[Turn], budget_tokens: usize) -> Vec<Turn> {
    let all = sentences(turns);
    let telling = |sentence: &&Sentence<'_>| sentence.words.len() >= LEAST_WORDS && !sentence.text.ends_with('?');
    let mut left: Vec<&Sentence<'_>> = all.iter().filter(telling).collect();
    if left.is_empty() {
        left = all.iter().collect();
    }
    let mut probability = probabilities(&left);
    let (mut budget, mut chosen) = (budget_tokens, Vec::new());
    loop {
        left.retain(|sentence| sentence.cost <= budget);
        let worth = |sentence: &Sentence<'_>| {
            let sum: f64 = sentence.words.iter().map(|word| probability[word.as_str()]).sum();
            sum / f64::from(u32::try_from(sentence.words.len().max(1)).unwrap_or(u32::MAX))
        };
        // Of equals the first.
        let best = left.iter().enumerate().map(|(place, sentence)| (place, worth(sentence)));
        let Some((best, _)) = best.reduce(|best, next| if next.1 > best.1 { next } else { best }) else { break };
        let sentence = left.remove(best);
        budget -= sentence.cost;
        for word in &sentence.words {
            if let Some(of_word) = probability.get_mut(word.as_str()) {
                *of_word *= *of_word;
            }
        }
        chosen.push(sentence);
    }
    chosen.sort_by_key(|sentence| sentence.place);
    joined(turns, &chosen)
}

/// One line for each turn: who speaks, and what.
pub fn written(turns: &[Turn]) -> String {
    turns.iter().map(|turn| format!("{}: {}", turn.speaker, turn.text)).collect::<Vec<_>>().join("\n")
}

fn sentences(turns: &[Turn]) -> Vec<Sentence<'_>> {
    let mut all = Vec::new();
    for (turn, said) in turns.iter().enumerate() {
        let speaker = tokens::estimate(&said.speaker) + 2;
        for text in said.text.lines().flat_map(split) {
            let cost = tokens::estimate(text) + speaker;
            if cost <= LONGEST_TOKENS + speaker {
                all.push(Sentence { turn, place: all.len(), text, words: words(text).into_iter().collect(), cost });
            }
        }
    }
    all
}

/// How probable each word is among those of the sentences.
fn probabilities(sentences: &[&Sentence<'_>]) -> HashMap<String, f64> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut all = 0_u32;
    for word in sentences.iter().flat_map(|sentence| &sentence.words) {
        *counts.entry(word.clone()).or_default() += 1;
        all += 1;
    }
    counts.into_iter().map(|(word, count)| (word, f64::from(count) / f64::from(all))).collect()
}

/// Sentences as turns.
fn joined(turns: &[Turn], chosen: &[&Sentence<'_>]) -> Vec<Turn> {
    let mut left: Vec<(usize, Turn)> = Vec::new();
    for sentence in chosen {
        match left.last_mut() {
            Some((turn, said)) if *turn == sentence.turn => {
                said.text.push(' ');
                said.text.push_str(sentence.text);
            }
            _ => left.push((sentence.turn, Turn { text: sentence.text.to_owned(), ..turns[sentence.turn].clone() })),
        }
    }
    left.into_iter().map(|(_, turn)| turn).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn turn(speaker: &str, text: &str) -> Turn {
        Turn { speaker: speaker.to_owned(), at: DateTime::UNIX_EPOCH, text: text.to_owned() }
    }

    fn conversation() -> Vec<Turn> {
        vec![
            turn("user", "Hi! The red lamp in my kitchen is broken. Can you help?"),
            turn("assistant", "Of course. Is it raining in Lisbon today?"),
            turn("user", "The lamp flickers since the kitchen was painted. My cousin likes jazz records."),
            turn("assistant", "A kitchen lamp that flickers has a loose wire. Switch the lamp off first."),
        ]
    }

    #[test]
    fn what_a_conversation_is_about_is_left() {
        let summary = written(&condensed(&conversation(), 35));
        assert!(summary.contains("kitchen") && summary.contains("lamp"), "{summary}");
        assert!(!summary.contains("jazz") && !summary.contains("raining") && !summary.contains("Hi!"), "{summary}");
    }

    #[test]
    fn it_keeps_to_the_budget_and_to_the_order() {
        for budget in 0..120 {
            let left = condensed(&conversation(), budget);
            assert!(tokens::estimate(&written(&left)) <= budget, "{budget}");
        }
        let all = condensed(&conversation(), 1_000);
        let speakers: Vec<_> = all.iter().map(|turn| turn.speaker.as_str()).collect();
        assert_eq!(speakers, ["user", "user", "assistant"]);
        assert_eq!(all[2].text, conversation()[3].text);
    }

    #[test]
    fn the_same_is_always_summed_up_the_same() {
        let first = condensed(&conversation(), 50);
        for _ in 0..50 {
            assert_eq!(condensed(&conversation(), 50), first);
        }
    }

    #[test]
    fn little_is_better_than_nothing() {
        assert_eq!(written(&condensed(&[turn("user", "Hello?")], 100)), "user: Hello?");
        assert_eq!(written(&condensed(&[turn("user", &"x".repeat(1_000))], 10_000)), "");
        assert_eq!(written(&condensed(&[], 100)), "");
    }
}
