//! Which passwords are taken. Length and guessability only, no composition rules (NIST SP 800-63B section 3.1.1.2).
//!
//! A password is the characters that were sent, unnormalized: two ways to compose one accented letter are two passwords.
//! Normalizing later would lock out whoever chose one before, so the simple rule is the permanent one.

use kit::Secret;
use zxcvbn::Score;

/// Fewest characters (Unicode scalar values).
pub const MIN_CHARS: usize = 12;
/// Most characters; bounds the work of judging and hashing.
pub const MAX_CHARS: usize = 256;

/// Below it an estimated 10^8 guesses find the password. That is the line at which zxcvbn calls a password safe against
/// an attack on a slow hash, and Argon2id is one. Score 4 would refuse ordinary four-word passphrases.
const MIN_SCORE: Score = Score::Three;

/// Everybody's context, beside their own name and address.
const PRODUCT: &str = "brainops";

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    #[error("has fewer than {MIN_CHARS} characters")]
    TooShort,
    #[error("has more than {MAX_CHARS} characters")]
    TooLong,
    #[error("is too easy to guess: it is common, follows a pattern, or is made of your name or address")]
    TooGuessable,
}

impl Weak {
    /// For the field error.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::TooGuessable => "too_guessable",
        }
    }
}

/// Judges a new password of somebody with this address and name. Takes some milliseconds of CPU time.
///
/// The words of the context count as known to the attacker, beside zxcvbn's lists of common passwords, names and words:
/// a password may contain one, but must be strong without it.
pub fn judge(password: &Secret<String>, email: &str, display_name: &str) -> Result<(), Weak> {
    let text = password.expose();
    match text.chars().count() {
        n if n < MIN_CHARS => return Err(Weak::TooShort),
        n if n > MAX_CHARS => return Err(Weak::TooLong),
        _ => {}
    }
    let context = context(email, display_name);
    let words: Vec<&str> = context.iter().map(String::as_str).collect();
    let strong = |text: &str| zxcvbn::zxcvbn(text, &words).score() >= MIN_SCORE;
    if strong(text) && strong(&without(text, &context)) { Ok(()) } else { Err(Weak::TooGuessable) }
}

/// What somebody who knows the person would try first, the longest first.
fn context(email: &str, display_name: &str) -> Vec<String> {
    let (name, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let whole = [email, name, domain, display_name, PRODUCT].into_iter();
    let parts = [name, domain, display_name].into_iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    // Shorter pieces match by chance inside of strong passwords.
    let mut words: Vec<_> =
        whole.chain(parts).filter(|word| word.chars().count() >= 3).map(str::to_lowercase).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
}

/// The password without the words of the context, forwards and backwards. zxcvbn gives credit for putting words one after
/// the other, which is worth nothing when the words are those.
fn without(password: &str, context: &[String]) -> String {
    context.iter().fold(password.to_lowercase(), |rest, word| {
        let backwards: String = word.chars().rev().collect();
        rest.replace(word, "").replace(&backwards, "")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge_for_jane(password: &str) -> Result<(), Weak> {
        judge(&Secret::new(password.to_owned()), "jane.doolittle@example.com", "Jane Doolittle")
    }

    #[test]
    fn strong_passwords_are_taken_whatever_they_are_made_of() {
        for good in ["vexing quilt marmalade tundra", "xK9#pQ2$vL5n", "ünïcödé wört schlange", &"q7Zr!m2W".repeat(32)]
        {
            assert_eq!(judge_for_jane(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_context_word_inside_a_strong_password_does_no_harm() {
        assert_eq!(judge_for_jane("vexing jane marmalade tundra"), Ok(()));
        assert_eq!(judge_for_jane("brainops-Xk29fkq0zz3"), Ok(()));
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(judge_for_jane("xK9#pQ2$vL5"), Err(Weak::TooShort));
        assert_eq!(judge_for_jane("ÄÖÜäöü"), Err(Weak::TooShort));
        assert_eq!(judge_for_jane(&"ä".repeat(257)), Err(Weak::TooLong));
    }

    #[test]
    fn common_passwords_and_patterns_are_refused() {
        for bad in [
            "password1234",
            "P@ssw0rd1234",
            "123456789012",
            "qwertyuiop123",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "iloveyou12345",
        ] {
            assert_eq!(judge_for_jane(bad), Err(Weak::TooGuessable), "{bad}");
        }
    }

    #[test]
    fn context_words_do_not_make_a_password() {
        for bad in [
            "jane.doolittle",
            "doolittle2026",
            "janedoolittle1",
            "brainops2026!",
            "BrainOpsBrainOps",
            "elttilood.enaj",
            "JaneDoolittleExample",
            "example.com-2026",
        ] {
            assert_eq!(judge_for_jane(bad), Err(Weak::TooGuessable), "{bad}");
        }
    }
}
