//! The specimen service over HTTP, SQL and the broker, each test with a database and an exchange of its own.

mod access;
mod migrations;
mod widgets;
