//! What goes over the wire. Requests are checked here; serde and utoipa stop here.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

use crate::domain::widget::Widget;

/// A widget.
#[derive(Debug, Serialize, ToSchema)]
pub struct WidgetView {
    /// The widget's id.
    pub id: Uuid,
    /// Its name.
    #[schema(example = "Sprocket")]
    pub name: String,
    /// Grows by one with each change; also the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Widget> for WidgetView {
    fn from(widget: Widget) -> Self {
        Self {
            id: widget.id.uuid(),
            name: widget.name,
            version: widget.version,
            created_at: widget.created_at,
            updated_at: widget.updated_at,
        }
    }
}

/// A new widget.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WidgetCreate {
    /// 1 to 100 characters, not blank.
    #[schema(example = "Sprocket", min_length = 1, max_length = 100)]
    #[validate(length(min = 1, max = 100), custom(function = "not_blank"))]
    pub name: String,
}

fn not_blank(text: &str) -> Result<(), ValidationError> {
    if !text.trim().is_empty() && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let message = "Give it at least one visible character and no control characters.";
    Err(ValidationError::new("blank").with_message(message.into()))
}
