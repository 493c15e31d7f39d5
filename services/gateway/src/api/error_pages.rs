//! One page a code: what `type` in every problem document points to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use actix_web::http::header::{self, ContentType};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use include_dir::{Dir, include_dir};
use kit::Problem;
use kit::http::codes;
use pulldown_cmark::{Options, Parser, html};

static SOURCES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/errors");
const STYLE: &str = include_str!("../../assets/errors.css");

/// No script at all, and the one style sheet.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The rendered pages by code, and the list of them.
#[derive(Clone)]
pub struct Pages(Arc<Rendered>);

struct Rendered {
    index: Bytes,
    pages: BTreeMap<String, Bytes>,
}

impl Pages {
    /// Renders everything once.
    pub fn render() -> Self {
        let sources: BTreeMap<&str, &str> = SOURCES
            .files()
            .filter(|file| file.path().extension().is_some_and(|extension| extension == "md"))
            .filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
            .collect();
        let pages = sources.iter().map(|(code, source)| ((*code).to_owned(), page_of(code, source))).collect();
        let index = page_of("Error codes", &list_of(&sources));
        Self(Arc::new(Rendered { index, pages }))
    }
}

fn list_of(sources: &BTreeMap<&str, &str>) -> String {
    let mut list = String::from("# Error codes\n\nEvery problem document has one of these in `code`.\n\n");
    for (code, source) in sources {
        // The sentence under the heading says what it is.
        let summary = source.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = writeln!(list, "- [`{code}`](/docs/errors/{code}): {summary}");
    }
    list
}

fn page_of(title: &str, markdown: &str) -> Bytes {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} · BrainOps</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/errors/style.css\">\n</head>\n<body>\n\
         <nav><a href=\"/docs/\">API</a> · <a href=\"/docs/errors\">Error codes</a></nav>\n<main>\n"
    );
    html::push_html(&mut page, Parser::new_ext(markdown, Options::ENABLE_TABLES));
    page.push_str("</main>\n</body>\n</html>\n");
    page.into()
}

fn html_answer(body: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(body)
}

/// All codes.
pub async fn index(pages: web::Data<Pages>) -> HttpResponse {
    html_answer(pages.0.index.clone())
}

/// Explains an error code
///
/// What the `code` of a problem document means, why it comes, and what to do about it.
#[utoipa::path(
    get,
    path = "/docs/errors/{code}",
    tag = "gateway",
    operation_id = "explain_error",
    params(("code" = String, Path, description = "The `code` of a problem document.", example = "not_found")),
    responses(
        (status = 200, description = "A page for people.", body = String, content_type = "text/html"),
        (status = 404, description = "`not_found`: there is no such code.", body = kit::http::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn page(code: web::Path<String>, pages: web::Data<Pages>) -> Result<HttpResponse, Problem> {
    let page = pages
        .0
        .pages
        .get(&*code)
        .ok_or_else(|| Problem::new(&codes::NOT_FOUND).detail("There is no such error code"))?;
    Ok(html_answer(page.clone()))
}

/// How the pages look.
pub async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(STYLE)
}
