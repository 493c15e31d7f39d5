//! Every number of recall, each with where it comes from. "Measured" is ADR 0013.

/// Share of a part in the score; the cosine counts once (measured).
pub const FIELD_WEIGHT: f64 = 0.15;
pub const SURROUNDINGS_WEIGHT: f64 = 0.30;
pub const NAME_WEIGHT: f64 = 0.15;
pub const DATE_WEIGHT: f64 = 0.15;

/// BM25's saturation of a repeated word and its correction of length: Robertson and Zaragoza, "The Probabilistic Relevance
/// Framework" (2009), with the values that are usual for short passages (measured).
pub const K1: f64 = 0.9;
pub const B: f64 = 0.4;

/// How far the surroundings of an entry reach, in places, and what each step takes off (measured).
pub const SURROUNDINGS_REACH: u32 = 5;
pub const SURROUNDINGS_DECAY: f64 = 0.6;

/// A question whose inverse document frequencies sum up to more is damped, so that it does not drown the cosine (measured).
pub const QUESTION_MASS: f64 = 3.0;

/// The most telling words of a question that are compared; bounds what a pasted page costs. Measured questions have up to 9.
pub const QUESTION_TERMS: usize = 64;

/// Field counts are kept in quarters: what is said or replied to counts four, what is asked one (measured).
pub const SAID_QUARTERS: u16 = 4;
pub const ASKED_QUARTERS: u16 = 1;

/// Share of the whole turn in the vector of a request (measured).
pub const REQUEST_WEIGHT: f32 = 0.25;

/// Best entries by cosine and by words that are scored, and how many neighbours on each side of them are (measured).
pub const CANDIDATES: usize = 200;
pub const CANDIDATE_NEIGHBOURS: u32 = 2;

/// Longer words are cut. Longer than any word of a language, shorter than what would bloat the index.
pub const WORD_CHARS: usize = 64;

/// Longer names are not looked for in a question. The longest that people are called by in a conversation has fewer words.
pub const NAME_WORDS: usize = 8;

/// Fewer entries that are gone than this are not worth a clean-up of the index.
pub const COMPACTION_FLOOR: usize = 1024;

/// The constant of reciprocal-rank fusion: Cormack, Clarke and Büttcher (SIGIR 2009).
pub const RRF_K: f64 = 60.0;

/// Entries among which diversity picks; the cost grows with this times what is picked.
pub const DIVERSITY_POOL: usize = 200;
