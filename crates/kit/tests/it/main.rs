//! Kit from outside: a tiny service is started, asked, broken and stopped, inside this process and as one of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod exports;
mod http_dialect;
mod http_edge;
mod http_extractors;
mod http_support;
mod jwks;
mod jwt_corpus;
mod lifecycle;
mod principals;
mod process;
mod tiny;
