//! Use cases: one file and one public function each.

pub mod add_memory;
pub mod append_messages;
pub mod create_session;
pub mod delete_memory;
pub mod delete_session;
pub mod expire;
pub mod fork_session;
pub mod get_memory;
pub mod get_session;
pub mod list_memories;
pub mod list_memory_history;
pub mod list_messages;
pub mod list_sessions;
pub mod search;
pub mod update_memory;
pub mod update_session;
