//! What is to be forgotten: turns and memories that pass all conditions, and the memories that were taken from such turns
//! alone.

use chrono::{DateTime, Utc};
use contracts::MemorySessionId;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::entry::Kind;

/// All conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forgetting {
    /// Turns, memories or both; both when empty.
    pub kinds: Vec<Kind>,
    pub subject: Option<String>,
    pub agent: Option<String>,
    pub session: Option<MemorySessionId>,
    pub project: Option<Uuid>,
    /// All of these. Turns have none.
    pub tags: Vec<String>,
    /// Fields of the metadata, with these values.
    pub metadata: Map<String, Value>,
    /// At or after.
    pub occurred_from: Option<DateTime<Utc>>,
    /// Before.
    pub occurred_to: Option<DateTime<Utc>>,
}

/// How much is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub messages: usize,
    pub memories: usize,
    pub sessions: usize,
}

impl Forgetting {
    /// Whether it is less than everything. Kinds alone do not make it so.
    pub fn is_narrow(&self) -> bool {
        self.subject.is_some()
            || self.agent.is_some()
            || self.session.is_some()
            || self.project.is_some()
            || self.has_filter()
    }

    fn has_filter(&self) -> bool {
        !self.tags.is_empty() || !self.metadata.is_empty() || self.occurred_from.is_some() || self.occurred_to.is_some()
    }

    /// Whether entries of this kind are meant themselves.
    pub fn includes(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// The session that goes itself, because it is named and nothing else is.
    pub fn whole_session(&self) -> Option<MemorySessionId> {
        let others = self.subject.is_some() || self.agent.is_some() || self.project.is_some() || self.has_filter();
        let all = self.includes(Kind::Message) && self.includes(Kind::Memory);
        self.session.filter(|_| all && !others)
    }

    /// The conditions by name, for the log: never a text, a tag or a field.
    pub fn described(&self) -> Value {
        let filtered: Vec<_> = [
            ("tags", !self.tags.is_empty()),
            ("metadata", !self.metadata.is_empty()),
            ("occurred_from", self.occurred_from.is_some()),
            ("occurred_to", self.occurred_to.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect();
        serde_json::json!({
            "kinds": self.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
            "user": self.subject,
            "agent": self.agent,
            "session_id": self.session.map(MemorySessionId::uuid),
            "project_id": self.project,
            "filtered_by": filtered,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_goes_itself_only_when_it_is_all_that_is_named() {
        let session = MemorySessionId::from_uuid(Uuid::from_u128(7));
        let named = Forgetting { session: Some(session), ..Forgetting::default() };
        assert_eq!(named.whole_session(), Some(session));
        let both = Forgetting { kinds: vec![Kind::Message, Kind::Memory], ..named.clone() };
        assert_eq!(both.whole_session(), Some(session));
        for less in [
            Forgetting { kinds: vec![Kind::Message], ..named.clone() },
            Forgetting { tags: vec!["home".into()], ..named.clone() },
            Forgetting { occurred_to: Some(DateTime::UNIX_EPOCH), ..named },
        ] {
            assert_eq!(less.whole_session(), None, "{less:?}");
            assert!(less.is_narrow(), "{less:?}");
        }
    }

    #[test]
    fn kinds_alone_are_everything() {
        assert!(!Forgetting::default().is_narrow());
        assert!(!Forgetting { kinds: vec![Kind::Message], ..Forgetting::default() }.is_narrow());
    }
}
