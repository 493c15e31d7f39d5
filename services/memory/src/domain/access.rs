//! Who may do what with whose memories: one place, and a type that proves it was asked.

use std::marker::PhantomData;

use contracts::{OrgId, Role, Scope, UserId};
use kit::Principal;

use super::filter::Reach;

/// Something that needs permission inside an organization.
pub trait Action {
    /// The scope that the token must carry.
    const NEEDS: Scope;
}

/// Find and read what is remembered.
#[derive(Debug)]
pub struct Read;

/// Add to it, change it and forget it.
#[derive(Debug)]
pub struct Write;

impl Action for Read {
    const NEEDS: Scope = Scope::MemoryRead;
}

impl Action for Write {
    const NEEDS: Scope = Scope::MemoryWrite;
}

/// Proof that the caller may do `A` in `org`, within `reach`. Only [`allow`] makes one.
#[derive(Debug)]
pub struct Allowed<A> {
    pub org: OrgId,
    pub user: UserId,
    pub reach: Reach,
    action: PhantomData<A>,
}

// Whatever the action is, the proof is a few ids.
impl<A> Clone for Allowed<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A> Copy for Allowed<A> {}

/// Why somebody may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The token does not carry the scope.
    #[error("this needs the scope {0}")]
    Scope(Scope),
    /// It would be another person's.
    #[error("this belongs to somebody else")]
    Subject,
}

/// What the caller may do. Everybody reaches their own entries and what the organization shares; admins, whose keys
/// applications use, also those of an application's users. Nobody reaches another member's.
pub fn allow<A: Action>(who: &Principal) -> Result<Allowed<A>, Refused> {
    if !who.scopes.contains(A::NEEDS) {
        return Err(Refused::Scope(A::NEEDS));
    }
    let reach = if who.role >= Role::Admin { Reach::Applications(who.user) } else { Reach::Own(who.user) };
    Ok(Allowed { org: who.org, user: who.user, reach, action: PhantomData })
}

impl<A> Allowed<A> {
    /// Whether entries of this subject exist for the caller.
    pub fn sees(&self, subject: Option<&str>) -> bool {
        self.reach.includes(subject)
    }

    /// The subject that the caller names: `me` is the caller.
    ///
    /// # Errors
    /// [`Refused::Subject`] when it is out of reach.
    pub fn subject(&self, named: &str) -> Result<String, Refused> {
        let subject = if named == "me" { self.user.to_string() } else { named.to_owned() };
        if self.sees(Some(&subject)) { Ok(subject) } else { Err(Refused::Subject) }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_members_memories_are_out_of_everybody_elses_reach() {
        let (ada, bob) = (UserId::from_uuid(Uuid::from_u128(1)), UserId::from_uuid(Uuid::from_u128(2)));
        for reach in [Reach::Own(ada), Reach::Applications(ada)] {
            assert!(reach.includes(None));
            assert!(reach.includes(Some(&ada.to_string())));
            assert!(!reach.includes(Some(&bob.to_string())));
        }
        assert!(Reach::Applications(ada).includes(Some("customer-7")));
        assert!(!Reach::Own(ada).includes(Some("customer-7")));
    }
}
