//! What a language model answered, and what of it is believed.
//!
//! A small model makes things up. A fact is only taken when it says which turns it is from and these turns do say it: most of
//! its words, and every figure and every name, have to stand in what was said.

use std::collections::{BTreeSet, HashSet};

use chrono::Datelike as _;
use serde::Deserialize;

use super::{
    FACT_CHARS, FACTS, Material,
    sameness::{figures, names},
};
use crate::{domain::extraction::Turn, recall::words::words};

/// The share of a fact's words that have to stand in its turns.
const GROUNDED: f32 = 0.5;

/// The most that a model is trusted with: it may have understood the words wrongly.
const TRUST: f32 = 0.9;

/// A fact with fewer says nothing.
const LEAST_WORDS: u16 = 2;

/// How people are called who have no name.
const ROLES: &str = "user assistant speaker person";

/// Longest name of whom a fact is about.
const ABOUT_CHARS: usize = 128;

/// A fact that is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub text: String,
    pub about: Option<String>,
    /// Places of [`Material::turns`] that say it, in order; at least one.
    pub sources: Vec<usize>,
    /// The place of [`Material::known`] that it takes the place of.
    pub supersedes: Option<usize>,
    /// From 0 to 1: the more of its words stand in what was said, the more.
    pub confidence: f32,
}

/// An answer that follows its schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answered {
    pub facts: Vec<Fact>,
    /// How many were not believed.
    pub dropped: usize,
}

/// An answer that does not follow its schema, in words for the model.
#[derive(Debug, thiserror::Error)]
#[error("the answer does not follow the schema: {0}")]
pub struct Malformed(#[from] serde_json::Error);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    facts: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    text: String,
    about: Option<String>,
    source_turns: Vec<i64>,
    supersedes: Option<i64>,
}

/// Reads an answer.
///
/// # Errors
/// [`Malformed`]. What follows the schema and is wrong nevertheless is left out.
pub fn read(answer: &str, material: &Material) -> Result<Answered, Malformed> {
    let document: Document = serde_json::from_str(answer.trim())?;
    let all = document.facts.len();
    let facts: Vec<_> = document.facts.into_iter().take(FACTS).filter_map(|raw| raw.believed(material)).collect();
    Ok(Answered { dropped: all - facts.len(), facts })
}

impl Raw {
    fn believed(self, material: &Material) -> Option<Fact> {
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        // A question is no fact, and nobody knows later who "I" is.
        let alone = !text.ends_with('?') && !text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "I");
        if text.is_empty() || text.chars().count() > FACT_CHARS || !alone {
            return None;
        }
        let place = |number: &i64, of: usize| {
            let place = usize::try_from(*number).ok()?.checked_sub(1)?;
            (place < of).then_some(place)
        };
        // One number that is not there, and the others are guesses too.
        let sources: Option<BTreeSet<usize>> =
            self.source_turns.iter().map(|number| place(number, material.turns.len())).collect();
        let sources: Vec<_> = sources?.into_iter().collect();
        let ground = Ground::of(material, &sources)?;
        let share = ground.share(&text).filter(|share| *share >= GROUNDED)?;
        let about = self.about.map(|about| about.trim().to_owned()).filter(|about| ground.names(about));
        let supersedes = self.supersedes.and_then(|number| place(&number, material.known.len()));
        let supersedes = supersedes.filter(|place| ground.touch(&text, &material.known[*place], about.as_deref()));
        Some(Fact { text, about, sources, supersedes, confidence: TRUST * share })
    }
}

/// What a fact may be made of.
struct Ground {
    /// Of the turns that it is from.
    said: HashSet<String>,
    /// Of who speaks, of what was said before, of days: a fact may name them, but they do not make it true.
    around: HashSet<String>,
    speakers: HashSet<String>,
}

impl Ground {
    /// `None` without turns.
    fn of(material: &Material, sources: &[usize]) -> Option<Self> {
        let turns: Vec<&Turn> = sources.iter().filter_map(|place| material.turns.get(*place)).collect();
        if turns.is_empty() {
            return None;
        }
        let said = turns.iter().flat_map(|turn| parts(&turn.text)).collect();
        let mut around: HashSet<String> = parts(ROLES).collect();
        let mut speakers = HashSet::new();
        for turn in material.context.iter().chain(&material.turns) {
            around.extend(parts(&turn.speaker));
            speakers.extend(words(&turn.speaker));
            around.extend(parts(&turn.text));
        }
        for turn in turns {
            around.extend(parts(&turn.at.format("%-d %B %Y").to_string()));
            around.insert((turn.at.year() - 1).to_string());
        }
        Some(Self { said, around, speakers })
    }

    /// The share of the words that stand in the turns, of those that need to; `None` when a figure or a name comes out of
    /// nowhere, nothing needs to, or there is but one word.
    fn share(&self, text: &str) -> Option<f32> {
        let known = |word: &String| self.said.contains(word) || self.around.contains(word);
        if !figures(text).iter().chain(&names(text)).all(|token| parts(token).all(|part| known(&part))) {
            return None;
        }
        let (mut all, mut needed, mut found) = (0_u16, 0_u16, 0_u16);
        for word in words(text).into_iter().collect::<HashSet<_>>() {
            all += 1;
            if self.said.contains(&word) {
                (needed, found) = (needed + 1, found + 1);
            } else if !self.around.contains(&word) {
                needed += 1;
            }
        }
        (found > 0 && all >= LEAST_WORDS).then(|| f32::from(found) / f32::from(needed))
    }

