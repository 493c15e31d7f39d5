//! Arrows between the layers of a service, and who may publish which event, from the paths in its sources.

use super::{Kind, Language, Source, paths};

/// A layer (folder under `src/` of a service) and what its files must not name.
struct Rule {
    layer: &'static str,
    /// Other crates.
    crates: &'static [&'static str],
    /// Other layers.
    layers: &'static [&'static str],
    because: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        layer: "domain",
        crates: &[
            "actix_http",
            "actix_web",
            "db",
            "diesel",
            "diesel_migrations",
            "events",
            "hyper",
            "hyper_util",
            "lapin",
            "r2d2",
            "reqwest",
            "rmcp",
            "rustls",
            "tokio",
            "tokio_util",
        ],
        layers: &["api", "app", "clients", "events", "jobs", "mcp", "state", "store"],
        because: "rules are plain functions of plain values; I/O happens around them",
    },
    Rule {
        layer: "api",
        crates: &["diesel", "diesel_migrations", "r2d2", "lapin"],
        layers: &["store"],
        because: "a handler calls a use case in app; only app and store know the database",
    },
    Rule {
        layer: "mcp",
        crates: &["diesel", "diesel_migrations", "r2d2", "lapin"],
        layers: &["store"],
        because: "a tool is a handler for models; only app and store know the database",
    },
    Rule {
        layer: "app",
        crates: &["actix_http", "actix_web", "lapin", "rmcp"],
        layers: &["api", "mcp"],
        because: "a use case is called from HTTP, a consumer and a test alike",
    },
    Rule {
        layer: "store",
        crates: &["actix_http", "actix_web", "lapin", "rmcp"],
        layers: &["api", "app", "mcp"],
        because: "queries take a connection and plain values",
    },
];

/// One line for each forbidden path.
pub fn violations(sources: &[Source]) -> Vec<String> {
    let rust_of_services = sources.iter().filter(|s| s.kind == Kind::Service && s.language == Language::Rust);
    let mut found = Vec::new();
    for source in rust_of_services {
        let module = module(&source.path);
        let named = paths::named(&source.text, &module);
        let publishes = named.iter().any(|n| n.path.windows(2).any(|pair| pair == ["outbox", "append"]));
        for named in &named {
            let reason = match module.first() {
                Some(layer) => forbidden(layer, &named.path),
                None => None,
            };
            let reason = reason.or_else(|| if publishes { foreign_event(&source.package, &named.path) } else { None });
            if let Some(reason) = reason {
                found.push(format!("{} names {}: {reason}", source.place(named.line), named.path.join("::")));
            }
        }
    }
    found
}

/// `src/api/users.rs` -> `["api", "users"]`.
fn module(path: &str) -> Vec<&str> {
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    inside.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main")).collect()
}

fn forbidden(layer: &str, path: &[String]) -> Option<String> {
    let rule = RULES.iter().find(|rule| rule.layer == layer)?;
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let what = match parts.as_slice() {
        ["crate", other, ..] if rule.layers.contains(other) => Some(*other),
        // db hands diesel on, so that there is one version of it.
        ["db", "diesel", ..] if rule.crates.contains(&"diesel") => Some("diesel"),
        [other, ..] if rule.crates.contains(other) => Some(*other),
        _ => None,
    }?;
    Some(format!("{layer} does not use {what}; {}", rule.because))
}

/// A file that appends to the outbox has no business with another service's events: each type has one publisher.
fn foreign_event(package: &str, path: &[String]) -> Option<String> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["contracts", service, version, ..] if *service != package && is_version(version) => {
            Some(format!("an event of {service} in a file that publishes; only {service} publishes its events"))
        }
        _ => None,
    }
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        violations(&[Source {
            package: "auth".into(),
            kind: Kind::Service,
            language: Language::Rust,
            path: path.into(),
            text: text.into(),
        }])
    }

    #[test]
    fn each_forbidden_arrow_is_caught() {
        let cases = [
            ("src/domain/user.rs", "use actix_web::HttpRequest;", "domain does not use actix_web"),
            ("src/domain/user.rs", "use diesel::prelude::*;", "domain does not use diesel"),
            ("src/domain/user.rs", "use ::db::Db;", "domain does not use db"),
            ("src/domain/mod.rs", "fn f(c: lapin::Channel) {}", "domain does not use lapin"),
            ("src/domain/user.rs", "use crate::store::users;", "domain does not use store"),
            ("src/domain/user.rs", "use super::super::api::dto::User;", "domain does not use api"),
            ("src/domain/user.rs", "tokio::spawn(x)", "domain does not use tokio"),
            ("src/api/users.rs", "use diesel::PgConnection;", "api does not use diesel"),
            ("src/api/users.rs", "use db::{Db, diesel::prelude::*};", "api does not use diesel"),
            ("src/api/users.rs", "use crate::{app::x, store::users::Row};", "api does not use store"),
            ("src/api.rs", "use crate::store;", "api does not use store"),
            ("src/mcp/calls.rs", "use crate::store::users;", "mcp does not use store"),
            ("src/app/register.rs", "use crate::mcp;", "app does not use mcp"),
            ("src/app/register.rs", "use actix_web::web;", "app does not use actix_web"),
            ("src/app/register.rs", "use crate::api::dto::User;", "app does not use api"),
            ("src/store/users.rs", "use actix_web::web::Data;", "store does not use actix_web"),
            ("src/store/users.rs", "use crate::api::dto::User;", "store does not use api"),
            (
                "src/app/x.rs",
                "use contracts::users::v1::MembershipAdded; fn f() { outbox::append(c) }",
                "an event of users",
            ),
            ("src/app/x.rs", "fn f() { db::outbox::append(c, &contracts::users::v1::X {}) }", "an event of users"),
        ];
        for (path, text, reason) in cases {
            let found = check(path, text);
            let [line] = found.as_slice() else { panic!("{path} {text}: {found:?}") };
            assert!(line.contains(reason) && line.starts_with(&format!("services/auth/{path}:1 ")), "{line}");
        }
    }

    #[test]
    fn what_is_allowed_passes() {
        let allowed = [
            (
                "src/domain/user.rs",
                "use contracts::UserId; use chrono::DateTime; use crate::domain::email::Email; use kit::Principal;",
            ),
            ("src/domain/user.rs", "// diesel::x\nlet s = \"crate::store::x\"; let db = 1; events.len();"),
            (
                "src/api/users.rs",
                "use actix_web::web; use crate::{app::register, domain::user::User, state::AppState}; use db::Db;",
            ),
            (
                "src/app/register.rs",
                "use db::diesel::PgConnection; use crate::{domain, store::users}; outbox::append(c, &contracts::auth::v1::X {})",
            ),
            ("src/store/users.rs", "use db::diesel::prelude::*; use crate::domain::user::User;"),
            ("src/events/membership_added.rs", "use contracts::users::v1::MembershipAdded; use ::events::Delivery;"),
            ("src/app/x.rs", "use contracts::{UserId, auth::v1::UserRegistered}; outbox::append(c)"),
            ("src/lib.rs", "use actix_web::web; use crate::{api, store, events};"),
        ];
        for (path, text) in allowed {
            assert_eq!(check(path, text), Vec::<String>::new(), "{path} {text}");
        }
    }

    #[test]
    fn shared_crates_have_no_layers() {
        let text = "use diesel::prelude::*;".to_owned();
        let source = Source {
            package: "db".into(),
            kind: Kind::Crate,
            language: Language::Rust,
            path: "src/domain/x.rs".into(),
            text,
        };
        assert_eq!(violations(&[source]), Vec::<String>::new());
    }
}
