//! Who has which role where, as the users service told it.

use contracts::{MembershipId, OrgId, Role, UserId};

/// What is known of one person in one organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub user: UserId,
    pub org: OrgId,
    pub id: MembershipId,
    pub sequence: i64,
    /// `None` once they left.
    pub role: Option<Role>,
}

/// What news of a membership means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Older than what is known, or known.
    Stale,
    /// Nothing that a token says has become wrong.
    Harmless,
    /// Tokens exist that say something else.
    VoidsTokens,
    /// They left and came back, and the news of leaving is still on its way: when it comes it will be stale.
    Returned,
}

impl Membership {
    /// The owner of a personal organization from the moment of registration. The users service will tell of it under an
    /// id of its own, which replaces this one: every id is greater than the nil id.
    pub fn of_registration(user: UserId, org: OrgId) -> Self {
        Self { user, org, id: MembershipId::from_uuid(uuid::Uuid::nil()), sequence: 0, role: Some(Role::Owner) }
    }

    /// Compares by age: a later membership of the same pair (they left and came back) has a greater id, and within one
    /// membership the sequence counts.
    pub fn judge(&self, known: Option<&Self>) -> News {
        match known {
            Some(known) if (self.id, self.sequence) <= (known.id, known.sequence) => News::Stale,
            Some(Self { role: Some(_), id, .. }) if self.id != *id && !id.uuid().is_nil() => News::Returned,
            Some(Self { role: Some(role), .. }) if self.role != Some(*role) => News::VoidsTokens,
            _ => News::Harmless,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn membership(id: u128, sequence: i64, role: Option<Role>) -> Membership {
        let uuid = Uuid::from_u128;
        Membership {
            user: UserId::from_uuid(uuid(1)),
            org: OrgId::from_uuid(uuid(2)),
            id: MembershipId::from_uuid(uuid(id)),
            sequence,
            role,
        }
    }

    #[test]
    fn older_news_change_nothing() {
        let known = membership(7, 3, Some(Role::Admin));
        assert_eq!(membership(7, 3, Some(Role::Admin)).judge(Some(&known)), News::Stale);
        assert_eq!(membership(7, 2, Some(Role::Viewer)).judge(Some(&known)), News::Stale);
        // They left, came back, and the news of leaving arrives last.
        assert_eq!(membership(6, 9, None).judge(Some(&known)), News::Stale);
    }

    #[test]
    fn losing_or_changing_a_role_voids_tokens_and_gaining_one_does_not() {
        let member = membership(7, 1, Some(Role::Member));
        assert_eq!(membership(7, 2, Some(Role::Admin)).judge(Some(&member)), News::VoidsTokens);
        assert_eq!(membership(7, 2, None).judge(Some(&member)), News::VoidsTokens);
        assert_eq!(member.judge(None), News::Harmless);
        assert_eq!(membership(8, 1, Some(Role::Member)).judge(Some(&membership(7, 2, None))), News::Harmless);
    }

    #[test]
    fn another_membership_means_that_they_left_in_between() {
        let member = membership(7, 1, Some(Role::Member));
        assert_eq!(membership(8, 1, Some(Role::Member)).judge(Some(&member)), News::Returned, "in the same role too");
        assert_eq!(membership(8, 1, Some(Role::Admin)).judge(Some(&member)), News::Returned);
    }

    #[test]
    fn the_first_real_news_replace_the_row_of_registration_quietly() {
        let real = membership(7, 1, Some(Role::Owner));
        let own = Membership::of_registration(real.user, real.org);
        assert_eq!(real.judge(Some(&own)), News::Harmless);
        assert_eq!(own.judge(Some(&real)), News::Stale);
    }
}
