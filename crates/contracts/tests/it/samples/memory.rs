//! Events of memory.

use contracts::memory::v1 as memory;

use super::{ORG, Sample, USER, at, s, sample};

const SESSION: &str = "01890a5d-ac99-7000-8000-0000000000c1";
const MESSAGE: &str = "01890a5d-ac99-7000-8000-0000000000c2";
const MEMORY: &str = "01890a5d-ac99-7000-8000-0000000000c3";
const NEWER: &str = "01890a5d-ac99-7000-8000-0000000000c4";
const COLLECTION: &str = "01890a5d-ac99-7000-8000-0000000000c5";
const DOCUMENT: &str = "01890a5d-ac99-7000-8000-0000000000c6";
const PARENT: &str = "01890a5d-ac99-7000-8000-0000000000c5";
const PROJECT: &str = "01890a5d-ac99-7000-8000-0000000000c6";

pub fn all() -> Vec<Sample> {
    vec![
        sample(&memory::SessionStarted {
            session_id: s(SESSION),
            organization_id: s(ORG),
            subject: Some(s(USER)),
            agent: Some(s("support")),
            project_id: Some(s(PROJECT)),
            forked_from_session_id: Some(s(PARENT)),
            started_at: at(8),
        }),
        sample(&memory::MessageStored {
            message_id: s(MESSAGE),
            organization_id: s(ORG),
            session_id: s(SESSION),
            position: 3,
            role: s("user"),
            stored_at: at(8),
        }),
        sample(&memory::MemoryAdded {
            memory_id: s(MEMORY),
            organization_id: s(ORG),
            subject: Some(s(USER)),
            agent: Some(s("support")),
            session_id: Some(s(SESSION)),
            project_id: Some(s(PROJECT)),
            source: s("stated"),
            added_at: at(8),
        }),
        sample(&memory::MemorySuperseded {
            memory_id: s(MEMORY),
            organization_id: s(ORG),
            superseded_by_memory_id: Some(s(NEWER)),
            valid_to: at(9),
        }),
        sample(&memory::CollectionCreated {
            collection_id: s(COLLECTION),
            organization_id: s(ORG),
            subject: Some(s(USER)),
            created_at: at(8),
        }),
        sample(&memory::DocumentIndexed {
            document_id: s(DOCUMENT),
            organization_id: s(ORG),
            collection_id: s(COLLECTION),
            subject: Some(s(USER)),
            revision: 2,
            chunks: 62,
            indexed_at: at(9),
        }),
        sample(&memory::MemoryForgotten {
            memory_id: s(MEMORY),
            organization_id: s(ORG),
            kind: s("memory"),
            entries: 1,
            forgotten_at: at(9),
        }),
    ]
}
