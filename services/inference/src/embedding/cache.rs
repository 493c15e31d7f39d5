//! Vectors of texts that were embedded before. A text is known by its BLAKE3 hash; the text itself is not kept.

use moka::sync::Cache as Moka;

use super::Embedding;

/// Hash of a text.
pub type Key = [u8; 32];

/// What an entry costs beside its vector: key, counts, and moka's own bookkeeping.
const OVERHEAD: usize = 200;

/// Bounded by the bytes it takes; the entries that are asked for least go first.
pub struct Cache(Moka<Key, Embedding>);

pub fn key(text: &str) -> Key {
    *blake3::hash(text.as_bytes()).as_bytes()
}

impl Cache {
    pub fn new(bytes: u64) -> Self {
        let size = |_: &Key, entry: &Embedding| {
            u32::try_from(OVERHEAD + std::mem::size_of_val(&*entry.vector)).unwrap_or(u32::MAX)
        };
        Self(Moka::builder().max_capacity(bytes).weigher(size).build())
    }

    pub fn get(&self, key: &Key) -> Option<Embedding> {
        self.0.get(key)
    }

    pub fn put(&self, key: Key, embedding: Embedding) {
        self.0.insert(key, embedding);
    }
}
