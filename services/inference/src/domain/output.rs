//! From the bytes of tokens to the text that a client may see: characters that are split over tokens are put together,
//! and whatever may become a stop text is held back until it is decided.

/// Puts characters together from pieces of UTF-8.
#[derive(Debug, Default)]
struct Utf8 {
    /// The beginning of a character, at most three bytes.
    rest: Vec<u8>,
}

impl Utf8 {
    /// Every character that is complete now. What can never become one is U+FFFD.
    fn push(&mut self, bytes: &[u8], text: &mut String) {
        self.rest.extend_from_slice(bytes);
        let mut from = 0;
        loop {
            let slice = self.rest.get(from..).unwrap_or_default();
            match std::str::from_utf8(slice) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.rest.clear();
                    return;
                }
                Err(error) => {
                    let valid = slice.get(..error.valid_up_to()).unwrap_or_default();
                    text.push_str(&String::from_utf8_lossy(valid));
                    from += error.valid_up_to();
                    let Some(broken) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    from += broken;
                }
            }
        }
        self.rest.drain(..from);
    }

    fn finish(&mut self, text: &mut String) {
        if !self.rest.is_empty() {
            self.rest.clear();
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Text to send; may be empty.
    Text(String),
    /// A stop text was met; this is the last of the answer before it.
    Stopped(String),
}

/// The text of one answer, piece by piece.
#[derive(Debug)]
pub struct Output {
    utf8: Utf8,
    /// Not empty strings.
    stop: Vec<String>,
    /// Text that is not sent yet: it may be the beginning of a stop text.
    held: String,
    /// Still at the beginning, where white space is dropped.
    trimming: bool,
}

impl Output {
    /// `trim` drops white space at the beginning of the answer. Stop texts are looked for after that.
    pub fn new(stop: Vec<String>, trim: bool) -> Self {
        let stop = stop.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { utf8: Utf8::default(), stop, held: String::new(), trimming: trim }
    }

    /// Takes the bytes of one token.
    pub fn push(&mut self, bytes: &[u8]) -> Pushed {
        let mut text = String::new();
        self.utf8.push(bytes, &mut text);
        self.take(&text)
    }

    /// The model is done: whatever was held back is text after all.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        self.utf8.finish(&mut text);
        match self.take(&text) {
            Pushed::Stopped(text) => text,
            Pushed::Text(text) => text + &std::mem::take(&mut self.held),
        }
    }

    fn take(&mut self, text: &str) -> Pushed {
        let text = if self.trimming { text.trim_start() } else { text };
        self.trimming &= text.is_empty();
        self.held.push_str(text);
        if let Some(end) = self.stop.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(end);
            return Pushed::Stopped(std::mem::take(&mut self.held));
        }
        let keep = self.stop.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or_default();
        let kept = self.held.split_off(self.held.len() - keep);
        Pushed::Text(std::mem::replace(&mut self.held, kept))
    }
}

/// Bytes at the end of `text` that begin `stop`, the most there are.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    (1..=longest)
        .rev()
        .find(|&n| stop.is_char_boundary(n) && text.as_bytes().ends_with(&stop.as_bytes()[..n]))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a client sees when the bytes come in these pieces, and whether a stop text ended it.
    fn all(stop: &[&str], pieces: &[&[u8]]) -> (String, bool) {
        let mut output = Output::new(stop.iter().map(|s| (*s).to_owned()).collect(), false);
        let mut seen = String::new();
        for piece in pieces {
            match output.push(piece) {
                Pushed::Text(text) => seen.push_str(&text),
                Pushed::Stopped(text) => return (seen + &text, true),
            }
        }
        (seen + &output.finish(), false)
    }

    #[test]
    fn a_character_that_is_split_comes_whole() {
        let grin = "😀".as_bytes();
        let mut output = Output::new(Vec::new(), false);
        assert_eq!(output.push(&grin[..2]), Pushed::Text(String::new()));
        assert_eq!(output.push(&grin[2..]), Pushed::Text("😀".into()));
    }

    #[test]
    fn what_is_no_character_is_replaced_and_what_follows_is_kept() {
        assert_eq!(all(&[], &[b"a\xff\xfeb", b"c"]).0, "a\u{fffd}\u{fffd}bc");
        assert_eq!(all(&[], &[b"a\xf0\x9f"]).0, "a\u{fffd}", "cut off at the end");
    }

    #[test]
    fn the_beginning_of_a_stop_text_is_held_back_until_it_is_decided() {
        let mut output = Output::new(vec!["\nQuestion:".into()], false);
        assert_eq!(output.push(b"Oslo\nQues"), Pushed::Text("Oslo".into()));
        assert_eq!(output.push(b"t is a word"), Pushed::Text("\nQuest is a word".into()));
        assert_eq!(output.push(b".\nQuestion"), Pushed::Text(".".into()));
        assert_eq!(output.push(b": next"), Pushed::Stopped(String::new()));
    }

    #[test]
    fn the_earliest_stop_text_counts() {
        assert_eq!(all(&["def", "cd"], &[b"abcdefg"]), ("ab".into(), true));
        assert_eq!(all(&["xyz", ""], &[b"abc"]), ("abc".into(), false), "an empty stop text is none");
    }

    #[test]
    fn white_space_at_the_beginning_is_dropped_when_asked() {
        let mut output = Output::new(vec!["\n".into()], true);
        assert_eq!(output.push(b" \n"), Pushed::Text(String::new()));
        assert_eq!(output.push(b"  Pa"), Pushed::Text("Pa".into()));
        assert_eq!(output.push(b"ris is\n"), Pushed::Stopped("ris is".into()));
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_split_makes_no_difference(
            text in "[ab é😀]{0,40}",
            stop in prop::collection::vec("[ab é]{1,4}", 0..3),
            cuts in prop::collection::vec(0_usize..80, 0..10),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let stop: Vec<&str> = stop.iter().map(String::as_str).collect();
            // One byte at a time is where an early decision would show: the first stop text to be complete ends the answer.
            let end = (0..=text.len())
                .filter(|&n| text.is_char_boundary(n))
                .find_map(|n| stop.iter().filter_map(|s| text[..n].find(s)).min());
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let (seen, stopped) = all(&stop, &single);
            prop_assert_eq!(&seen, end.map_or(text.as_str(), |end| &text[..end]));
            prop_assert_eq!(stopped, end.is_some());
            // Larger pieces can only find a stop text that begins earlier.
            let (whole, stopped_too) = all(&stop, &pieces);
            prop_assert_eq!(stopped, stopped_too);
            prop_assert!(seen.starts_with(&whole));
        }
    }
}
