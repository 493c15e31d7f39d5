//! `/v1/users/me`.

use actix_web::{HttpResponse, web::Data};
use contracts::Scope;
use kit::{
    Principal, Problem,
    auth::AccessToken,
    http::{IfMatch, ProblemBody, ValidJson, etag},
};

use super::dto::{ProfilePatch, ProfileView};
use crate::{
    app::{get_profile::get_profile, update_profile::update_profile},
    domain::profile::Profile,
    state::AppState,
};

/// Read your own profile.
#[utoipa::path(get, path = "/v1/users/me", tag = "users", operation_id = "get_me", responses(
    (status = 200, description = "The caller's profile", body = ProfileView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`profile_not_ready`, `database_busy`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn me(state: Data<AppState>, who: Principal, token: AccessToken) -> Result<HttpResponse, Problem> {
    who.require(Scope::UsersRead)?;
    let profile = get_profile(&state, &who, &token).await?;
    Ok(present(profile))
}

/// Change your own profile.
#[utoipa::path(patch, path = "/v1/users/me", tag = "users", operation_id = "update_me",
    params(("If-Match" = Option<String>, Header, description = "Only change the profile when this is its `ETag`")),
    request_body(content = ProfilePatch, content_type = "application/json"), responses(
    (status = 200, description = "The profile as it is now", body = ProfileView, headers(("ETag" = String, description = "The version"))),
    (status = 400, description = "`malformed_json`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `preferences_too_large`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn update_me(
    state: Data<AppState>,
    who: Principal,
    token: AccessToken,
    expected: IfMatch,
    body: ValidJson<ProfilePatch>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::UsersWrite)?;
    let (edit, preferences) = body.into_inner().into_edit();
    let profile = update_profile(&state, &who, &token, edit, preferences, expected.version()).await?;
    Ok(present(profile))
}

fn present(profile: Profile) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(profile.version)).json(ProfileView::from(profile))
}
