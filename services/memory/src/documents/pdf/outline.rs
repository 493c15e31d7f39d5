//! The outline (bookmarks) of a PDF, which is the one place where it says what its headings are. lopdf's own reader of
//! outlines does not end when one is linked to itself.

use std::collections::HashSet;

use lopdf::{Dictionary, Document, Object, ObjectId};

/// Items that are read; a hostile outline ends here.
const ITEMS: usize = 10_000;

pub(super) struct Heading {
    pub(super) level: u8,
    pub(super) title: String,
    pub(super) page: ObjectId,
}

/// In reading order. An item whose destination has a name instead of a page is left out.
pub(super) fn read(document: &Document) -> Vec<Heading> {
    let root = document.catalog().ok().and_then(|catalog| dictionary(document, catalog, b"Outlines"));
    let mut headings = Vec::new();
    let mut seen = HashSet::new();
    let mut next: Vec<(ObjectId, u8)> =
        root.and_then(|root| reference(root, b"First")).map(|id| (id, 1)).into_iter().collect();
    while let Some((id, level)) = next.pop() {
        if seen.len() >= ITEMS || !seen.insert(id) {
            continue;
        }
        let Ok(item) = document.get_dictionary(id) else { continue };
        let title = item.get_deref(b"Title", document).ok().and_then(|title| lopdf::decode_text_string(title).ok());
        if let (Some(title), Some(page)) = (title, page(document, item)) {
            headings.push(Heading { level, title, page });
        }
        // What is pushed last is read first: what is below comes before what is beside.
        next.extend(reference(item, b"Next").map(|id| (id, level)));
        next.extend(reference(item, b"First").map(|id| (id, level.saturating_add(1))));
    }
    headings
}

fn page(document: &Document, item: &Dictionary) -> Option<ObjectId> {
    let destination = item
        .get_deref(b"Dest", document)
        .ok()
        .or_else(|| dictionary(document, item, b"A")?.get_deref(b"D", document).ok())?;
    destination.as_array().ok()?.first()?.as_reference().ok()
}

fn dictionary<'d>(document: &'d Document, of: &'d Dictionary, key: &[u8]) -> Option<&'d Dictionary> {
    of.get_deref(key, document).and_then(Object::as_dict).ok()
}

fn reference(of: &Dictionary, key: &[u8]) -> Option<ObjectId> {
    of.get(key).and_then(Object::as_reference).ok()
}
