//! What an answer has that its protocol does not tell of. It is carried for callers of the same family, but nobody said how
//! much it may be, and it is kept in caches and written again: so there is a bound.

use serde_json::{Map, Value};

use crate::domain::{chat::Part, json, warnings::Warnings};

/// Bytes, as JSON, of all unknown fields of an answer together: a stream begins with them.
const MOST_FIELDS: usize = 16 << 10;
/// Bytes, as JSON, of one part of an unknown type: pages that a provider's own search found are content.
const MOST_PART: usize = 256 << 10;

/// The fields that fit. Those that do not are named together: their names are the provider's, and there may be many.
pub(super) fn fields(mut extra: Map<String, Value>, warnings: &mut Warnings) -> Map<String, Value> {
    let mut left = MOST_FIELDS;
    extra.retain(|name, value| {
        let bytes = json::bytes(name) + json::bytes(value);
        let fits = bytes <= left;
        if fits {
            left -= bytes;
        } else {
            warnings.dropped("unknown_fields");
        }
        fits
    });
    extra
}

/// `value` as a part; `None` when it is too large, with `field` as what was dropped.
pub(super) fn part(value: Value, field: &str, warnings: &mut Warnings) -> Option<Part> {
    if json::bytes(&value) <= MOST_PART {
        return Some(Part::Other(value));
    }
    warnings.dropped(field);
    None
}
