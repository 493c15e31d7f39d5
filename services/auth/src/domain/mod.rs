//! What holds in auth whatever stores or serves it: no HTTP, SQL or broker here.

pub mod access;
pub mod api_key;
pub mod attempts;
pub mod email;
pub mod membership;
pub mod networks;
pub mod password;
pub mod refresh_token;
pub mod session;
pub mod signing_key;
pub mod user;
