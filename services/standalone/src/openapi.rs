//! `brainops openapi`: the API on paper.

use anyhow::bail;
use gateway::{Gateway, app::merge_openapi::merge};
use kit::Service as _;
use serde_json::{Value, to_value};

use crate::{cli::DEFAULT_HTTP, progress::say, services::SERVICES};

/// One service's document, or all of them merged the way the gateway serves them.
pub fn print(service: Option<&str>) -> anyhow::Result<()> {
    let document = match service {
        Some(name) => match SERVICES.iter().find(|part| part.name == name) {
            Some(part) => to_value((part.openapi)())?,
            None => bail!("there is no service {name}; there are {}", names().join(", ")),
        },
        None => merged()?,
    };
    say(format_args!("{document:#}"));
    Ok(())
}

fn names() -> Vec<&'static str> {
    SERVICES.iter().map(|part| part.name).collect()
}

fn merged() -> anyhow::Result<Value> {
    let mut parts = Vec::new();
    for part in SERVICES {
        if let Some(route) = part.route {
            parts.push((route, to_value((part.openapi)())?));
        }
    }
    let parts = parts.iter().map(|(route, document)| (*route, document));
    Ok(merge(to_value(Gateway::openapi())?, parts, &format!("http://{DEFAULT_HTTP}")))
}
