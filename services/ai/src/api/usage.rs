//! `/v1/ai/usage`: what was used, what it cost, and what it will cost.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, CONTENT_DISPOSITION},
    web::{Bytes, Data},
};
use chrono::{DateTime, Utc};
use contracts::Scope;
use db::page as cursor;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use kit::{
    FieldError, Principal, Problem,
    http::{List, ProblemBody, ValidQuery, codes},
};

use super::dto::{
    usage::{ForecastView, GroupView, RecordView, UsageView},
    usage_query::{BadRange, ForecastQuery, Format, RecordsQuery, UsageQuery},
};
use crate::{
    app::report_usage::{Visible, forecast_cost, list_usage_records, report_usage, usage_groups, visible},
    domain::{
        csv,
        report::{Dimension, Group, Position},
        usage::UsageRecord,
    },
    error::Error,
    state::AppState,
};

/// Lines of a file that are read at once.
const LINES: u16 = 1_000;

/// Sum usage up.
///
/// With `ai:write` everybody's, else your own. As CSV (`format=csv`, or `Accept: text/csv`) all groups come at once.
#[utoipa::path(get, path = "/v1/ai/usage", tag = "usage", operation_id = "get_usage", params(UsageQuery), responses(
    (status = 200, description = "The sums by group", content((UsageView = "application/json"), (String = "text/csv"))),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<UsageQuery>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiRead)?;
    let (page, by) = (query.page(), query.group_by.0.clone());
    let list = cursor::List::new("usage")
        .within("organization", who.org)
        .within("user", who.user)
        .within("filter", query.filter().binding())
        .within("by", format!("{by:?}"));
    let after: Option<(DateTime<Utc>, Position)> = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    // All pages are about the same time, also when its end is now: that of the first.
    let now = after.as_ref().map_or_else(|| state.clock.now(), |(now, _)| *now);
    let calls = visible(&who, query.filter().calls(now).map_err(bad_range)?)?;
    if wants_csv(query.format, &http) {
        return Ok(file("usage.csv", group_lines(state, who, calls, by)));
    }
    let (from, to, after) = (calls.calls().from, calls.calls().to, after.map(|(_, position)| position));
    let (found, totals) = report_usage(&state, &who, calls, by.clone(), after, i64::from(page.limit) + 1).await?;
    let page =
        state.db.signer().page(&list, found, page.limit.into(), |group: &Group| (now, group.position.clone()))?;
    let items = page.items.into_iter().map(|group| GroupView::new(group, &by)).collect();
    let view = UsageView { from, to, group_by: by, totals: totals.into(), items, next_cursor: page.next_cursor };
    Ok(HttpResponse::Ok().json(view))
}

/// List single calls.
///
/// With `ai:write` everybody's, else your own. The latest first.
#[utoipa::path(get, path = "/v1/ai/usage/records", tag = "usage", operation_id = "list_usage_records", params(RecordsQuery), responses(
    (status = 200, description = "A page of them", content((List<RecordView> = "application/json"), (String = "text/csv"))),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn records(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<RecordsQuery>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiRead)?;
    let calls = visible(&who, query.filter().calls(state.clock.now()).map_err(bad_range)?)?;
    if wants_csv(query.format, &http) {
        return Ok(file("calls.csv", record_lines(state, who, calls)));
    }
    let page = query.page();
    let list = cursor::List::new("usage_records")
        .within("organization", who.org)
        .within("user", who.user)
        .within("filter", query.filter().binding());
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_usage_records(&state, &who, calls, after, i64::from(page.limit) + 1).await?;
    let position = |record: &UsageRecord| (record.recorded_at, record.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(RecordView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Foretell this month's cost.
///
/// What the month has cost, and for each day to come the average of its weekday in the last eight weeks. With `ai:write` the
/// organization's, else your own.
#[utoipa::path(get, path = "/v1/ai/usage/forecast", tag = "usage", operation_id = "get_usage_forecast", params(ForecastQuery), responses(
    (status = 200, description = "The forecast", body = ForecastView),
    (status = 400, description = "`invalid_parameter`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn forecast(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<ForecastQuery>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiRead)?;
    let forecast = forecast_cost(&state, &who, query.user_id).await?;
    Ok(HttpResponse::Ok().json(ForecastView::from(forecast)))
}

fn bad_range(_: BadRange) -> Problem {
    let message = "`to` must not be before `from`, nor more than 400 days after it";
    Problem::new(&codes::INVALID_PARAMETER).detail(message).field(FieldError::new("to", "range", message))
}

/// The parameter, or else the client's preference among what there is.
fn wants_csv(format: Option<Format>, http: &HttpRequest) -> bool {
    let accepted = || http.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    format.map_or_else(|| accepted().trim_start().starts_with("text/csv"), |format| format == Format::Csv)
}

/// A file whose end is cut off, and its connection closed, when the database fails half-way.
fn file(name: &str, lines: impl Stream<Item = Result<String, Error>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(lines.map_ok(Bytes::from).map_err(Problem::from))
}

fn group_lines(
    state: Data<AppState>,
    who: Principal,
    calls: Visible,
    by: Vec<Dimension>,
) -> impl Stream<Item = Result<String, Error>> {
    let header = csv::line(GroupView::header(&by));
    lines(header, move |after| {
        let (state, who, calls, by) = (state.clone(), who.clone(), calls.clone(), by.clone());
        async move {
            let found = usage_groups(&state, &who, calls, by.clone(), after, LINES.into()).await?;
            let last = found.last().map(|group| group.position.clone());
            let line = |group| csv::line(GroupView::new(group, &by).cells(&by));
            Ok((last.filter(|_| found.len() == usize::from(LINES)), found.into_iter().map(line).collect()))
        }
    })
}

fn record_lines(state: Data<AppState>, who: Principal, calls: Visible) -> impl Stream<Item = Result<String, Error>> {
    lines(csv::line(RecordView::HEADER), move |after| {
        let (state, who, calls) = (state.clone(), who.clone(), calls.clone());
        async move {
            let found = list_usage_records(&state, &who, calls, after, LINES.into()).await?;
            let last = found.last().map(|record| (record.recorded_at, record.id));
            let line = |record| csv::line(RecordView::from(record).cells());
            Ok((last.filter(|_| found.len() == usize::from(LINES)), found.into_iter().map(line).collect()))
        }
    })
}

/// A header and then page after page, each read when the client has taken the one before. `read` gives a page and where
/// the next begins.
fn lines<P, F>(header: String, read: impl Fn(Option<P>) -> F) -> impl Stream<Item = Result<String, Error>>
where
    F: Future<Output = Result<(Option<P>, String), Error>>,
{
    let pages = stream::try_unfold(Some(None), move |next: Option<Option<P>>| {
        let page = next.map(&read);
        async move {
            let Some(page) = page else { return Ok(None) };
            let (after, text) = page.await?;
            Ok(Some((text, after.map(Some))))
        }
    });
    stream::once(std::future::ready(Ok(header))).chain(pages)
}
