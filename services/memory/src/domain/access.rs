//! Who may do what with whose memories: one place, and a type that proves it was asked.

use std::marker::PhantomData;

use contracts::{OrgId, Role, Scope, UserId};
use kit::Principal;
use uuid::Uuid;

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

/// Proof that the caller may do `A` in `org`, within `reach`. Only [`allow`] makes one of a request.
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

impl Allowed<Write> {
    /// For what the system does in the name of a person who asked for it elsewhere.
    pub fn of_the_person(org: OrgId, user: UserId) -> Self {
        Self { org, user, reach: Reach::Own(user), action: PhantomData }
    }
}

impl Allowed<Read> {
    /// For what the system does with an owner's entries: those of `subject`, and what the organization shares.
    pub fn of_the_owner(org: OrgId, subject: Option<&str>) -> Self {
        let nobody = UserId::from_uuid(Uuid::nil());
        let reach = match subject.map(str::parse) {
            Some(Ok(member)) => Reach::Own(member),
            Some(Err(_)) => Reach::Applications(nobody),
            None => Reach::Own(nobody),
        };
        Self { org, user: nobody, reach, action: PhantomData }
    }
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

    #[test]
    fn for_an_owner_the_system_reaches_theirs_and_what_is_shared() {
        let org = OrgId::from_uuid(Uuid::from_u128(9));
        let (ada, bob) = (Uuid::from_u128(1).to_string(), Uuid::from_u128(2).to_string());
        for (owner, other) in
            [(Some(ada.as_str()), bob.as_str()), (Some("customer-7"), &bob), (None, &bob), (None, "customer-7")]
        {
            let allowed = Allowed::of_the_owner(org, owner);
            assert!(allowed.sees(owner) && allowed.sees(None) && !allowed.sees(Some(other)), "{owner:?}");
        }
    }
}
