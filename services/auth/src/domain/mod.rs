//! What holds in auth whatever stores or serves it: no HTTP, SQL or broker here.

pub mod access;
pub mod attempts;
pub mod email;
pub mod membership;
pub mod password;
pub mod refresh_token;
pub mod session;
pub mod signing_key;
pub mod user;
