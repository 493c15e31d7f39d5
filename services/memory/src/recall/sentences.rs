//! What a turn asks and what it says, and the text that its vector is made of: an answer is found by the question that it
//! answers, and a question must not be found in place of its answer.

use super::constants::REQUEST_WEIGHT;

/// The sentences of a text, which end after `.`, `!` or `?` before white space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentences {
    /// Those that end in `?`, joined by a space.
    pub asked: String,
    /// The others.
    pub said: String,
}

impl Sentences {
    pub fn of(text: &str) -> Self {
        let mut sentences = Self::default();
        for sentence in split(text) {
            let to = if sentence.ends_with('?') { &mut sentences.asked } else { &mut sentences.said };
            if !to.is_empty() {
                to.push(' ');
            }
            to.push_str(sentence);
        }
        sentences
    }
}

/// What a turn asks: [`reply_to`](crate::domain::entry::Entry::reply_to) of the next turn of the session, if somebody else
/// says that.
pub fn question_in(text: &str) -> String {
    Sentences::of(text).asked
}

/// A text to be embedded, and its share in the vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    pub text: String,
    pub weight: f32,
}

/// What the vector of a turn is made of: nothing for a turn of white space, one text or two. See [`combined`].
pub fn embedded(text: &str, reply_to: &str) -> Vec<Weighted> {
    let Sentences { asked, said } = Sentences::of(text);
    let stated = format!("{reply_to} {said}");
    let (stated, whole) = (stated.trim(), text.trim());
    let weighted = |text: &str, weight| Weighted { text: text.to_owned(), weight };
    if whole.is_empty() && stated.is_empty() {
        Vec::new()
    } else if stated.is_empty() {
        vec![weighted(whole, 1.0)]
    } else if asked.is_empty() {
        vec![weighted(stated, 1.0)]
    } else {
        // A request may say no more than "Hi!" beside what it asks for.
        vec![weighted(stated, 1.0), weighted(whole, REQUEST_WEIGHT)]
    }
}

/// The weighted sum of vectors of one length, brought to length 1. A sum of nothing stays zero.
pub fn combined(parts: &[(f32, &[f32])]) -> Vec<f32> {
    let dimension = parts.first().map_or(0, |(_, vector)| vector.len());
    let mut sum = vec![0.0; dimension];
    for (weight, vector) in parts {
        for (to, from) in sum.iter_mut().zip(*vector) {
            *to += weight * from;
        }
    }
    let norm = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm > 0.0 {
        for x in &mut sum {
            *x /= norm;
        }
    }
    sum
}

/// The sentences of a text, in order and without the white space between them.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        let mut before = ' ';
        let end = rest.find(|c: char| {
            let ends = c.is_whitespace() && matches!(before, '.' | '!' | '?');
            before = c;
            ends
        });
        let (sentence, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start();
        (!sentence.is_empty()).then_some(sentence)
    })
}
