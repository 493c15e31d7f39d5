//! JSON, and values that follow one another (NDJSON): the scalars of an object are one record under the keys that lead to
//! it. It is read as it streams by; a tree of values would take many times the memory of the document.

use std::fmt::{self, Display, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{BlockKind, Format, Refused, collect::Collector};

/// Numbers and texts outside of an object come one a line; so many bytes of them are one record.
const RECORD_BYTES: usize = 4 << 10;

pub(super) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Refused> {
    let mut walk = Walk { out, keys: Vec::new(), pending: String::new(), key: None, refused: None };
    let mut input = serde_json::Deserializer::from_str(text);
    loop {
        // serde_json refuses what is nested more than 128 deep, so the recursion ends.
        if (&mut walk).deserialize(&mut input).is_err() {
            return Err(walk.refused.unwrap_or(Refused::Malformed(Format::Json)));
        }
        walk.flush()?;
        if input.end().is_ok() {
            return Ok(());
        }
    }
}

struct Walk<'w, 'l> {
    out: &'w mut Collector<'l>,
    /// To the object or array that is being read.
    keys: Vec<String>,
    /// Scalars that are not yet in a record.
    pending: String,
    /// Of the value that comes next, if that is in an object.
    key: Option<String>,
    /// Why reading was given up: the errors of serde carry only text.
    refused: Option<Refused>,
}

impl Walk<'_, '_> {
    fn scalar<E: Error>(&mut self, value: impl Display) -> Result<(), E> {
        let done = self.add(value);
        self.carry(done)
    }

    fn add(&mut self, value: impl Display) -> Result<(), Refused> {
        let start = self.pending.len();
        // Writing to a text cannot fail.
        let _ = match self.key.take() {
            Some(key) => writeln!(self.pending, "{key}: {value}"),
            None => writeln!(self.pending, "{value}"),
        };
        self.out.has_room_for(&self.pending)?;
        if start > RECORD_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Refused> {
        self.out.push_under(&self.keys, BlockKind::Record, &self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// Goes into an object or array, and says whether it has a key of its own.
    fn enter<E: Error>(&mut self) -> Result<bool, E> {
        let key = self.key.take();
        let flushed = self.flush();
        self.carry(flushed)?;
        let named = key.is_some();
        self.keys.extend(key);
        Ok(named)
    }

    fn leave<E: Error>(&mut self, named: bool) -> Result<(), E> {
        let flushed = self.flush();
        self.carry(flushed)?;
        if named {
            self.keys.pop();
        }
        Ok(())
    }

    fn carry<E: Error>(&mut self, done: Result<(), Refused>) -> Result<(), E> {
        done.map_err(|refused| {
            self.refused = Some(refused);
            E::custom(refused)
        })
    }
}

impl<'de> DeserializeSeed<'de> for &mut Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.key = None;
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        if value.is_empty() { self.visit_unit() } else { self.scalar(value) }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let named = self.enter()?;
        while let Some(key) = map.next_key::<String>()? {
            self.key = Some(key);
            map.next_value_seed(&mut *self)?;
        }
        self.leave(named)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        let named = self.enter()?;
        while seq.next_element_seed(&mut *self)?.is_some() {}
        self.leave(named)
    }
}
