//! Arrows between packages, from their manifests.

use super::{Kind, Package};

/// The shared crates and what of ours each may use: one chain, and the tools beside it.
const SHARED: &[(&str, &[&str])] = &[
    ("contracts", &[]),
    ("kit", &["contracts"]),
    ("db", &["contracts", "kit"]),
    ("events", &["contracts", "kit", "db"]),
    ("localinfra", &[]),
    ("testkit", &["contracts", "kit", "db", "events"]),
    ("xtask", &[]),
];

/// What a service may use of ours. Another service is never among it.
const SERVICE_MAY_USE: &[&str] = &["contracts", "kit", "db", "events"];

/// Runs all services in one process, so it may use them all, and the local broker and database.
const STANDALONE: &str = "standalone";

/// What only tests need, and the packages that may ship with it nevertheless.
const FOR_TESTS: &[(&str, &[&str])] = &[("testkit", &[]), ("localinfra", &["testkit", STANDALONE])];

/// Libraries that only some packages may use. `SERVICES` stands for all under services/.
/// A name that ends in `*` stands for all that begin so.
const WRAPPED: &[(&str, &[&str])] = &[
    ("lapin", &["events"]),
    ("diesel*", &["db", "events", "testkit", SERVICES]),
    // testkit plays auth for the services under test, over real HTTP.
    ("actix*", &["kit", "testkit", SERVICES]),
    ("qdrant*", &["memory"]),
    // testkit's fake provider reads requests into the published types.
    ("async-openai*", &["ai", "memory", "testkit"]),
    ("llama-cpp*", &["inference"]),
    ("candle*", &["inference"]),
];
const SERVICES: &str = "services/*";

/// One line for each forbidden dependency.
pub fn violations(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        if package.kind == Kind::Crate && shared(&package.name).is_none() {
            found.push(format!(
                "{0} is a new shared crate: give it its place in the chain (crates/xtask/src/arrows/packages.rs); it needs two users",
                package.name
            ));
        }
        for dependency in &package.dependencies {
            let to = packages.iter().find(|other| other.name == dependency.name);
            let reason = match to {
                Some(to) => forbidden_ours(package, to, dependency.dev),
                None => forbidden_library(package, &dependency.name),
            };
            if let Some(reason) = reason {
                found.push(format!("{} -> {}: {reason}", package.name, dependency.name));
            }
        }
    }
    found
}

fn shared(name: &str) -> Option<&'static [&'static str]> {
    SHARED.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, may_use)| *may_use)
}

fn forbidden_ours(from: &Package, to: &Package, dev: bool) -> Option<&'static str> {
    if let Some((_, ship)) = FOR_TESTS.iter().find(|(name, _)| *name == to.name) {
        return (!dev && !ship.contains(&from.name.as_str())).then_some("only in [dev-dependencies]");
    }
    if from.name == STANDALONE {
        return None;
    }
    match (from.kind, to.kind) {
        (Kind::Service, Kind::Service) => Some("a service never uses another; ask over HTTP or consume its events"),
        (Kind::Crate, Kind::Service) => Some("a shared crate never uses a service"),
        (Kind::Service, Kind::Crate) => {
            (!SERVICE_MAY_USE.contains(&to.name.as_str())).then_some("services use contracts, kit, db and events")
        }
        (Kind::Crate, Kind::Crate) => shared(&from.name)
            .is_some_and(|may_use| !may_use.contains(&to.name.as_str()))
            .then_some("against the chain contracts <- kit <- db <- events"),
    }
}

fn forbidden_library(from: &Package, library: &str) -> Option<&'static str> {
    let matches =
        |pattern: &str| pattern.strip_suffix('*').map_or(library == pattern, |start| library.starts_with(start));
    let (_, users) = WRAPPED.iter().find(|(pattern, _)| matches(pattern))?;
    let allowed = users.contains(&from.name.as_str()) || (from.kind == Kind::Service && users.contains(&SERVICES));
    (!allowed).then_some("this library has its own crate; use that one's types")
}

