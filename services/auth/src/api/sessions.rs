//! Signing in and out, on one device or everywhere.

use actix_web::{HttpResponse, http::header::CACHE_CONTROL, web::Data};
use contracts::SessionId;
use kit::{
    Problem,
    auth::Person,
    http::{PathId, ProblemBody, RequestContext, ValidJson},
};
use serde::Serialize;

use super::dto::{
    AccessTokenView, LoginRequest, RefreshRequest, SessionList, SessionView, SwitchRequest, TokenView, device,
};
use crate::{
    app::{self, list_sessions::list_sessions, refresh_session::refresh_session, revoke_session::revoke_session},
    state::AppState,
};

/// Sign in with a password.
///
/// The answer is the same, and takes as long, whether the account does not exist or the password is wrong.
#[utoipa::path(post, path = "/v1/auth/login", tag = "sessions", operation_id = "log_in", security(()), request_body = LoginRequest, responses(
    (status = 200, description = "You are signed in", body = TokenView),
    (status = 401, description = "`invalid_credentials`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`account_disabled`, `no_organization`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, description = "`too_many_attempts`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`password_check_busy`, `database_busy`, `database_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn log_in(
    state: Data<AppState>,
    context: RequestContext,
    body: ValidJson<LoginRequest>,
) -> Result<HttpResponse, Problem> {
    let signed_in = app::log_in::log_in(&state, body.into_inner().into(), device(context)).await?;
    Ok(tokens(&TokenView::from(signed_in)))
}

/// Exchange a refresh token for the next pair of tokens.
///
/// A refresh token works once. Sent again within ten seconds it gives the same successor; later it ends the session,
/// because somebody else has a copy.
#[utoipa::path(post, path = "/v1/auth/token/refresh", tag = "sessions", operation_id = "refresh_token", security(()), request_body = RefreshRequest, responses(
    (status = 200, description = "The next pair of tokens", body = TokenView),
    (status = 401, description = "`invalid_refresh_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`no_organization`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`database_busy`, `database_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn refresh(
    state: Data<AppState>,
    context: RequestContext,
    body: ValidJson<RefreshRequest>,
) -> Result<HttpResponse, Problem> {
    let signed_in = refresh_session(&state, body.refresh_token.expose(), device(context)).await?;
    Ok(tokens(&TokenView::from(signed_in)))
}

/// Go on working in another of your organizations.
///
/// The session stays the same, and acts in the new organization from now on, also after a refresh.
#[utoipa::path(post, path = "/v1/auth/switch-organization", tag = "sessions", operation_id = "switch_organization", security(("access_token" = [])), request_body = SwitchRequest, responses(
    (status = 200, description = "An access token for that organization", body = AccessTokenView),
    (status = 401, description = "`unauthenticated`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`person_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`organization_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn switch_organization(
    state: Data<AppState>,
    who: Person,
    body: ValidJson<SwitchRequest>,
) -> Result<HttpResponse, Problem> {
    let token = app::switch_organization::switch_organization(&state, &who, body.organization_id).await?;
    Ok(tokens(&AccessTokenView::from(token)))
}

/// Sign out here.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "sessions", operation_id = "log_out", security(("access_token" = [])), responses(
    (status = 204, description = "The session has ended; its tokens are refused"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`person_required`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn log_out(state: Data<AppState>, who: Person, context: RequestContext) -> Result<HttpResponse, Problem> {
    app::log_out::log_out(&state, &who, device(context)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out everywhere, here included.
#[utoipa::path(post, path = "/v1/auth/logout-all", tag = "sessions", operation_id = "log_out_everywhere", security(("access_token" = [])), responses(
    (status = 204, description = "All your sessions have ended; their tokens are refused"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`person_required`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn log_out_everywhere(
    state: Data<AppState>,
    who: Person,
    context: RequestContext,
) -> Result<HttpResponse, Problem> {
    app::log_out::log_out_everywhere(&state, &who, device(context)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List where you are signed in.
#[utoipa::path(get, path = "/v1/auth/sessions", tag = "sessions", operation_id = "list_sessions", security(("access_token" = [])), responses(
    (status = 200, description = "Your sessions, the last used first", body = SessionList),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`person_required`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(state: Data<AppState>, who: Person) -> Result<HttpResponse, Problem> {
    let sessions = list_sessions(&state, &who).await?;
    let items = sessions.into_iter().map(|session| SessionView::new(session, who.session)).collect();
    Ok(HttpResponse::Ok().json(SessionList { items }))
}

/// End one of your sessions.
#[utoipa::path(delete, path = "/v1/auth/sessions/{id}", tag = "sessions", operation_id = "revoke_session", security(("access_token" = [])),
    params(("id" = uuid::Uuid, Path, description = "The session")), responses(
    (status = 204, description = "It has ended, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`person_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`, `not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn revoke(
    state: Data<AppState>,
    who: Person,
    id: PathId<SessionId>,
    context: RequestContext,
) -> Result<HttpResponse, Problem> {
    revoke_session(&state, &who, id.into_inner(), device(context)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Tokens are kept by nobody on the way (RFC 6749 section 5.1).
fn tokens(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}
