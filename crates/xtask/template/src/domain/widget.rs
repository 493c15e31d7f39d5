//! A widget.

use chrono::{DateTime, Utc};
use contracts::{OrgId, WidgetId, specimen::v1::WidgetCreated};

#[derive(Debug, Clone, PartialEq)]
pub struct Widget {
    pub id: WidgetId,
    pub org: OrgId,
    pub name: String,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Widget {
    /// A new widget and the fact that it exists.
    pub fn create(id: WidgetId, org: OrgId, name: String, now: DateTime<Utc>) -> (Self, WidgetCreated) {
        let event = WidgetCreated {
            widget_id: id.to_string(),
            organization_id: org.to_string(),
            name: name.clone(),
            created_at: Some(now.into()),
        };
        (Self { id, org, name, version: 1, created_at: now, updated_at: now }, event)
    }
}
