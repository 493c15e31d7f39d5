//! Which memories are meant, by conditions that a list, a search and forgetting understand alike.

use chrono::{DateTime, Utc};
use contracts::MemorySessionId;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{entry::Kind, forgetting::Forgetting};

/// All conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    pub subject: Option<String>,
    pub agent: Option<String>,
    pub session: Option<MemorySessionId>,
    pub project: Option<Uuid>,
    /// All of these.
    pub tags: Vec<String>,
    /// Fields of the metadata, with these values.
    pub metadata: Map<String, Value>,
    /// Memories that hold since this moment or later.
    pub from: Option<DateTime<Utc>>,
    /// Memories that hold since before this moment.
    pub to: Option<DateTime<Utc>>,
}

impl Selection {
    /// What passes both; `None` when nothing can.
    pub fn and(mut self, other: Self) -> Option<Self> {
        if differ(self.subject.as_ref(), other.subject.as_ref())
            || differ(self.agent.as_ref(), other.agent.as_ref())
            || differ(self.session.as_ref(), other.session.as_ref())
            || differ(self.project.as_ref(), other.project.as_ref())
        {
            return None;
        }
        for (key, value) in other.metadata {
            if self.metadata.get(&key).is_some_and(|known| *known != value) {
                return None;
            }
            self.metadata.insert(key, value);
        }
        self.tags.extend(other.tags);
        self.tags.sort();
        self.tags.dedup();
        Some(Self {
            subject: self.subject.or(other.subject),
            agent: self.agent.or(other.agent),
            session: self.session.or(other.session),
            project: self.project.or(other.project),
            tags: self.tags,
            metadata: self.metadata,
            from: self.from.max(other.from),
            to: match (self.to, other.to) {
                (Some(one), Some(another)) => Some(one.min(another)),
                (one, another) => one.or(another),
            },
        })
    }
}

fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// Forgetting the memories themselves, and no turns.
impl From<Selection> for Forgetting {
    fn from(selection: Selection) -> Self {
        Self {
            kinds: vec![Kind::Memory],
            subject: selection.subject,
            agent: selection.agent,
            session: selection.session,
            project: selection.project,
            tags: selection.tags,
            metadata: selection.metadata,
            occurred_from: selection.from,
            occurred_to: selection.to,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(subject: &str) -> Selection {
        Selection { subject: Some(subject.to_owned()), ..Selection::default() }
    }

    fn tagged(tag: &str) -> Selection {
        Selection { tags: vec![tag.to_owned()], ..Selection::default() }
    }

    fn with(field: &str, value: Value) -> Selection {
        Selection { metadata: [(field.to_owned(), value)].into_iter().collect(), ..Selection::default() }
    }

    fn between(from: Option<i64>, to: Option<i64>) -> Selection {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        Selection { from: from.map(at), to: to.map(at), ..Selection::default() }
    }

    #[test]
    fn both_is_narrower_than_either() {
        let both = of("ada").and(tagged("home")).unwrap().and(tagged("work")).unwrap().and(tagged("home")).unwrap();
        assert_eq!((both.subject.as_deref(), both.tags), (Some("ada"), vec!["home".to_owned(), "work".to_owned()]));
        let spans = between(Some(1), Some(9)).and(between(Some(3), None)).unwrap().and(between(None, Some(7))).unwrap();
        assert_eq!(spans, between(Some(3), Some(7)));
        assert_eq!(of("ada").and(of("ada")), Some(of("ada")));
        assert_eq!(of("ada").and(Selection::default()), Some(of("ada")));
    }

    #[test]
    fn nothing_is_two_things_at_once() {
        assert_eq!(of("ada").and(of("bob")), None);
        assert_eq!(with("a", json!(1)).and(with("a", json!(2))), None);
        assert!(with("a", json!(1)).and(with("b", json!(2))).is_some());
    }
}
