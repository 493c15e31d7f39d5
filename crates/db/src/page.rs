//! Keyset paging with opaque cursors. A cursor holds where the last page ended, signed together with the list it belongs
//! to, so that one from another list, another filter or another tenant is refused like a forged one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// Bumped when the form of cursors changes; older ones are refused then.
const VERSION: u8 = 1;
const MAC_BYTES: usize = blake3::OUT_LEN;
/// Longer texts are refused unread.
const LONGEST: usize = 1024;

/// Signs and checks cursors with a key of the service.
#[derive(Clone)]
pub struct Signer {
    key: [u8; blake3::KEY_LEN],
}

/// What a cursor is bound to: a list, its order, its filters, its organization.
#[derive(Clone, Debug)]
pub struct List(Vec<u8>);

/// A page of a list, and where the next begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last page.
    pub next_cursor: Option<String>,
}

impl List {
    /// The list's name, unique in the service: `projects`.
    pub fn new(name: &str) -> Self {
        Self(Vec::new()).with(name.as_bytes())
    }

    /// Ordered by this: `created_at desc, id`.
    #[must_use]
    pub fn sorted(self, order: &str) -> Self {
        self.with(b"sorted").with(order.as_bytes())
    }

    /// Restricted by this: a filter, the organization, the parent. Call it once for each, always in the same order.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "ids, texts and numbers are given as they are at hand")]
    pub fn within(self, name: &str, value: impl ToString) -> Self {
        self.with(name.as_bytes()).with(value.to_string().as_bytes())
    }

    /// With its length in front, so that no two different lists run together to the same bytes.
    fn with(mut self, part: &[u8]) -> Self {
        self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.0.extend_from_slice(part);
        self
    }
}

impl Signer {
    /// A signer whose key is derived from `secret`, which must be the same in every replica.
    pub fn new(secret: &[u8]) -> Self {
        Self { key: blake3::derive_key("brainops 2026 page cursor", secret) }
    }

    /// The cursor for a position: the sort key of a page's last row, such as `(created_at, id)`.
    ///
    /// # Errors
    /// [`Error::Json`] when `position` cannot be written as JSON.
    pub fn encode<P: Serialize>(&self, list: &List, position: &P) -> Result<String, Error> {
        let position = serde_json::to_vec(position)?;
        let mut bytes = Vec::with_capacity(1 + MAC_BYTES + position.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(self.mac(list, &position).as_bytes());
        bytes.extend_from_slice(&position);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position in a cursor that this signer made for this list.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for anything else.
    pub fn decode<P: DeserializeOwned>(&self, list: &List, cursor: &str) -> Result<P, Error> {
        self.position(list, cursor)
            .and_then(|position| serde_json::from_slice(&position).ok())
            .ok_or(Error::InvalidCursor)
    }

    /// Like [`decode`](Self::decode) for the optional cursor of a request; `None` begins at the beginning.
    pub fn decode_optional<P: DeserializeOwned>(&self, list: &List, cursor: Option<&str>) -> Result<Option<P>, Error> {
        cursor.map(|cursor| self.decode(list, cursor)).transpose()
    }

    /// Makes a page out of up to `limit + 1` rows: the one too many only tells that there is another page.
    /// `position` is a row's sort key.
    pub fn page<T, P: Serialize>(
        &self,
        list: &List,
        mut rows: Vec<T>,
        limit: usize,
        position: impl FnOnce(&T) -> P,
    ) -> Result<Listing<T>, Error> {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let final_row = rows.last().filter(|_| more);
        let next_cursor = final_row.map(|row| self.encode(list, &position(row))).transpose()?;
        Ok(Listing { items: rows, next_cursor })
    }

    fn position(&self, list: &List, cursor: &str) -> Option<Vec<u8>> {
        if cursor.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (&version, rest) = bytes.split_first()?;
        let (mac, position) = rest.split_first_chunk::<MAC_BYTES>()?;
        // Comparing hashes takes the same time wherever they differ.
        let genuine = version == VERSION && self.mac(list, position) == blake3::Hash::from_bytes(*mac);
        genuine.then(|| position.to_vec())
    }

    fn mac(&self, list: &List, position: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_keyed(&self.key)
            .update(&[VERSION])
            .update(&(list.0.len() as u64).to_le_bytes())
            .update(&list.0)
            .update(position)
            .finalize()
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer([redacted])")
    }
}

#[cfg(test)]
mod tests;
