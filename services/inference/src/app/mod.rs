//! What the service does, one use case a file.

pub mod complete_chat;
pub mod complete_text;
pub mod embed;
pub mod list_models;
