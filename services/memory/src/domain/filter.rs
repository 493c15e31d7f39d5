//! Which entries a search may give, as vectors and words understand it alike.

use chrono::{DateTime, Utc};
use contracts::{OrgId, UserId};
use uuid::Uuid;

use super::entry::{Attributes, Kind};

/// All conditions hold at once. The organization is none of the options: there is no search without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    pub org: OrgId,
    pub reach: Reach,
    /// One of these; empty for any kind.
    pub kinds: Vec<Kind>,
    pub subject: Option<String>,
    /// With a subject: also entries of nobody, which the organization shares.
    pub shared: bool,
    pub agent: Option<String>,
    pub session: Option<Uuid>,
    pub project: Option<Uuid>,
    /// One of these; empty for any, and for entries in none.
    pub collections: Vec<Uuid>,
    /// All of these.
    pub labels: Vec<String>,
    /// At or after.
    pub occurred_from: Option<DateTime<Utc>>,
    /// Before.
    pub occurred_to: Option<DateTime<Utc>>,
    /// Entries that hold at this moment.
    pub valid_at: DateTime<Utc>,
    /// Entries that have not expired by this moment.
    pub now: DateTime<Utc>,
}

/// Whose entries the caller can see at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Those of this member, and what the organization shares.
    Own(UserId),
    /// Also those of an application's users; never another member's.
    Applications(UserId),
}

impl Reach {
    /// Whether an entry of `subject` is within reach.
    pub fn includes(self, subject: Option<&str>) -> bool {
        let Some(subject) = subject else { return true };
        match self {
            Self::Own(member) => is(subject, member),
            Self::Applications(member) => is(subject, member) || !is_member(subject),
        }
    }
}

/// Whether a subject names a member of the organization and not an application's user.
pub fn is_member(subject: &str) -> bool {
    subject.parse::<UserId>().is_ok()
}

fn is(subject: &str, member: UserId) -> bool {
    subject.parse::<UserId>() == Ok(member)
}

impl Filter {
    /// Whether an entry passes; the meaning that every index has to keep to.
    pub fn accepts(&self, entry: &Attributes) -> bool {
        let given = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
        entry.org == self.org
            && self.reach.includes(entry.subject.as_deref())
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && (given(&self.subject, &entry.subject) || (self.shared && entry.subject.is_none()))
            && given(&self.agent, &entry.agent)
            && (self.session.is_none() || self.session == entry.session)
            && (self.project.is_none() || self.project == entry.project)
            && (self.collections.is_empty() || entry.collection.is_some_and(|id| self.collections.contains(&id)))
            && self.labels.iter().all(|label| entry.labels.contains(label))
            && self.occurred_from.is_none_or(|from| entry.occurred_at >= from)
            && self.occurred_to.is_none_or(|to| entry.occurred_at < to)
            && entry.valid_from <= self.valid_at
            && entry.valid_to.is_none_or(|to| self.valid_at < to)
            && entry.expires_at.is_none_or(|at| self.now < at)
    }
}
