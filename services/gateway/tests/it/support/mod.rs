//! A gateway started for real, services for it to call, and raw sockets for what no HTTP library would send.

mod app;
mod backend;
mod raw;

pub use app::{App, AppBuilder};
pub use backend::{Backend, Seen};
pub use raw::{Script, raw_service, speak, status_of};
