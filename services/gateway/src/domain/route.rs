//! The route table: which prefix belongs to which service, and which calls need no token.

use std::fmt;

/// A service behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Identities and tokens.
    Auth,
    /// People and organizations.
    Users,
}

impl Service {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 2] = [Self::Auth, Self::Users];

    /// As in its schema, its metrics and its events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Users => "users",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Everything at a prefix, and below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whole segments: `/v1/auth` covers `/v1/auth` and `/v1/auth/x`, not `/v1/authors`.
    pub prefix: &'static str,
    /// Where it goes.
    pub service: Service,
}

const fn route(prefix: &'static str, service: Service) -> Route {
    Route { prefix, service }
}

/// What goes where. No prefix is inside another. `/internal` is in no row, and never will be.
pub const ROUTES: &[Route] = &[
    route("/.well-known", Service::Auth),
    route("/v1/auth", Service::Auth),
    route("/v1/users", Service::Users),
    route("/v1/organizations", Service::Users),
];

/// Calls that need no token, as (method, path template); `{}` stands for one segment. Everything else needs one.
pub const PUBLIC: &[(&str, &str)] = &[
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/openid-configuration"),
    ("POST", "/v1/auth/register"),
    ("POST", "/v1/auth/login"),
    ("POST", "/v1/auth/token/refresh"),
];

impl Route {
    /// Whether `path` is at this prefix or below it. Compares the bytes as they were sent: an encoded spelling of a
    /// prefix is another path.
    pub fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The row for `path`.
pub fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.covers(path))
}

/// Whether the call needs no token. HEAD is as public as GET.
pub fn is_public(method: &str, path: &str) -> bool {
    let method = if method == "HEAD" { "GET" } else { method };
    PUBLIC.iter().any(|(public, template)| *public == method && matches(template, path))
}

fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some("{}"), Some(segment)) if !segment.is_empty() => {}
            (Some(expected), Some(segment)) if expected == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_covers_whole_segments() {
        assert_eq!(find("/v1/auth/login").unwrap().service, Service::Auth);
        assert_eq!(find("/v1/users").unwrap().service, Service::Users);
        for other in ["/v1/authors", "/v2/auth", "/internal/token", "/v1", "/", "", "/V1/auth", "/v1/%61uth"] {
            assert_eq!(find(other), None, "{other}");
        }
    }

    #[test]
    fn no_prefix_hides_another_and_none_leads_inside() {
        for (index, route) in ROUTES.iter().enumerate() {
            let others = ROUTES.iter().enumerate().filter(|(other, _)| *other != index);
            assert!(others.into_iter().all(|(_, other)| !other.covers(route.prefix)), "{}", route.prefix);
            assert!(!route.prefix.contains("internal"));
        }
    }

    #[test]
    fn every_public_call_is_routed() {
        for (method, template) in PUBLIC {
            assert!(find(template).is_some(), "{method} {template}");
        }
    }

    #[test]
    fn public_is_exact() {
        assert!(is_public("POST", "/v1/auth/login"));
        assert!(is_public("HEAD", "/.well-known/jwks.json"));
        for (method, path) in [
            ("GET", "/v1/auth/login"),
            ("POST", "/v1/auth/login/"),
            ("POST", "/v1/auth/login/x"),
            ("POST", "/v1/auth/logout"),
            ("POST", "/v1/auth"),
            ("post", "/v1/auth/login"),
            ("GET", "/v1/users/me"),
        ] {
            assert!(!is_public(method, path), "{method} {path}");
        }
    }

    #[test]
    fn a_placeholder_is_one_segment() {
        assert!(matches("/v1/invitations/{}/accept", "/v1/invitations/abc/accept"));
        assert!(!matches("/v1/invitations/{}/accept", "/v1/invitations//accept"));
        assert!(!matches("/v1/invitations/{}/accept", "/v1/invitations/a/b/accept"));
    }
}
