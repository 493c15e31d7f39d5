//! Rows of `widgets`.

use chrono::{DateTime, Utc};
use contracts::{OrgId, WidgetId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::schema::widgets;
use crate::domain::widget::Widget;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = widgets)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    name: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Widget {
    fn from(row: Row) -> Self {
        Self {
            id: WidgetId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            name: row.name,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub fn insert(conn: &mut PgConnection, widget: &Widget) -> QueryResult<()> {
    let row = Row {
        id: widget.id.uuid(),
        org_id: widget.org.uuid(),
        name: widget.name.clone(),
        version: widget.version,
        created_at: widget.created_at,
        updated_at: widget.updated_at,
    };
    diesel::insert_into(widgets::table).values(row).execute(conn)?;
    Ok(())
}

pub fn find_in_org(conn: &mut PgConnection, org: OrgId, id: WidgetId) -> QueryResult<Option<Widget>> {
    let row = widgets::table
        .find(id.uuid())
        .filter(widgets::org_id.eq(org.uuid()))
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    Ok(row.map(Widget::from))
}

/// Where a page of [`list_in_org`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, WidgetId);

/// The widgets of an organization, oldest first, at most `limit`.
pub fn list_in_org(
    conn: &mut PgConnection,
    org: OrgId,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<Widget>> {
    let mut query = widgets::table
        .filter(widgets::org_id.eq(org.uuid()))
        .select(Row::as_select())
        .order((widgets::created_at, widgets::id))
        .limit(limit)
        .into_boxed();
    if let Some((at, id)) = after {
        query = query
            .filter(widgets::created_at.gt(at).or(widgets::created_at.eq(at).and(widgets::id.gt(id.uuid()))));
    }
    Ok(query.load(conn)?.into_iter().map(Widget::from).collect())
}
