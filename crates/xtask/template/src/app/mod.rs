//! Use cases: one file and one public function each.

pub mod create_widget;
pub mod get_widget;
pub mod list_widgets;
