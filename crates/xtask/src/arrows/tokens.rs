//! Just enough of Rust's lexer: words and punctuation with their lines, without comments, strings and numbers.

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    /// `::`
    Colons,
    Mark(char),
}

/// The tokens of `text` and the line of each, counted from 1.
pub fn tokens(text: &str) -> Vec<(Token, usize)> {
    let mut lexer = Lexer { rest: text, line: 1, found: Vec::new() };
    while lexer.step() {}
    lexer.found
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    found: Vec<(Token, usize)>,
}

impl Lexer<'_> {
    /// Reads one thing; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip(block_comment(self.rest));
        } else if let Some(length) = string(self.rest) {
            self.skip(length);
        } else if first == '\'' {
            self.skip(quote(self.rest));
        } else if first.is_alphabetic() || first == '_' {
            let raw = if self.rest.starts_with("r#") { 2 } else { 0 };
            let length = raw + word(self.rest.get(raw..).unwrap_or_default());
            let text = self.rest.get(raw..length).unwrap_or_default().to_owned();
            self.found.push((Token::Word(text), self.line));
            self.skip(length);
        } else if first.is_ascii_digit() {
            self.skip(word(self.rest));
        } else if self.rest.starts_with("::") {
            self.found.push((Token::Colons, self.line));
            self.skip(2);
        } else {
            if !first.is_whitespace() {
                self.found.push((Token::Mark(first), self.line));
            }
            self.skip(first.len_utf8());
        }
        true
    }

    fn skip(&mut self, bytes: usize) {
        let (skipped, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }
}

/// Length of the letters, digits and underscores that `text` begins with.
fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Length of the block comment that `text` begins with. They nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of the string literal that `text` begins with: `"…"`, `r#"…"#`, with or without `b` or `c` before it.
fn string(text: &str) -> Option<usize> {
    let prefix = text.len() - text.trim_start_matches(['b', 'c', 'r']).len();
    if prefix > 2 {
        return None;
    }
    let (letters, rest) = text.split_at(prefix);
    if letters.ends_with('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let body = rest.get(hashes..)?.strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(prefix + hashes + 1 + length);
    }
    let body = rest.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix + 1 + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// Length of the character literal or the lifetime that `text` begins with.
fn quote(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            // The escaped character itself may be a quote.
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(text.len(), |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let word = |(token, _)| if let Token::Word(word) = token { Some(word) } else { None };
        tokens(text).into_iter().filter_map(word).collect()
    }

    #[test]
    fn comments_and_literals_are_no_words() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
        assert_eq!(words(r#"a "b \" c" d b"e" f c"g" h"#), ["a", "d", "f", "h"]);
        assert_eq!(words("a r\"b\" c r#\"d \" e\"# f br##\"g\"# h\"## i"), ["a", "c", "f", "i"]);
        assert_eq!(words(r"a 'b' c '\'' d '\n' e '\u{1F600}' f '/' g 'ü' h"), ["a", "c", "d", "e", "f", "g", "h"]);
        assert_eq!(words("a 12_u8 b 0xff c 1.5e3 d"), ["a", "b", "c", "d"]);
    }

    #[test]
    fn lifetimes_labels_and_raw_words_are_read_through() {
        assert_eq!(
            words("fn f<'a>(x: &'a str) { 'outer: loop {} }"),
            ["fn", "f", "a", "x", "a", "str", "outer", "loop"]
        );
        assert_eq!(words("r#type brand crate_x rb"), ["type", "brand", "crate_x", "rb"]);
    }

    #[test]
    fn lines_count_through_everything() {
        let lines: Vec<usize> = tokens("a\n\"x\ny\"\n/*\n*/ b // c\nd").into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, [1, 5, 6]);
    }

    #[test]
    fn what_never_ends_ends_with_the_file() {
        for text in ["a \"b", "a /* b", "a r#\"b", "a '\\", "a '", "a b\""] {
            assert_eq!(words(text).first().map(String::as_str), Some("a"), "{text}");
        }
    }
}
