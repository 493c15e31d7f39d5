//! When two facts say the same.

use std::collections::BTreeSet;

use crate::domain::memory::text_hash;

/// Vectors that are nearer than this are of sentences that say the same in other words; with other figures, names or
/// negations they do not, however near they are. Of 23 pairs, embedded by the bundled model, none that differs in anything else
/// came nearer than 0.937 ("started the project", "finished the project"): a fact twice is better than one that is lost.
pub const SAME_COSINE: f64 = 0.95;

/// Words that turn a sentence into its contrary.
const NEGATIONS: &str =
    "not no never none nobody nothing neither nor without cannot stopped quit nicht kein keine keinen nie ohne";

/// Whether `new` says nothing that `old` does not say. `cosine` is that of their vectors, if both are known.
pub fn is_same(new: &str, old: &str, cosine: Option<f64>) -> bool {
    text_hash(new) == text_hash(old)
        || cosine.is_some_and(|cosine| cosine >= SAME_COSINE)
            && figures(new) == figures(old)
            && names(new) == names(old)
            && negations(new) == negations(old)
}

/// What has a digit in it.
pub fn figures(text: &str) -> BTreeSet<String> {
    tokens(text).filter(|token| token.contains(|c: char| c.is_ascii_digit())).map(str::to_lowercase).collect()
}

/// What begins with a capital, but for the first word, in lower case.
pub fn names(text: &str) -> BTreeSet<String> {
    let capital = |token: &&str| token.starts_with(char::is_uppercase) && *token != "I";
    tokens(text).skip(1).filter(capital).map(str::to_lowercase).collect()
}

fn negations(text: &str) -> usize {
    let lower = text.to_lowercase().replace('’', "'");
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words.filter(|word| word.ends_with("n't") || NEGATIONS.split(' ').any(|negation| negation == *word)).count()
}

/// Runs of letters and digits. A figure keeps the point or comma within it.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| !c.is_alphanumeric() && !matches!(c, '.' | ',');
    text.split(ends).map(|token| token.trim_matches(['.', ','])).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_not_enough() {
        let near = Some(0.99);
        assert!(is_same("lives in  LISBON", "Lives in Lisbon.", None));
        assert!(is_same("Caroline lives in Lisbon", "Caroline resides in Lisbon", near));
        assert!(!is_same("Caroline lives in Lisbon", "Caroline resides in Lisbon", Some(0.94)));
        assert!(!is_same("Caroline lives in Lisbon", "Caroline resides in Lisbon", None));
        for (new, old) in [
            ("Caroline lives in Porto", "Caroline lives in Lisbon"),
            ("Has 2 dogs", "Has 3 dogs"),
            ("The rent is 1.200 euros", "The rent is 1.300 euros"),
            ("Caroline likes tea", "Caroline doesn't like tea"),
            ("Caroline likes tea", "Caroline does not like tea"),
        ] {
            assert!(!is_same(new, old, near), "{new} / {old}");
        }
    }

    #[test]
    fn figures_and_names_are_found() {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(figures("Owes 1,200.50 since May 3rd, 2026."), set(&["1,200.50", "3rd", "2026"]));
        assert_eq!(names("Caroline and I met Ana Sousa in Porto."), set(&["ana", "sousa", "porto"]));
    }
}
