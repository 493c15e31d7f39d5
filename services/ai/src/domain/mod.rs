//! Types and rules of the model gateway; no I/O.

pub mod access;
pub mod caller;
pub mod chat;
pub mod csv;
pub mod definition;
pub mod embedding;
pub mod fit;
pub mod forecast;
pub mod json;
pub mod model;
pub mod money;
pub mod provider;
pub mod quota;
pub mod recalled;
pub mod report;
pub mod team;
pub mod tokens;
pub mod turn;
pub mod usage;
pub mod warnings;
pub mod window;
