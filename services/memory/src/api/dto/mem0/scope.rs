//! Whose a memory is, in mem0's words and in ours. What the names stand for is written in `docs/mem0.md`.

use contracts::{MemorySessionId, OrgId};
use uuid::{Builder, Uuid};
use validator::ValidationError;

use crate::{
    api::dto::{LABEL_CHARS, a_label, check},
    domain::{
        access::{Allowed, Refused},
        session::Belonging,
    },
};

/// A memory's names, as mem0 has them.
#[derive(Debug, Default)]
pub struct Names {
    pub user: Option<String>,
    pub agent: Option<String>,
    pub app: Option<String>,
    pub run: Option<String>,
}

/// What mem0 calls by a name and we by an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A project of ours.
    App,
    /// A session of ours.
    Run,
}

/// Of the longer of the two prefixes.
const PREFIX_CHARS: usize = "mem0:app:".len();

impl Named {
    const fn prefix(self) -> &'static str {
        match self {
            Self::App => "mem0:app:",
            Self::Run => "mem0:run:",
        }
    }

    /// The id that a name stands for: itself if it is one, else one that is made of it, for each organization another.
    pub fn id(self, org: OrgId, name: &str) -> Uuid {
        own_id(name).unwrap_or_else(|| {
            let mut hash = blake3::Hasher::new_derive_key("brainops 2026 memory mem0 name");
            hash.update(org.uuid().as_bytes()).update(self.prefix().as_bytes()).update(name.as_bytes());
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&hash.finalize().as_bytes()[..16]);
            Builder::from_custom_bytes(bytes).into_uuid()
        })
    }

    /// The tag that keeps a name; an id needs none.
    fn tag(self, name: &str) -> Option<String> {
        own_id(name).is_none().then(|| format!("{}{name}", self.prefix()))
    }

    /// The name again.
    fn of(self, id: Option<Uuid>, tags: &[String]) -> Option<String> {
        let kept = tags.iter().find_map(|tag| tag.strip_prefix(self.prefix()));
        kept.map(str::to_owned).or(id.map(|id| id.to_string()))
    }
}

/// Only as ids are written here: of other spellings it would not be known which one came.
fn own_id(name: &str) -> Option<Uuid> {
    Uuid::parse_str(name).ok().filter(|id| id.to_string() == name)
}

impl Names {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.user.is_none() && self.agent.is_none() && self.app.is_none() && self.run.is_none()
    }

    /// Where something new belongs, the session, and the tags that keep its names. It is the caller's when no user is named.
    pub fn place<A>(self, allowed: &Allowed<A>) -> Result<(Belonging, Option<MemorySessionId>, Vec<String>), Refused> {
        let subject = allowed.subject(self.user.as_deref().unwrap_or("me"))?;
        let id = |named: Named, name: &Option<String>| name.as_deref().map(|name| named.id(allowed.org, name));
        let (project, session) = (id(Named::App, &self.app), id(Named::Run, &self.run));
        let named = [(Named::App, &self.app), (Named::Run, &self.run)];
        let tags = named.iter().filter_map(|(named, name)| named.tag(name.as_deref()?)).collect();
        let belonging = Belonging { subject: Some(subject), agent: self.agent, project };
        Ok((belonging, session.map(MemorySessionId::from_uuid), tags))
    }

    /// The names of a memory, and its tags without those that keep them.
    pub fn of(belonging: Belonging, session: Option<MemorySessionId>, tags: Vec<String>) -> (Self, Vec<String>) {
        let names = Self {
            app: Named::App.of(belonging.project, &tags),
            run: Named::Run.of(session.map(MemorySessionId::uuid), &tags),
            user: belonging.subject,
            agent: belonging.agent,
        };
        let is_name = |tag: &String| [Named::App, Named::Run].iter().any(|named| tag.starts_with(named.prefix()));
        (names, tags.into_iter().filter(|tag| !is_name(tag)).collect())
    }
}

/// A name that fits into a tag together with what it is.
pub fn a_name(text: &str) -> Result<(), ValidationError> {
    a_label(text)?;
    let fine = text.chars().count() <= LABEL_CHARS - PREFIX_CHARS;
    check(fine, "length", "Give it at most 119 characters.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(n: u128) -> OrgId {
        OrgId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn a_name_always_stands_for_the_same_id_and_for_another_one_elsewhere() {
        let run = Named::Run.id(org(1), "trip");
        assert_eq!(run, Named::Run.id(org(1), "trip"));
        for other in [Named::Run.id(org(2), "trip"), Named::App.id(org(1), "trip"), Named::Run.id(org(1), "trip2")] {
            assert_ne!(other, run);
        }
        let id = "01890a5d-ac99-7000-8000-0000000000ff";
        assert_eq!(Named::Run.id(org(1), id).to_string(), id);
        assert_ne!(Named::Run.id(org(1), &id.to_uppercase()).to_string(), id, "another spelling is another name");
    }

    #[test]
    fn names_come_back_and_are_no_categories() {
        let id = Uuid::from_u128(7);
        let tags = ["mem0:run:trip", "home", "mem0:app:shop"].map(str::to_owned).to_vec();
        let belonging = Belonging { subject: Some("ada".into()), agent: None, project: Some(id) };
        let (names, tags) = Names::of(belonging.clone(), Some(MemorySessionId::from_uuid(id)), tags);
        assert_eq!(
            (names.run.as_deref(), names.app.as_deref(), tags),
            (Some("trip"), Some("shop"), vec!["home".into()])
        );
        let (names, _) = Names::of(belonging, Some(MemorySessionId::from_uuid(id)), Vec::new());
        assert_eq!((names.run, names.app), (Some(id.to_string()), Some(id.to_string())));
    }

    #[test]
    fn a_name_leaves_room_for_what_it_is() {
        assert!(a_name(&"x".repeat(119)).is_ok());
        assert!(a_name(&"x".repeat(120)).is_err());
        assert!(a_name(" x").is_err());
    }
}
