//! localinfra against the real servers, and against the ways in which their parents die.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod orphans;
mod postgres;
mod rabbit;
mod shared;
mod support;
