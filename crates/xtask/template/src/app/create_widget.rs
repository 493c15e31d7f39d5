//! Somebody makes a widget in their organization.

use contracts::{Origin, WidgetId};
use db::{
    idempotency::{self, Answer, Answered},
    outbox,
};

use crate::{
    domain::{
        access::{Allowed, CreateWidget},
        widget::Widget,
    },
    error::Error,
    state::AppState,
    store::widgets,
};

/// With a `request` a repetition gets the first answer, which is why the answer is made here, in the transaction.
pub async fn create_widget(
    state: &AppState,
    allowed: &Allowed<CreateWidget>,
    origin: Origin,
    name: String,
    request: Option<idempotency::Request>,
    answer: fn(Widget) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let (widget, created) = Widget::create(WidgetId::from_uuid(state.ids.uuid()), allowed.org, name, origin.at);
    let ids = state.ids.clone();
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                widgets::insert(conn, &widget)?;
                outbox::append(conn, &*ids, &origin, widget.version, &created)?;
                answer(widget).map_err(|error| Error::Db(error.into()))
            })
        })
        .await
}
