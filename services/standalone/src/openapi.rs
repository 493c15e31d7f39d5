//! `brainops openapi`: the API on paper.

use anyhow::bail;
use auth::Auth;
use gateway::Gateway;
use kit::Service;
use users::Users;
use utoipa::openapi::OpenApi;

use crate::progress::say;

/// One service's document, or all of them merged the way the gateway serves them.
pub fn print(service: Option<&str>) -> anyhow::Result<()> {
    let document = match service {
        Some("auth") => Auth::openapi(),
        Some("users") => Users::openapi(),
        Some("gateway") => Gateway::openapi(),
        Some(other) => bail!("there is no service {other}; there are auth, users and gateway"),
        None => merged()?,
    };
    say(format_args!("{}", document.to_pretty_json()?));
    Ok(())
}

fn merged() -> anyhow::Result<OpenApi> {
    todo_merge()
}
