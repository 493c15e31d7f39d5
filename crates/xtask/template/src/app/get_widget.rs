//! Somebody reads a widget of their organization.

use contracts::WidgetId;

use crate::{
    domain::{
        access::{Allowed, ViewWidgets},
        widget::Widget,
    },
    error::Error,
    state::AppState,
    store::widgets,
};

/// A widget of another organization does not exist for the caller.
pub async fn get_widget(state: &AppState, allowed: &Allowed<ViewWidgets>, id: WidgetId) -> Result<Widget, Error> {
    let org = allowed.org;
    state.db.tenant(org).tx(move |conn| widgets::find_in_org(conn, org, id)?.ok_or(Error::WidgetNotFound(id))).await
}
