//! One fully populated event of each type.

use chrono::{TimeZone, Utc};
use contracts::{Event, Timestamp, auth::v1 as auth, users::v1 as users};
use serde_json::Value;

/// An event with its type forgotten, so that all of them fit into one table.
pub struct Sample {
    pub event_type: &'static str,
    pub service: &'static str,
    pub subject: String,
    pub json: Value,
    /// Reads JSON as this event and writes it again.
    pub read_and_write: fn(Value) -> Result<Value, String>,
}

fn sample<E: Event>(event: &E) -> Sample {
    Sample {
        event_type: E::TYPE,
        service: E::SERVICE,
        subject: event.subject().to_owned(),
        json: serde_json::to_value(event).unwrap(),
        read_and_write: |json| {
            let event: E = serde_json::from_value(json).map_err(|error| error.to_string())?;
            serde_json::to_value(event).map_err(|error| error.to_string())
        },
    }
}

const USER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const OTHER_USER: &str = "01890a5d-ac96-774b-bcce-b302099a8058";
const ORG: &str = "01890a5d-ac97-7b2c-9d0e-1f2a3b4c5d6e";
const SESSION: &str = "01890a5d-ac99-7000-8000-00000000005e";
const MEMBERSHIP: &str = "01890a5d-ac99-7000-8000-0000000000e1";
const TEAM: &str = "01890a5d-ac99-7000-8000-0000000000ea";
const PARENT_TEAM: &str = "01890a5d-ac99-7000-8000-0000000000eb";
const INVITATION: &str = "01890a5d-ac99-7000-8000-0000000000f1";
const API_KEY: &str = "01890a5d-ac99-7000-8000-0000000000a1";
const SERVICE_ACCOUNT: &str = "01890a5d-ac99-7000-8000-0000000000a2";
const SIGNING_KEY: &str = "01890a5d-ac99-7000-8000-0000000000b2";
const OLD_SIGNING_KEY: &str = "01890a5d-ac99-7000-8000-0000000000b1";

#[expect(clippy::unnecessary_wraps, reason = "prost makes every moment optional")]
fn at(second: u32) -> Option<Timestamp> {
    Some(Utc.with_ymd_and_hms(2031, 4, 5, 6, 7, second).unwrap().into())
}

fn s(text: &str) -> String {
    text.to_owned()
}

pub fn user_registered() -> auth::UserRegistered {
    auth::UserRegistered {
        user_id: s(USER),
        organization_id: s(ORG),
        email: s("ada@example.com"),
        display_name: s("Ada Lovelace"),
        registered_at: at(8),
    }
}

pub fn signing_key_rotated() -> auth::SigningKeyRotated {
    auth::SigningKeyRotated {
        signing_key_id: s(SIGNING_KEY),
        algorithm: s("ES256"),
        previous_signing_key_id: Some(s(OLD_SIGNING_KEY)),
        rotated_at: at(8),
        previous_retires_at: at(38),
    }
}

pub fn all() -> Vec<Sample> {
    let mut all = of_auth();
    all.extend(of_users());
    all
}

fn of_auth() -> Vec<Sample> {
    vec![
        sample(&user_registered()),
        sample(&auth::EmailVerified { user_id: s(USER), email: s("ada@example.com"), verified_at: at(8) }),
        sample(&auth::UserLoggedIn {
            user_id: s(USER),
            session_id: s(SESSION),
            organization_id: s(ORG),
            methods: vec![s("pwd"), s("otp")],
            logged_in_at: at(8),
        }),
        sample(&auth::LoginFailedRepeatedly {
            user_id: s(USER),
            attempts: 10,
            last_attempt_at: at(8),
            blocked_until: at(38),
        }),
        sample(&auth::PasswordChanged { user_id: s(USER), reason: s("reset"), changed_at: at(8) }),
        sample(&auth::MfaEnabled { user_id: s(USER), method: s("totp"), enabled_at: at(8) }),
        sample(&auth::MfaDisabled { user_id: s(USER), method: s("webauthn"), disabled_at: at(8) }),
        sample(&auth::SessionStarted {
            session_id: s(SESSION),
            user_id: s(USER),
            organization_id: s(ORG),
            started_at: at(8),
            expires_at: at(38),
        }),
        sample(&auth::SessionRevoked {
            session_id: s(SESSION),
            user_id: s(USER),
            reason: s("logout"),
            revoked_at: at(8),
            tokens_expire_at: at(38),
        }),
        sample(&auth::ApiKeyCreated {
            api_key_id: s(API_KEY),
            organization_id: s(ORG),
            // Only one of the two owners is set in life; the schema test wants to see every field.
            user_id: Some(s(USER)),
            service_account_id: Some(s(SERVICE_ACCOUNT)),
            name: s("build server"),
            scopes: vec![s("ai:invoke")],
            created_at: at(8),
            expires_at: at(38),
        }),
        sample(&auth::ApiKeyRevoked {
            api_key_id: s(API_KEY),
            organization_id: s(ORG),
            reason: s("rotated"),
            revoked_at: at(8),
            tokens_expire_at: at(38),
        }),
        sample(&signing_key_rotated()),
        sample(&auth::UserDisabled {
            user_id: s(USER),
            reason: s("abuse"),
            disabled_at: at(8),
            tokens_expire_at: at(38),
        }),
    ]
}

fn of_users() -> Vec<Sample> {
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
