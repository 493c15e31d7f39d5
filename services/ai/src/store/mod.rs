//! Rows and queries.
