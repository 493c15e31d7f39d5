//! `/v1/organizations` and their members.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::{OrgId, Scope};
use db::{
    idempotency::{Answer, Answered, Request},
    page as cursor,
};
use kit::{
    Principal, Problem,
    auth::Person,
    http::{IdempotencyKey, List, Page, PathId, ProblemBody, ValidJson, body_hash, etag, stored_answer},
};

use super::dto::{MemberView, OrganizationCreate, OrganizationView};
use crate::{
    app::{
        create_organization::create_organization, get_organization::get_organization, list_members::list_members,
        list_organizations::list_organizations,
    },
    domain::{
        membership::{Member, Membership},
        organization::Organization,
    },
    state::AppState,
};

/// List the organizations that you belong to.
#[utoipa::path(get, path = "/v1/organizations", tag = "organizations", operation_id = "list_organizations", params(Page), responses(
    (status = 200, description = "A page of them, oldest first", body = List<OrganizationView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(state: Data<AppState>, who: Principal, page: Page) -> Result<HttpResponse, Problem> {
    who.require(Scope::OrganizationsRead)?;
    let list = cursor::List::new("organizations").within("user", who.user);
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_organizations(&state, &who, after, page.limit).await?;
    let position = |(org, _): &(Organization, _)| (org.created_at, org.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    Ok(HttpResponse::Ok().json(present::<_, OrganizationView>(page)))
}

/// Create an organization; you become its owner.
#[utoipa::path(post, path = "/v1/organizations", tag = "organizations", operation_id = "create_organization",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = OrganizationCreate, responses(
    (status = 201, description = "It exists", body = OrganizationView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `person_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`slug_taken`, `idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Person,
    key: IdempotencyKey,
    body: ValidJson<OrganizationCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::UsersWrite)?;
    let (name, slug) = body.into_inner().into_parts();
    let route = "POST /v1/organizations";
    let request = key.get().map(|key| Request::new(None, Some(who.user), route, key, body_hash(&http)));
    let Answered { answer, replayed } = create_organization(&state, &who, name, slug, request, created).await?;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to a create, as it is stored with its key.
fn created(created: (Organization, Membership)) -> Result<Answer, serde_json::Error> {
    let view = OrganizationView::from(created);
    Answer::created(format!("/v1/organizations/{}", view.id), view.version, &view)
}

/// Read an organization that you belong to.
#[utoipa::path(get, path = "/v1/organizations/{id}", tag = "organizations", operation_id = "get_organization",
    params(("id" = uuid::Uuid, Path, description = "The organization")), responses(
    (status = 200, description = "The organization", body = OrganizationView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`organization_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<OrgId>) -> Result<HttpResponse, Problem> {
    who.require(Scope::OrganizationsRead)?;
    let view = OrganizationView::from(get_organization(&state, &who, id.0).await?);
    Ok(HttpResponse::Ok().insert_header(etag(view.version)).json(view))
}

/// List who belongs to an organization.
#[utoipa::path(get, path = "/v1/organizations/{id}/members", tag = "organizations", operation_id = "list_members",
    params(("id" = uuid::Uuid, Path, description = "The organization"), Page), responses(
    (status = 200, description = "A page of them; those who joined first first", body = List<MemberView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`organization_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn members(
    state: Data<AppState>,
    who: Principal,
    id: PathId<OrgId>,
    page: Page,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::MembersRead)?;
    let list = cursor::List::new("members").within("organization", id.0);
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_members(&state, &who, id.0, after, page.limit).await?;
    let position = |member: &Member| (member.membership.created_at, member.membership.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    Ok(HttpResponse::Ok().json(present::<_, MemberView>(page)))
}

fn present<T, V: From<T>>(page: cursor::Listing<T>) -> List<V> {
    List { items: page.items.into_iter().map(V::from).collect(), next_cursor: page.next_cursor }
}
