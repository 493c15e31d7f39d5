//! The route table and its OpenAPI document, nothing else.

mod accounts;
mod api_keys;
mod dto;
mod internal;
mod sessions;
mod well_known;

use actix_web::web::{ServiceConfig, delete, get, patch, post, resource};
use kit::openapi::{Bearer, ServiceToken};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/v1/auth/register").route(post().to(accounts::register)))
        .service(resource("/v1/auth/me").route(get().to(accounts::me)))
        .service(resource("/v1/auth/password/change").route(post().to(accounts::change_password)))
        .service(resource("/v1/auth/login").route(post().to(sessions::log_in)))
        .service(resource("/v1/auth/token/refresh").route(post().to(sessions::refresh)))
        .service(resource("/v1/auth/switch-organization").route(post().to(sessions::switch_organization)))
        .service(resource("/v1/auth/logout").route(post().to(sessions::log_out)))
        .service(resource("/v1/auth/logout-all").route(post().to(sessions::log_out_everywhere)))
        .service(resource("/v1/auth/sessions").route(get().to(sessions::list)))
        .service(resource("/v1/auth/sessions/{id}").route(delete().to(sessions::revoke)))
        .service(resource("/v1/auth/api-keys").route(get().to(api_keys::list)).route(post().to(api_keys::create)))
        .service(
            resource("/v1/auth/api-keys/{id}")
                .route(get().to(api_keys::get))
                .route(patch().to(api_keys::update))
                .route(delete().to(api_keys::revoke)),
        )
        .service(resource("/v1/auth/api-keys/{id}/rotate").route(post().to(api_keys::rotate)))
        .service(resource("/.well-known/jwks.json").route(get().to(well_known::jwks)))
        .service(resource("/.well-known/openid-configuration").route(get().to(well_known::discovery)))
        .service(resource("/internal/token").route(post().to(internal::token)))
        .service(resource("/internal/api-keys/exchange").route(post().to(internal::exchange_api_key)))
        .service(resource("/internal/revocations").route(get().to(internal::revocations)))
        .service(resource("/internal/snapshot/users").route(get().to(internal::snapshot_users)))
        .service(resource("/internal/users/{id}/disable").route(post().to(internal::disable_user)));
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BrainOps auth",
        description = "Who people are, how they prove it, where they are signed in, and the keys that sign for it.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        accounts::register,
        accounts::me,
        accounts::change_password,
        sessions::log_in,
        sessions::refresh,
        sessions::switch_organization,
        sessions::log_out,
        sessions::log_out_everywhere,
        sessions::list,
        sessions::revoke,
        api_keys::list,
        api_keys::create,
        api_keys::get,
        api_keys::update,
        api_keys::revoke,
        api_keys::rotate,
        well_known::jwks,
        well_known::discovery,
        internal::token,
        internal::exchange_api_key,
        internal::revocations,
        internal::snapshot_users,
        internal::disable_user
    ),
    tags(
        (name = "accounts", description = "Signing up, and one's own account."),
        (name = "sessions", description = "Signing in and out, on one device or everywhere."),
        (name = "API keys", description = "Keys for programs: what they may do, until when and from where."),
        (name = "keys", description = "What verifies access tokens."),
        (name = "internal", description = "Between services; the gateway does not route these."),
    ),
    modifiers(&Bearer, &ServiceToken, &ServiceSecret)
)]
pub struct Api;

/// How services prove who they are to get a token.
struct ServiceSecret;

impl Modify for ServiceSecret {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("service_secret", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
    }
}
