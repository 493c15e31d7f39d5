//! Cuts of a long text into pieces that are read on their own.

/// The sentences of `text` with the white space after them: put together again they are the text. A line ends a sentence,
/// unless the next one goes on in lower case.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    pieces(text, |before, space, after| {
        let closed = before.trim_end_matches(['"', '\'', ')', ']', '”', '’', '»']);
        closed.ends_with(['.', '!', '?', '…', '。', '！', '？', '।', '؟'])
            || space.contains('\n') && !after.starts_with(char::is_lowercase)
    })
}

/// The words of `text` with the white space after them.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    pieces(text, |_, _, _| true)
}

/// Cuts after white space where `ends` says so, given what is before the white space (since the last one), the white space
/// itself, and what is after it. Scripts without spaces are cut after their own full stops too.
fn pieces(text: &str, ends: impl Fn(&str, &str, &str) -> bool) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut at = 0;
        let end = loop {
            let after = &rest[at..];
            let Some(word) = after.find(|c: char| c.is_whitespace() || is_full_stop(c)) else { break rest.len() };
            if let Some(stop) = after[word..].chars().next().filter(|c| is_full_stop(*c)) {
                break at + word + stop.len_utf8();
            }
            let space = after[word..].find(|c: char| !c.is_whitespace()).unwrap_or(after.len() - word);
            if ends(&after[..word], &after[word..word + space], &after[word + space..]) {
                break at + word + space;
            }
            at += word + space;
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// Marks after which no space is written.
fn is_full_stop(c: char) -> bool {
    matches!(c, '。' | '！' | '？')
}
