//! `/v1/memory/documents`: what was uploaded to be found.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use contracts::DocumentId;
use db::{
    idempotency::{Answer, Answered},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{IdempotencyKey, IfMatch, List, PathId, ProblemBody, ValidJson, ValidQuery, etag, stored_answer},
};

use super::{
    dto::documents::{ChunkQuery, ChunkView, DocumentAccepted, DocumentCreate, DocumentQuery, DocumentView},
    repeatable,
};
use crate::{
    app::{
        add_document::add_document, delete_document::delete_document, get_document::get_document,
        list_chunks::list_chunks, list_documents::list_documents, reindex_document::reindex_document,
    },
    domain::{
        access::allow,
        document::{Chunk, Document},
    },
    error::Error,
    state::AppState,
};

/// List documents.
///
/// Yours, those that the organization shares and, for admins, those of applications' users. The newest first.
#[utoipa::path(get, path = "/v1/memory/documents", tag = "documents", operation_id = "list_documents", params(DocumentQuery), responses(
    (status = 200, description = "A page of them", body = List<DocumentView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<DocumentQuery>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (page, wanted) = query.into_inner().into_parts();
    let list = cursor::List::new("documents").within("organization", who.org).within("filter", format!("{wanted:?}"));
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_documents(&state, &allowed, wanted, after, page.limit).await?;
    let position = |document: &Document| (document.created_at, document.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(DocumentView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Upload a document.
///
/// Text, Markdown, HTML, PDF, DOCX, CSV and JSON of up to 20 MiB. It is read in the background, and can be found as soon as
/// its status is `indexed`. The same bytes are one document of a collection: the answer is then the one that is there.
#[utoipa::path(post, path = "/v1/memory/documents", tag = "documents", operation_id = "create_document",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = DocumentCreate, responses(
    (status = 200, description = "The collection has this document already, and nothing is left to do", body = DocumentAccepted, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 202, description = "It will be read", body = DocumentAccepted, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`collection_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, description = "`document_too_large`, `payload_too_large`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `document_unsupported`, `document_mismatch`, `document_encrypted`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<DocumentCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let request = repeatable(&who, "POST /v1/memory/documents", &key, &http);
    let upload = body.into_inner().into_upload()?;
    let origin = who.origin(&*state.clock);
    let Answered { answer, replayed } = add_document(&state, &allowed, origin, upload, request, accepted).await?;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to whatever has a document read, as it is stored with its key.
fn accepted(document: Document) -> Result<Answer, serde_json::Error> {
    let status = if document.status.is_settled() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let view = DocumentAccepted::from(document);
    let answer = Answer::created(format!("/v1/memory/documents/{}", view.operation_id), view.document.version, &view)?;
    Ok(Answer { status: status.as_u16(), ..answer })
}

/// Read about a document.
#[utoipa::path(get, path = "/v1/memory/documents/{id}", tag = "documents", operation_id = "get_document",
    params(("id" = uuid::Uuid, Path, description = "The document")), responses(
    (status = 200, description = "The document, and how far it is", body = DocumentView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`document_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<DocumentId>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let document = get_document(&state, &allowed, id.0).await?;
    Ok(HttpResponse::Ok().insert_header(etag(document.version)).json(DocumentView::from(document)))
}

/// Forget a document.
///
/// What was uploaded goes, and everything that was made of it.
#[utoipa::path(delete, path = "/v1/memory/documents/{id}", tag = "documents", operation_id = "delete_document",
    params(("id" = uuid::Uuid, Path, description = "The document"),
        ("If-Match" = Option<String>, Header, description = "Only forget the document when this is its `ETag`")), responses(
    (status = 204, description = "It is forgotten, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not_found`: the id is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn delete(
    state: Data<AppState>,
    who: Principal,
    id: PathId<DocumentId>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    delete_document(&state, &allowed, who.origin(&*state.clock), id.0, expected.version()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Index a document anew.
///
/// It is read again in the background, from what was uploaded. Until that is done, what was found before is found.
#[utoipa::path(post, path = "/v1/memory/documents/{id}/reindex", tag = "documents", operation_id = "reindex_document",
    params(("id" = uuid::Uuid, Path, description = "The document"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")), responses(
    (status = 202, description = "It will be read", body = DocumentAccepted, headers(("Location" = String, description = "The document's path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`document_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid_idempotency_key`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn reindex(
    state: Data<AppState>,
    who: Principal,
    id: PathId<DocumentId>,
    key: IdempotencyKey,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let request = repeatable(&who, &format!("POST /v1/memory/documents/{}/reindex", id.0), &key, &http);
    let now = state.clock.now();
    let Answered { answer, replayed } = reindex_document(&state, &allowed, id.0, now, request, accepted).await?;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// List the chunks of a document.
///
/// What it says, in the parts that a search finds, in order.
#[utoipa::path(get, path = "/v1/memory/documents/{id}/chunks", tag = "documents", operation_id = "list_chunks",
    params(("id" = uuid::Uuid, Path, description = "The document"), ChunkQuery), responses(
    (status = 200, description = "A page of them", body = List<ChunkView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`document_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn chunks(
    state: Data<AppState>,
    who: Principal,
    id: PathId<DocumentId>,
    query: ValidQuery<ChunkQuery>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let page = query.into_inner().into_page();
    let list = cursor::List::new("chunks").within("document", id.0);
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_chunks(&state, &allowed, id.0, after, page.limit).await?;
    let page = state.db.signer().page(&list, found, page.limit.into(), |chunk: &Chunk| chunk.position)?;
    let items = page.items.into_iter().map(ChunkView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}
