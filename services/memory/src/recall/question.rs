//! A question as recall understands it: whose words are asked for, of when, and which words an answer should have.

use std::{collections::HashSet, ops::Range};

use super::{
    constants::{NAME_WORDS, QUESTION_MASS, QUESTION_TERMS},
    lexicon::Scope,
    words::words,
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A question that is asked within a scope; the weights of its words are those of the scope at that moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    bare: String,
    named: HashSet<String>,
    dates: Vec<NamedDate>,
    terms: Vec<Term>,
    mean_length: f64,
}

/// A word that is asked for, and its inverse document frequency from 0 to about 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    pub word: String,
    pub idf: f64,
}

/// A month of any year, or a day of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedDate {
    /// From 1.
    pub month: u32,
    pub day: Option<u32>,
}

impl Question {
    /// Reads a question that is asked of `scope`.
    pub fn new(scope: &Scope<'_>, text: &str) -> Self {
        let tokens = tokens(text);
        let (named, removed) = names(&tokens, scope);
        let bare = without(text, &tokens, &removed);
        let mut seen = HashSet::new();
        let distinct = words(&bare).into_iter().filter(|word| seen.insert(word.clone()));
        let terms = most_telling(distinct.filter_map(|word| scope.term(word)).collect());
        Self { named, dates: dates(text, &tokens), terms, mean_length: scope.mean_length(), bare }
    }

    /// The text to be embedded: without names, which would outweigh everything else in a vector.
    pub fn bare(&self) -> &str {
        &self.bare
    }

    /// The words that an entry of the scope has, in the order of the question; of a long one the most telling, best first.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether it names the author, given by the [`folded`] name.
    pub(super) fn names(&self, author: &str) -> bool {
        self.named.contains(author)
    }

    pub(super) fn dates(&self) -> &[NamedDate] {
        &self.dates
    }

    /// Of a field in the scope, in quarters.
    pub(super) fn mean_length(&self) -> f64 {
        self.mean_length
    }

    /// What the weights by words are multiplied with: 1, or less for a long question.
    pub(super) fn damping(&self) -> f64 {
        let mass: f64 = self.terms.iter().map(|term| term.idf).sum();
        if mass > QUESTION_MASS { (QUESTION_MASS / mass).sqrt() } else { 1.0 }
    }
}

fn most_telling(mut terms: Vec<Term>) -> Vec<Term> {
    if terms.len() > QUESTION_TERMS {
        // Stable, so that of equals the first stay.
        terms.sort_by(|a, b| b.idf.total_cmp(&a.idf));
        terms.truncate(QUESTION_TERMS);
    }
    terms
}

/// A name as it is compared: its words in lower case.
pub(super) fn folded(name: &str) -> String {
    tokens(name).into_iter().map(|token| token.lower).collect::<Vec<_>>().join(" ")
}

struct Token {
    at: Range<usize>,
    lower: String,
}

fn tokens(text: &str) -> Vec<Token> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, inside(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push(Token { at: from..at, lower: text[from..at].to_lowercase() });
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// The names of the scope's authors that occur, and which tokens they take.
fn names(tokens: &[Token], scope: &Scope<'_>) -> (HashSet<String>, Vec<bool>) {
    let mut named = HashSet::new();
    let mut removed = vec![false; tokens.len()];
    for from in 0..tokens.len() {
        let mut name = String::new();
        for (to, token) in tokens.iter().enumerate().skip(from).take(NAME_WORDS) {
            if to > from {
                name.push(' ');
            }
            name.push_str(&token.lower);
            if scope.has_author(&name) {
                named.insert(name.clone());
                removed[from..=to].fill(true);
            }
        }
    }
    (named, removed)
}

/// The text without the removed tokens, each with a following `'s`; all of it if nothing is left.
fn without(text: &str, tokens: &[Token], removed: &[bool]) -> String {
    let mut left = String::new();
    let mut from = 0;
    for (i, token) in tokens.iter().enumerate().filter(|(i, _)| removed[*i]) {
        left.push_str(&text[from.min(token.at.start)..token.at.start]);
        from = token.at.end;
        if let Some(next) = tokens.get(i + 1)
            && next.lower == "s"
            && matches!(&text[token.at.end..next.at.start], "'" | "’")
        {
            from = next.at.end;
        }
    }
    left.push_str(&text[from..]);
    let left = left.split_whitespace().collect::<Vec<_>>().join(" ");
    if left.is_empty() { text.to_owned() } else { left }
}

/// Months in capitals, but for the first word ("May I …"), with the day that stands before or behind. Years are ignored.
fn dates(text: &str, tokens: &[Token]) -> Vec<NamedDate> {
    let word = |i: usize| tokens.get(i).map(|token| &text[token.at.clone()]);
    let joined = |i: usize| text[tokens[i].at.end..tokens[i + 1].at.start].chars().all(char::is_whitespace);
    let before = |i: usize| {
        let of = usize::from(i >= 2 && word(i - 1) == Some("of") && joined(i - 1));
        let at = i.checked_sub(1 + of)?;
        joined(at).then(|| word(at).and_then(day)).flatten()
    };
    let behind = |i: usize| word(i + 1).filter(|_| joined(i)).and_then(day);
    let month = |i: usize| (1..).zip(MONTHS).find(|(_, month)| word(i) == Some(month)).map(|(month, _)| month);
    (1..tokens.len())
        .filter_map(|i| Some(NamedDate { month: month(i)?, day: before(i).or_else(|| behind(i)) }))
        .collect()
}

/// `7`, `07` or `7th`.
fn day(word: &str) -> Option<u32> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word);
    let written = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    written.then(|| digits.parse().ok()).flatten()
}
