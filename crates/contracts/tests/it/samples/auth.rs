//! Events of auth.

use contracts::auth::v1 as auth;

use super::{ORG, Sample, USER, at, s, sample};

const SESSION: &str = "01890a5d-ac99-7000-8000-00000000005e";
const API_KEY: &str = "01890a5d-ac99-7000-8000-0000000000a1";
const SERVICE_ACCOUNT: &str = "01890a5d-ac99-7000-8000-0000000000a2";
const SIGNING_KEY: &str = "01890a5d-ac99-7000-8000-0000000000b2";
const OLD_SIGNING_KEY: &str = "01890a5d-ac99-7000-8000-0000000000b1";

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
        sample(&auth::ApiKeyUpdated {
            api_key_id: s(API_KEY),
            organization_id: s(ORG),
            // As above.
            user_id: Some(s(USER)),
            service_account_id: Some(s(SERVICE_ACCOUNT)),
            reason: s("edited"),
            name: s("build server"),
            scopes: vec![s("ai:invoke")],
            network_restricted: true,
            updated_at: at(8),
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
