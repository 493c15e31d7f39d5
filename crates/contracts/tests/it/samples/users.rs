//! Events of users.

use contracts::users::v1 as users;

use super::{ORG, Sample, USER, at, s, sample};

const OTHER_USER: &str = "01890a5d-ac96-774b-bcce-b302099a8058";
const MEMBERSHIP: &str = "01890a5d-ac99-7000-8000-0000000000e1";
const TEAM: &str = "01890a5d-ac99-7000-8000-0000000000ea";
const PARENT_TEAM: &str = "01890a5d-ac99-7000-8000-0000000000eb";
const INVITATION: &str = "01890a5d-ac99-7000-8000-0000000000f1";

pub fn all() -> Vec<Sample> {
    let mut all = of_people_and_organizations();
    all.extend(of_teams_and_invitations());
    all
}

fn of_people_and_organizations() -> Vec<Sample> {
    vec![
        sample(&users::ProfileUpdated {
            user_id: s(USER),
            display_name: s("Ada Lovelace"),
            avatar_url: Some(s("https://example.com/ada.png")),
            locale: s("en-GB"),
            time_zone: s("Europe/London"),
            updated_at: at(8),
        }),
        sample(&users::OrganizationCreated {
            organization_id: s(ORG),
            name: s("Analytical Engines"),
            slug: s("analytical-engines"),
            personal: true,
            owner_user_id: s(USER),
            created_at: at(8),
        }),
        sample(&users::OrganizationUpdated {
            organization_id: s(ORG),
            name: s("Difference Engines"),
            slug: s("difference-engines"),
            updated_at: at(8),
        }),
        sample(&users::OrganizationDeleted { organization_id: s(ORG), deleted_at: at(8), erase_after: at(38) }),
        sample(&users::MembershipAdded {
            membership_id: s(MEMBERSHIP),
            organization_id: s(ORG),
            user_id: s(USER),
            role: s("owner"),
            version: 1,
            added_at: at(8),
        }),
        sample(&users::MembershipRoleChanged {
            membership_id: s(MEMBERSHIP),
            organization_id: s(ORG),
            user_id: s(USER),
            role: s("admin"),
            previous_role: s("member"),
            version: 2,
            changed_at: at(8),
        }),
        sample(&users::MembershipRemoved {
            membership_id: s(MEMBERSHIP),
            organization_id: s(ORG),
            user_id: s(USER),
            reason: s("left"),
            version: 3,
            removed_at: at(8),
        }),
        sample(&users::UserErasureRequested { user_id: s(USER), requested_at: at(8), erase_before: at(38) }),
    ]
}

fn of_teams_and_invitations() -> Vec<Sample> {
    vec![
        sample(&users::TeamCreated {
            team_id: s(TEAM),
            organization_id: s(ORG),
            parent_team_id: Some(s(PARENT_TEAM)),
            name: s("Mill"),
            created_at: at(8),
        }),
        sample(&users::TeamUpdated {
            team_id: s(TEAM),
            organization_id: s(ORG),
            parent_team_id: Some(s(PARENT_TEAM)),
            name: s("Store"),
            updated_at: at(8),
        }),
        sample(&users::TeamDeleted { team_id: s(TEAM), organization_id: s(ORG), deleted_at: at(8) }),
        sample(&users::TeamMemberAdded {
            team_id: s(TEAM),
            organization_id: s(ORG),
            user_id: s(USER),
            role: s("lead"),
            added_at: at(8),
        }),
        sample(&users::TeamMemberRemoved {
            team_id: s(TEAM),
            organization_id: s(ORG),
            user_id: s(USER),
            removed_at: at(8),
        }),
        sample(&users::InvitationSent {
            invitation_id: s(INVITATION),
            organization_id: s(ORG),
            email: Some(s("charles@example.com")),
            role: s("member"),
            team_ids: vec![s(TEAM)],
            invited_by_user_id: s(USER),
            sent_at: at(8),
            expires_at: at(38),
        }),
        sample(&users::InvitationAccepted {
            invitation_id: s(INVITATION),
            organization_id: s(ORG),
            user_id: s(OTHER_USER),
            membership_id: s(MEMBERSHIP),
            accepted_at: at(8),
        }),
    ]
}