    /// Whether a fact speaks of what a memory speaks of, beside who speaks and whom it is about: what takes the place of
    /// something else has something in common with it.
    fn touch(&self, text: &str, memory: &str, about: Option<&str>) -> bool {
        let people: HashSet<String> = words(about.unwrap_or_default()).into_iter().chain(words(ROLES)).collect();
        let memory: HashSet<String> = words(memory).into_iter().collect();
        let telling = |word: &String| !people.contains(word) && !self.speakers.contains(word);
        words(text).iter().any(|word| memory.contains(word) && telling(word))
    }

    fn names(&self, about: &str) -> bool {
        let length = about.chars().count();
        let known = |word: &String| self.said.contains(word) || self.around.contains(word);
        (1..=ABOUT_CHARS).contains(&length)
            && !about.contains(char::is_control)
            && parts(about).all(|part| known(&part))
    }
}

/// The words of a text as recall compares them, and all of its runs of letters and digits: a name may be a stop word.
fn parts(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()).map(str::to_lowercase);
    words(text).into_iter().chain(runs.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::*;

    fn turn(speaker: &str, text: &str) -> Turn {
        let at = DateTime::parse_from_rfc3339("2026-11-20T12:00:00Z").unwrap().to_utc();
        Turn { speaker: speaker.to_owned(), at, text: text.to_owned() }
    }

    fn material() -> Material {
        Material {
            context: vec![turn("assistant", "How is your sister Ana?")],
            turns: vec![
                turn("Caroline", "She got a dog, and I moved to Porto in 2025."),
                turn("assistant", "How nice! Do you still drink coffee?"),
                turn("Caroline", "No, I only drink green tea now."),
            ],
            known: vec!["Caroline lives in Lisbon.".to_owned(), "Caroline drinks coffee.".to_owned()],
        }
    }

    fn fact(text: &str, sources: &[i64], supersedes: Option<i64>) -> Value {
        json!({"text": text, "about": null, "source_turns": sources, "supersedes": supersedes})
    }

    fn believed(facts: &[Value]) -> Answered {
        read(&json!({"facts": facts}).to_string(), &material()).unwrap()
    }

    #[test]
    fn what_the_turns_say_is_believed() {
        for (text, sources, supersedes, expected) in [
            ("Caroline moved to Porto in 2025.", &[1][..], None, None),
            ("Ana got a dog", &[1], None, None),
            ("Caroline only drinks green tea.", &[3, 3, 2], Some(2), Some(1)),
            ("The user drinks green tea.", &[3], None, None),
        ] {
            let answered = believed(&[fact(text, sources, supersedes)]);
            assert_eq!(answered.dropped, 0, "{text}");
            assert_eq!(answered.facts[0].supersedes, expected, "{text}");
            assert!(answered.facts[0].confidence >= TRUST * GROUNDED, "{text}");
        }
    }

    #[test]
    fn what_is_made_up_is_not_believed() {
        for (text, sources) in [
            ("Caroline plays the guitar", &[1][..]),
            ("Caroline moved to Madrid.", &[1]),
            ("Caroline moved to Porto in 1999.", &[1]),
            ("Caroline moved to Porto.", &[3]),
            ("Caroline moved to Porto.", &[]),
            ("Caroline moved to Porto.", &[0]),
            ("Caroline moved to Porto.", &[1, 4]),
            ("Caroline moved to Porto.", &[-1]),
            ("Caroline moved to Porto.", &[i64::MAX]),
            ("Caroline", &[1]),
            ("Porto!", &[1]),
            ("I moved to Porto in 2025.", &[1]),
            ("Do you still drink coffee?", &[2]),
            (" ", &[1]),
            (&"Porto ".repeat(100), &[1]),
        ] {
            let answered = believed(&[fact(text, sources, None)]);
            assert_eq!((answered.facts, answered.dropped), (vec![], 1), "{text} {sources:?}");
        }
    }

    #[test]
    fn what_has_nothing_in_common_is_not_superseded() {
        for supersedes in [1, 0, 3, -2].map(Some) {
            let answered = believed(&[fact("Caroline drinks green tea.", &[3], supersedes)]);
            assert_eq!(answered.facts[0].supersedes, None);
        }
    }

    #[test]
    fn there_is_an_end_to_it() {
        let many = vec![fact("Caroline drinks green tea.", &[3], None); FACTS + 5];
        let answered = believed(&many);
        assert_eq!((answered.facts.len(), answered.dropped), (FACTS, 5));
    }

    #[test]
    fn whom_a_fact_is_about_was_named() {
        let about = |about: &str| {
            let raw = json!({"text": "Drinks green tea", "about": about, "source_turns": [3], "supersedes": null});
            believed(&[raw]).facts[0].about.clone()
        };
        assert_eq!(about(" Caroline ").as_deref(), Some("Caroline"));
        assert_eq!(about("user").as_deref(), Some("user"));
        assert_eq!(about("Donald"), None);
        assert_eq!(about(""), None);
    }

    #[test]
    fn what_is_no_answer_is_malformed() {
        for bad in
            ["", "Sure! Here you are", "[]", r#"{"facts":{}}"#, r#"{"facts":[{"text":"a"}]}"#, r#"{"facts":[],"x":1}"#]
        {
            assert!(read(bad, &material()).is_err(), "{bad}");
        }
        assert_eq!(read(" {\"facts\":[]}\n", &material()).unwrap(), Answered::default());
    }
}
