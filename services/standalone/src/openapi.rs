//! `brainops openapi`: the API on paper.

use anyhow::bail;
use auth::Auth;
use gateway::{Gateway, app::merge_openapi::merge, domain::route};
use kit::Service;
use serde_json::{Value, to_value};
use users::Users;

use crate::{cli::DEFAULT_HTTP, progress::say};

/// One service's document, or all of them merged the way the gateway serves them.
pub fn print(service: Option<&str>) -> anyhow::Result<()> {
    let document = match service {
        Some("auth") => to_value(Auth::openapi())?,
        Some("users") => to_value(Users::openapi())?,
        Some("gateway") => to_value(Gateway::openapi())?,
        Some(other) => bail!("there is no service {other}; there are auth, users and gateway"),
        None => merged()?,
    };
    say(format_args!("{document:#}"));
    Ok(())
}

fn merged() -> anyhow::Result<Value> {
    let (auth, users) = (to_value(Auth::openapi())?, to_value(Users::openapi())?);
    let parts = [(route::Service::Auth, &auth), (route::Service::Users, &users)];
    Ok(merge(to_value(Gateway::openapi())?, parts.into_iter(), &format!("http://{DEFAULT_HTTP}")))
}
