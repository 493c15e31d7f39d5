//! Between services. The gateway does not route these, and nothing but a service's own credentials opens them.

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{AUTHORIZATION, CACHE_CONTROL},
    web::{Data, Form},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use contracts::UserId;
use db::page::List as ListKey;
use kit::{
    Problem, Secret, ServicePrincipal,
    http::{List, Page, PathId, ProblemBody, RequestContext, ValidJson},
};

use super::dto::{
    api_keys::{ExchangeRequest, ExchangeView},
    device,
    internal::{DisableRequest, RevocationList, ServiceTokenRequest, ServiceTokenView, UserSnapshot},
};
use crate::{
    app::{
        disable_user, exchange_api_key::exchange_api_key as exchange, issue_service_token::issue_service_token,
        list_revocations::list_revocations, snapshot_users::snapshot_users as snapshot,
    },
    domain::access,
    error::Error,
    events::feed_item,
    state::AppState,
};

/// Get a token for calling another service.
#[utoipa::path(post, path = "/internal/token", tag = "internal", operation_id = "issue_service_token", security(("service_secret" = [])),
    request_body(content = ServiceTokenRequest, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "The token", body = ServiceTokenView),
    (status = 400, description = "`unsupported_grant_type`, `invalid_target`, `bad_request`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`invalid_client`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn token(
    state: Data<AppState>,
    client: BasicCredentials,
    form: Form<ServiceTokenRequest>,
) -> Result<HttpResponse, Problem> {
    let request = form.into_inner().into_request(client.0)?;
    let (token, expires_in) = issue_service_token(&state, &request)?;
    let view = ServiceTokenView { access_token: token.expose().clone(), token_type: "Bearer", expires_in };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(view))
}

/// Exchange an API key that a client has sent for a token of a minute.
///
/// Whatever is wrong with the key (unknown, malformed, revoked, expired, from another network, of somebody who may not act
/// there any more), the answer is the same.
#[utoipa::path(post, path = "/internal/api-keys/exchange", tag = "internal", operation_id = "exchange_api_key", security(("service_token" = [])),
    request_body = ExchangeRequest, responses(
    (status = 200, description = "The token", body = ExchangeView),
    (status = 401, description = "`unauthenticated`, `invalid_token`, `invalid_api_key`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`service_not_allowed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`unavailable`, `database_busy`, `database_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn exchange_api_key(
    state: Data<AppState>,
    caller: ServicePrincipal,
    body: ValidJson<ExchangeRequest>,
) -> Result<HttpResponse, Problem> {
    let allowed = access::allow(&caller.service).map_err(Error::from)?;
    let token = exchange(&state, allowed, &body.key, body.address).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(ExchangeView::from(token)))
}

/// List whose access tokens are void although they have not expired.
#[utoipa::path(get, path = "/internal/revocations", tag = "internal", operation_id = "list_revocations", security(("service_token" = [])), responses(
    (status = 200, description = "All that still matter", body = RevocationList),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn revocations(state: Data<AppState>, caller: ServicePrincipal) -> Result<HttpResponse, Problem> {
    let allowed = access::allow(&caller.service).map_err(Error::from)?;
    let items = list_revocations(&state, allowed).await?.into_iter().map(|item| feed_item(item).into()).collect();
    Ok(HttpResponse::Ok().json(RevocationList { items }))
}

/// Read every account, in pages, oldest first.
#[utoipa::path(get, path = "/internal/snapshot/users", tag = "internal", operation_id = "snapshot_users", security(("service_token" = [])), params(Page), responses(
    (status = 200, description = "A page of accounts", body = List<UserSnapshot>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`service_not_allowed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn snapshot_users(
    state: Data<AppState>,
    caller: ServicePrincipal,
    page: Page,
) -> Result<HttpResponse, Problem> {
    let allowed = access::allow(&caller.service).map_err(Error::from)?;
    let (list, signer) = (ListKey::new("users"), state.db.signer());
    let after = signer.decode_optional(&list, page.cursor.as_deref())?;
    let found = snapshot(&state, allowed, after, page.limit.into()).await?;
    let found = signer.page(&list, found, page.limit.into(), |user| (user.created_at, user.id))?;
    let items: Vec<UserSnapshot> = found.items.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: found.next_cursor }))
}

/// Close an account: its sessions end, and nobody can sign in to it.
#[utoipa::path(post, path = "/internal/users/{id}/disable", tag = "internal", operation_id = "disable_user", security(("service_token" = [])),
    params(("id" = uuid::Uuid, Path, description = "The user")), request_body = DisableRequest, responses(
    (status = 204, description = "It is closed, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`service_not_allowed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`user_not_found`, `not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn disable_user(
    state: Data<AppState>,
    caller: ServicePrincipal,
    id: PathId<UserId>,
    context: RequestContext,
    body: ValidJson<DisableRequest>,
) -> Result<HttpResponse, Problem> {
    let allowed = access::allow(&caller.service).map_err(Error::from)?;
    disable_user::disable_user(&state, allowed, id.into_inner(), body.reason.into(), device(context)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Name and secret of `Authorization: Basic` (RFC 7617), when both can be read. They are taken as they are: our secrets
/// need no form encoding (RFC 6749 section 2.3.1 would have one), and kit's client does none.
pub struct BasicCredentials(Option<(String, Secret<String>)>);

impl FromRequest for BasicCredentials {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let pair = header
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .and_then(|(_, text)| STANDARD.decode(text.trim()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let read = |pair: String| {
            let (client, secret) = pair.split_once(':')?;
            Some((client.to_owned(), Secret::new(secret.to_owned())))
        };
        std::future::ready(Ok(Self(pair.and_then(read))))
    }
}
