//! `/v1/memory/export` and `/v1/memory/import`: what is kept, one JSON object a line.

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    http::header::CONTENT_DISPOSITION,
    web::{Bytes, Data},
};
use contracts::MemorySessionId;
use futures_util::{Stream, TryStreamExt as _, stream};
use kit::{
    Principal, Problem,
    http::{PathId, ProblemBody, ValidQuery, codes},
};

use super::dto::transfer::{ExportQuery, ImportQuery, ImportView, TransferLine, lines};
use crate::{
    app::{
        export::{Place, export},
        get_session::get_session,
        import::import,
    },
    domain::{
        access::{Allowed, Read, allow},
        transfer::Wanted,
    },
    error::Error,
    state::AppState,
};

const NDJSON: &str = "application/x-ndjson";

/// Export sessions, turns and memories.
///
/// Everything that you reach, or a part of it, one JSON object a line: first sessions, then turns, then memories. What is
/// stored meanwhile may be in it or not. When it fails half-way, the connection is closed before the end.
#[utoipa::path(get, path = "/v1/memory/export", tag = "transfer", operation_id = "export_memory", params(ExportQuery), responses(
    (status = 200, description = "A `TransferLine` a line", body = TransferLine, content_type = "application/x-ndjson"),
    (status = 400, description = "`invalid_parameter`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn take(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let wanted = query.into_inner().into_wanted(&allowed)?;
    Ok(file("memory.ndjson", state, allowed, wanted))
}

/// Export one session.
///
/// The session, its turns, its memories and those that were taken from its turns, in the form of an export of everything: what
/// comes out here can be imported elsewhere. Of a fork these are its own turns, not those before it.
#[utoipa::path(get, path = "/v1/memory/sessions/{id}/export", tag = "transfer", operation_id = "export_session",
    params(("id" = uuid::Uuid, Path, description = "The session")), responses(
    (status = 200, description = "A `TransferLine` a line", body = TransferLine, content_type = "application/x-ndjson"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn take_session(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemorySessionId>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let session = get_session(&state, &allowed, id.0).await?;
    let wanted = Wanted { session: Some(session.id), ..Wanted::default() };
    Ok(file("session.ndjson", state, allowed, wanted))
}

fn file(name: &str, state: Data<AppState>, allowed: Allowed<Read>, wanted: Wanted) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(NDJSON)
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(pages(state, allowed, wanted).map_ok(Bytes::from).map_err(Problem::from))
}

/// Page after page, each read when the client has taken the one before.
fn pages(state: Data<AppState>, allowed: Allowed<Read>, wanted: Wanted) -> impl Stream<Item = Result<Vec<u8>, Error>> {
    stream::try_unfold(Some(Place::START), move |place| {
        let (state, wanted) = (state.clone(), wanted.clone());
        async move {
            let Some(place) = place else { return Ok(None) };
            let (items, next) = export(&state, &allowed, wanted, place).await?;
            let mut text = Vec::new();
            for item in items {
                serde_json::to_writer(&mut text, &TransferLine::from(item)).map_err(|error| Error::Db(error.into()))?;
                text.push(b'\n');
            }
            Ok::<_, Error>(Some((text, next)))
        }
    })
}

/// Import sessions, turns and memories.
///
/// Lines as an export has them, at most 10000 in 32 MiB; a turn needs its session before it. Nothing that is there is
/// changed: what is there already is skipped, and a line whose id means something else is refused. Ids are kept, unless
/// they belong to another organization; such items get other ids, always the same, and so does everything that refers to
/// them. It can be repeated.
#[utoipa::path(post, path = "/v1/memory/import", tag = "transfer", operation_id = "import_memory", params(ImportQuery),
    request_body(content = TransferLine, content_type = "application/x-ndjson", description = "A `TransferLine` a line"), responses(
    (status = 200, description = "What became of the lines", body = ImportView),
    (status = 400, description = "`invalid_parameter`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, description = "`payload_too_large`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn bring(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<ImportQuery>,
    http: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    if http.content_type() != NDJSON {
        return Err(Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE).detail(format!("Send the body as {NDJSON}")));
    }
    let (owner, origin) = (query.into_inner().owner(&allowed)?, who.origin(&*state.clock));
    let at = origin.at;
    // Megabytes of JSON would keep a worker from its other requests.
    let read = tokio::task::spawn_blocking(move || lines(&body, &allowed, owner.as_deref(), at));
    let lines = read.await.map_err(|error| Problem::internal(error.to_string()))??;
    Ok(HttpResponse::Ok().json(ImportView::from(import(&state, &allowed, origin, lines).await?)))
}
