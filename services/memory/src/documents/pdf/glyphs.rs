//! What the codes in a shown string mean. A font's `ToUnicode` map comes first, its encoding second.
//!
//! lopdf reads only maps that are written exactly as in the specification's example, and writes down every code of a range:
//! a line of text makes it ask for gigabytes. So maps are read here.

use std::collections::BTreeMap;

use lopdf::{Dictionary, Document, Encoding, Object};

/// Entries that are kept of one map; a font has no more glyphs.
const ENTRIES: usize = 1 << 16;
/// UTF-16 units that one code can mean: a ligature or two.
const UNITS: usize = 16;

pub(super) struct Glyphs<'d> {
    map: Option<ToUnicode>,
    encoding: Option<Encoding<'d>>,
}

impl<'d> Glyphs<'d> {
    /// Of a font; what it expands to is at most `expanded_bytes`.
    pub(super) fn of(font: &'d Dictionary, document: &'d Document, expanded_bytes: usize) -> Self {
        let stream = font.get_deref(b"ToUnicode", document).and_then(Object::as_stream).ok();
        let content = stream.and_then(|stream| stream.get_plain_content_with_limit(expanded_bytes).ok());
        let map = content.map(|content| ToUnicode::parse(&content)).filter(|map| !map.entries.is_empty());
        // Without an encoding of its own lopdf would go for the map again.
        let own = font.get_deref(b"Encoding", document).is_ok_and(|encoding| match encoding {
            Object::Name(name) => !name.starts_with(b"Identity"),
            Object::Dictionary(encoding) => {
                !encoding.get(b"BaseEncoding").and_then(Object::as_name).is_ok_and(|name| name.starts_with(b"Identity"))
            }
            _ => false,
        });
        let encoding = if own || stream.is_none() {
            font.get_font_encoding_with_limit(document, expanded_bytes).ok()
        } else {
            None
        };
        Self { map, encoding }
    }

    /// Adds what `codes` mean. What has no meaning is left out.
    pub(super) fn write(&self, codes: &[u8], into: &mut String) {
        let Some(map) = &self.map else {
            self.encode(codes, into);
            return;
        };
        let mut rest = codes;
        while !rest.is_empty() {
            let found = map.lengths().find_map(|length| Some((length, map.get(rest.get(..length)?)?)));
            let length = if let Some((length, units)) = found {
                into.extend(char::decode_utf16(units).filter_map(Result::ok));
                length
            } else {
                let length = map.lengths().next().unwrap_or(1).min(rest.len());
                self.encode(&rest[..length], into);
                length
            };
            rest = &rest[length..];
        }
    }

    fn encode(&self, codes: &[u8], into: &mut String) {
        if let Some(encoding) = &self.encoding {
            // An encoding that is not known to lopdf gives no text.
            let _ = encoding.write_to_string(codes, into);
        }
    }
}

/// A map from codes to UTF-16 (ISO 32000-1, 9.10.3).
#[derive(Default)]
struct ToUnicode {
    /// From the length in bytes and the value of the first code of a range to its last one and what the first one means;
    /// the last unit counts on.
    entries: BTreeMap<(usize, u32), (u32, Vec<u16>)>,
    used_lengths: [bool; 4],
}

impl ToUnicode {
    fn parse(content: &[u8]) -> Self {
        let mut map = Self::default();
        let mut operands: Vec<Vec<u8>> = Vec::new();
        // Where the list of a range begins among the operands.
        let mut list = None;
        for token in Tokens(content) {
            match token {
                Token::Hex(bytes) if operands.len() <= ENTRIES => operands.push(bytes),
                Token::Hex(_) => {}
                Token::Open => list = Some(operands.len()),
                Token::Close => {
                    let targets = operands.split_off(list.take().unwrap_or(operands.len()).min(operands.len()));
                    operands.pop();
                    if let Some(first) = operands.pop() {
                        for (n, target) in (0_u32..).zip(&targets) {
                            map.insert(first.len(), value(&first).saturating_add(n), 0, target);
                        }
                    }
                }
                Token::Word(word) => {
                    match word {
                        b"endbfchar" => {
                            for pair in operands.chunks_exact(2) {
                                map.insert(pair[0].len(), value(&pair[0]), 0, &pair[1]);
                            }
                        }
                        b"endbfrange" => {
                            for range in operands.chunks_exact(3) {
                                let more = value(&range[1]).saturating_sub(value(&range[0]));
                                map.insert(range[0].len(), value(&range[0]), more, &range[2]);
                            }
                        }
                        _ => {}
                    }
                    operands.clear();
                }
            }
        }
        map
    }

    /// `code` and `more` codes after it mean `target` and what follows that.
    fn insert(&mut self, length: usize, code: u32, more: u32, target: &[u8]) {
        if let (1..=4, true) = (length, self.entries.len() < ENTRIES) {
            let units =
                target.chunks(2).take(UNITS).map(|unit| unit.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
            self.entries.insert((length, code), (code.saturating_add(more), units.collect()));
            self.used_lengths[length - 1] = true;
        }
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        (1..=4).filter(|length| self.used_lengths[length - 1])
    }

    fn get(&self, code: &[u8]) -> Option<Vec<u16>> {
        let (length, code) = (code.len(), value(code));
        let ((_, first), (last, units)) = self.entries.range((length, 0)..=(length, code)).next_back()?;
        let mut units = units.clone();
        if let Some(unit) = units.last_mut() {
            *unit = unit.wrapping_add(u16::try_from(code - first).ok()?);
        }
        (code <= *last).then_some(units)
    }
}

/// Of a code of up to four bytes; more are not told apart.
fn value(code: &[u8]) -> u32 {
    code.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

enum Token<'c> {
    Hex(Vec<u8>),
    Open,
    Close,
    Word(&'c [u8]),
}

/// The tokens of a map, as far as they are of use.
struct Tokens<'c>(&'c [u8]);

impl<'c> Iterator for Tokens<'c> {
    type Item = Token<'c>;

    fn next(&mut self) -> Option<Token<'c>> {
        loop {
            let (&first, rest) = self.0.split_first()?;
            match first {
                b'[' | b']' => {
                    self.0 = rest;
                    return Some(if first == b'[' { Token::Open } else { Token::Close });
                }
                b'<' if rest.first() != Some(&b'<') => {
                    let end = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
                    self.0 = rest.get(end + 1..).unwrap_or_default();
                    return Some(Token::Hex(hex(&rest[..end])));
                }
                b'%' => {
                    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
                    self.0 = &rest[end..];
                }
                first if first.is_ascii_alphabetic() => {
                    let end = self.0.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(self.0.len());
                    let (word, rest) = self.0.split_at(end);
                    self.0 = rest;
                    return Some(Token::Word(word));
                }
                _ => self.0 = rest,
            }
        }
    }
}

fn hex(digits: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = digits.iter().filter_map(digit).take(UNITS * 4).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or_default()).collect()
}
