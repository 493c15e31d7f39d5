//! Signing up, and one's own account.

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, LOCATION},
    web::Data,
};
use contracts::Scope;
use kit::{
    Principal, Problem,
    auth::Person,
    http::{ProblemBody, RequestContext, ValidJson},
};

use super::dto::{MeView, OrganizationRole, PasswordChangeRequest, RegisterRequest, TokenView, device};
use crate::{
    app::{self, register_user::register_user},
    state::AppState,
};

/// Register, and be signed in at once.
///
/// Makes the account, its personal organization with you as owner, and a session. The token needs nothing else to work.
#[utoipa::path(post, path = "/v1/auth/register", tag = "accounts", operation_id = "register", security(()), request_body = RegisterRequest, responses(
    (status = 201, description = "The account exists and you are signed in", body = TokenView, headers(("Location" = String, description = "`/v1/auth/me`"))),
    (status = 409, description = "`email_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `password_rejected`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, description = "`too_many_attempts`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`password_check_busy`, `database_busy`, `database_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn register(
    state: Data<AppState>,
    context: RequestContext,
    body: ValidJson<RegisterRequest>,
) -> Result<HttpResponse, Problem> {
    let account = body.into_inner().into_account()?;
    let signed_in = register_user(&state, account, device(context)).await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((LOCATION, "/v1/auth/me")).insert_header((CACHE_CONTROL, "no-store"));
    Ok(answer.json(TokenView::from(signed_in)))
}

/// Read your own account, and where you may act.
///
/// An API key with `users:read` sees the one organization that it acts in.
#[utoipa::path(get, path = "/v1/auth/me", tag = "accounts", operation_id = "get_me", security(("access_token" = [])), responses(
    (status = 200, description = "The account", body = MeView),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn me(state: Data<AppState>, who: Principal) -> Result<HttpResponse, Problem> {
    who.require(Scope::UsersRead)?;
    let (user, organizations) = app::get_me::get_me(&state, &who).await?;
    Ok(HttpResponse::Ok().json(MeView {
        personal_organization_id: user.personal_org,
        user: user.into(),
        organization: OrganizationRole::new(who.org, who.role),
        organizations: organizations.into_iter().map(|(org, role)| OrganizationRole::new(org, role)).collect(),
    }))
}

/// Replace your password.
///
/// The current password is the proof that it is you, however old the token is. Your other sessions end.
#[utoipa::path(post, path = "/v1/auth/password/change", tag = "accounts", operation_id = "change_password", security(("access_token" = [])), request_body = PasswordChangeRequest, responses(
    (status = 204, description = "The new password is in force"),
    (status = 401, description = "`unauthenticated`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`wrong_password`, `person_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `password_rejected`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, description = "`too_many_attempts`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`password_check_busy`, `database_busy`, `database_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn change_password(
    state: Data<AppState>,
    who: Person,
    context: RequestContext,
    body: ValidJson<PasswordChangeRequest>,
) -> Result<HttpResponse, Problem> {
    app::change_password::change_password(&state, &who, body.into_inner().into(), device(context)).await?;
    Ok(HttpResponse::NoContent().finish())
}
