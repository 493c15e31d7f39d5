//! The widgets of an organization.

use kit::http::Limit;

use crate::{
    domain::{
        access::{Allowed, ViewWidgets},
        widget::Widget,
    },
    error::Error,
    state::AppState,
    store::widgets::{self, After},
};

/// One more than `limit` is fetched, so that the caller knows whether there is a next page.
pub async fn list_widgets(
    state: &AppState,
    allowed: &Allowed<ViewWidgets>,
    after: Option<After>,
    limit: Limit,
) -> Result<Vec<Widget>, Error> {
    let org = allowed.org;
    state
        .db
        .tenant(org)
        .tx(move |conn| Ok(widgets::list_in_org(conn, org, after, i64::from(limit) + 1)?))
        .await
}
