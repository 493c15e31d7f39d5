//! Server-sent events, read as they arrive (WHATWG HTML, section 9.2.6 "Interpreting an event stream").
//!
//! Bytes may be split anywhere: inside a line, a line break, a character. The one deviation from the standard is the end:
//! an event whose closing blank line is missing counts, because several servers leave it out.

use super::{Failure, Kind};

/// One event or one unfinished line is never larger. What providers send is a few hundred bytes; whole images come in
/// other ways.
const EVENT_BYTES: usize = 1 << 20;

/// What a line or a group of them says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// `name` is empty when the server gave none.
    Event { name: String, data: String },
    /// A comment: the other side is alive.
    Heartbeat,
}

/// The parser.
#[derive(Debug, Default)]
pub(super) struct Sse {
    /// Bytes not looked at, or of a line without its end.
    rest: Vec<u8>,
    /// How much of `rest` is already taken.
    taken: usize,
    /// How far `rest` was searched for a line's end.
    searched: usize,
    /// The last line ended with CR, so an LF right now belongs to it.
    after_cr: bool,
    /// The first line has been read, so no byte order mark can follow.
    begun: bool,
    name: String,
    data: String,
    has_data: bool,
}

impl Sse {
    /// More bytes from the wire.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.rest.drain(..self.taken);
            self.searched -= self.taken;
            self.taken = 0;
        }
        self.rest.extend_from_slice(bytes);
    }

    /// The next item that is whole; `None` until more bytes come.
    pub(super) fn next(&mut self) -> Result<Option<Item>, Failure> {
        while let Some(line) = self.line() {
            if let Some(item) = self.take_line(line)? {
                return Ok(Some(item));
            }
        }
        if self.rest.len() - self.taken > EVENT_BYTES { Err(too_large()) } else { Ok(None) }
    }

    /// What is left when no more bytes come.
    pub(super) fn finish(&mut self) -> Result<Option<Item>, Failure> {
        if self.taken < self.rest.len() {
            let line = self.rest.len();
            let range = (self.taken, line);
            (self.taken, self.searched) = (line, line);
            if let Some(item) = self.take_line(range)? {
                return Ok(Some(item));
            }
        }
        Ok(self.dispatch())
    }

    /// The next whole line, without its end, as a range of `rest`.
    fn line(&mut self) -> Option<(usize, usize)> {
        if self.after_cr && self.taken < self.rest.len() {
            self.after_cr = false;
            if self.rest[self.taken] == b'\n' {
                self.taken += 1;
            }
        }
        let from = self.searched.max(self.taken);
        let Some(found) = self.rest[from..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.rest.len();
            return None;
        };
        let line = (self.taken, from + found);
        self.after_cr = self.rest[line.1] == b'\r';
        self.taken = line.1 + 1;
        self.searched = self.taken;
        Some(line)
    }

    fn take_line(&mut self, (start, end): (usize, usize)) -> Result<Option<Item>, Failure> {
        let bytes = &self.rest[start..end];
        let bytes = if self.begun { bytes } else { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) };
        self.begun = true;
        let line =
            std::str::from_utf8(bytes).map_err(|_| Failure::new(Kind::Malformed).caused_by("an event is not UTF-8"))?;
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => return Ok(Some(Item::Heartbeat)),
            "data" => {
                if self.data.len() + value.len() > EVENT_BYTES {
                    return Err(too_large());
                }
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
            }
            "event" => value.clone_into(&mut self.name),
            // `id`, `retry` and whatever else there may be: nobody reconnects here.
            _ => {}
        }
        Ok(None)
    }

    fn dispatch(&mut self) -> Option<Item> {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        std::mem::take(&mut self.has_data).then_some(Item::Event { name, data })
    }
}

fn too_large() -> Failure {
    Failure::new(Kind::Malformed).caused_by("an event is larger than 1 MiB")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(name: &str, data: &str) -> Item {
        Item::Event { name: name.into(), data: data.into() }
    }

    /// Feeds the pieces one by one, as a connection would.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Item>, Failure> {
        let (mut sse, mut items) = (Sse::default(), Vec::new());
        for piece in pieces {
            sse.push(piece);
            while let Some(item) = sse.next()? {
                items.push(item);
            }
        }
        items.extend(sse.finish()?);
        Ok(items)
    }

    #[test]
    fn every_form_of_the_standard_is_read() {
        for (text, items) in [
            ("data: a\n\ndata: b\n\n", vec![event("", "a"), event("", "b")]),
            ("data:a\r\n\r\ndata:b\r\n\r\n", vec![event("", "a"), event("", "b")]),
            ("data: a\r\rdata: b\r\r", vec![event("", "a"), event("", "b")]),
            ("\u{feff}data: a\n\n", vec![event("", "a")]),
            ("event: x\ndata: a\n\ndata: b\n\n", vec![event("x", "a"), event("", "b")]),
            ("data: a\ndata:  b\ndata\n\n", vec![event("", "a\n b\n")]),
            (": alive\n\n:\ndata: a\n\n", vec![Item::Heartbeat, Item::Heartbeat, event("", "a")]),
            ("id: 1\nretry: 5\nnonsense\n\n", vec![]),
            ("event: only a name\n\n", vec![]),
            ("data: a: b\n\n", vec![event("", "a: b")]),
            ("data: a\n\ndata: no blank line\n", vec![event("", "a"), event("", "no blank line")]),
            ("data: a\n\ndata: no line end", vec![event("", "a"), event("", "no line end")]),
            ("\n\n\n", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(read([text.as_bytes()]).unwrap(), items, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_text_or_too_much_of_it_is_refused() {
        assert_eq!(read([b"data: \xff\n\n".as_slice()]).unwrap_err().kind, Kind::Malformed);
        let endless_line = vec![b'a'; EVENT_BYTES + 1];
        assert_eq!(read([endless_line.as_slice()]).unwrap_err().kind, Kind::Malformed);
        let endless_event = "data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(20_000);
        assert_eq!(read([endless_event.as_bytes()]).unwrap_err().kind, Kind::Malformed);
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_split_does_not_matter(
            lines in prop::collection::vec("(data|event|:|id|da)?:? ?[aé€😀:]{0,5}(\r\n|\n|\r|\n\n|\r\n\r\n|\r\r)", 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let text = lines.concat();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                pieces.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            let whole = read([text.as_bytes()]).unwrap();
            prop_assert_eq!(read(pieces).unwrap(), whole.clone());
            prop_assert_eq!(read(text.as_bytes().chunks(1)).unwrap(), whole);
        }
    }
}
