//! What the OpenAPI documents of all services have in common.

use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};

/// The name of the scheme in `security(("access_token" = []))`.
const BEARER: &str = "access_token";

/// Declares access tokens and requires one everywhere; an operation without caller says `security(())`.
pub struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "An access token from `POST /v1/auth/login`, `register` or `token/refresh`, or an API key from \
                 `POST /v1/auth/api-keys`, which may also be sent as `x-api-key`.",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
        document.security.get_or_insert_default().push(SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, []));
    }
}

/// Declares the tokens of services: `security(("service_token" = []))` on what lies under `/internal`.
pub struct ServiceToken;

impl Modify for ServiceToken {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A token of a service, from `POST /internal/token`."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("service_token", SecurityScheme::Http(scheme));
    }
}