#[cfg(test)]
mod tests {
    use super::{super::Dependency, *};

    fn package(name: &str, kind: Kind, dependencies: &[&str]) -> Package {
        let dependency = |name: &&str| match name.strip_prefix("dev:") {
            Some(name) => Dependency { name: name.to_owned(), dev: true },
            None => Dependency { name: (*name).to_owned(), dev: false },
        };
        Package { name: name.to_owned(), kind, dependencies: dependencies.iter().map(dependency).collect() }
    }

    /// The violations of `name` in a workspace where everything else is in order.
    fn check(name: &str, kind: Kind, dependencies: &[&str]) -> Vec<String> {
        let mut packages: Vec<Package> = SHARED.iter().map(|(name, _)| package(name, Kind::Crate, &[])).collect();
        packages.extend(["auth", "users", STANDALONE].map(|name| package(name, Kind::Service, &[])));
        packages.retain(|other| other.name != name);
        packages.push(package(name, kind, dependencies));
        violations(&packages)
    }

    #[test]
    fn the_chain_as_it_should_be_is_accepted() {
        for (name, may_use) in SHARED {
            assert_eq!(check(name, Kind::Crate, may_use), Vec::<String>::new());
        }
        let service = ["contracts", "kit", "db", "events", "diesel", "actix-web", "serde", "dev:testkit"];
        assert_eq!(check("auth", Kind::Service, &service), Vec::<String>::new());
        assert_eq!(
            check(STANDALONE, Kind::Service, &["auth", "users", "localinfra", "dev:testkit"]),
            Vec::<String>::new()
        );
        assert_eq!(check("events", Kind::Crate, &["lapin", "dev:testkit", "dev:localinfra"]), Vec::<String>::new());
    }

    #[test]
    fn each_forbidden_arrow_is_caught() {
        use Kind::{Crate, Service};
        let cases = [
            ("auth", Service, "users", "a service never uses another"),
            ("auth", Service, "dev:users", "a service never uses another"),
            ("kit", Crate, "auth", "a shared crate never uses a service"),
            ("testkit", Crate, "auth", "a shared crate never uses a service"),
            ("auth", Service, "localinfra", "only in [dev-dependencies]"),
            ("db", Crate, "localinfra", "only in [dev-dependencies]"),
            ("auth", Service, "xtask", "services use contracts"),
            ("auth", Service, "testkit", "only in [dev-dependencies]"),
            ("standalone", Service, "testkit", "only in [dev-dependencies]"),
            ("contracts", Crate, "kit", "against the chain"),
            ("kit", Crate, "db", "against the chain"),
            ("db", Crate, "events", "against the chain"),
            ("localinfra", Crate, "kit", "against the chain"),
            ("kit", Crate, "dev:db", "against the chain"),
            ("xtask", Crate, "contracts", "against the chain"),
            ("kit", Crate, "diesel", "its own crate"),
            ("kit", Crate, "diesel_migrations", "its own crate"),
            ("kit", Crate, "lapin", "its own crate"),
            ("auth", Service, "lapin", "its own crate"),
            ("db", Crate, "actix-web", "its own crate"),
            ("contracts", Crate, "actix-http", "its own crate"),
            ("auth", Service, "qdrant-client", "its own crate"),
            ("users", Service, "async-openai", "its own crate"),
            ("auth", Service, "candle-core", "its own crate"),
            ("auth", Service, "llama-cpp-2", "its own crate"),
        ];
        for (from, kind, to, reason) in cases {
            let found = check(from, kind, &[to]);
            let [line] = found.as_slice() else { panic!("{from} -> {to}: {found:?}") };
            let arrow = format!("{from} -> {}: ", to.trim_start_matches("dev:"));
            assert!(line.starts_with(&arrow) && line.contains(reason), "{line}");
        }
    }

    #[test]
    fn a_new_shared_crate_is_asked_for_its_place() {
        let found = check("helpers", Kind::Crate, &[]);
        assert!(matches!(found.as_slice(), [line] if line.contains("helpers is a new shared crate")), "{found:?}");
    }
}
