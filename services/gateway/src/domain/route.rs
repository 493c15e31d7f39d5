//! The route table: which prefix belongs to which service, and which calls need no token.

use super::service::Service;

/// Calls that have the same limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A look or a change: small and soon over.
    Ordinary,
    /// A call of a language model: images in the request, and an answer that takes its time.
    Model,
    /// Brings a document or a file: large, and it may come over a slow line.
    Upload,
}

/// Everything at a prefix, and below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whole segments: `/v1/auth` covers `/v1/auth` and `/v1/auth/x`, not `/v1/authors`.
    pub prefix: &'static str,
    /// Where it goes.
    pub service: Service,
    /// What limits it has.
    pub class: Class,
}

const fn route(prefix: &'static str, service: Service) -> Route {
    Route { prefix, service, class: Class::Ordinary }
}

const fn model(prefix: &'static str) -> Route {
    Route { prefix, service: Service::Ai, class: Class::Model }
}

const fn upload(prefix: &'static str, service: Service) -> Route {
    Route { prefix, service, class: Class::Upload }
}

/// What goes where: the first row that covers a path. `/internal` is in no row, and never will be.
pub const ROUTES: &[Route] = &[
    route("/.well-known", Service::Auth),
    route("/v1/auth", Service::Auth),
    route("/v1/users", Service::Users),
    route("/v1/organizations", Service::Users),
    model("/v1/chat/completions"),
    model("/v1/responses"),
    model("/v1/messages"),
    model("/v1/embeddings"),
    route("/v1/models", Service::Ai),
    route("/v1/ai", Service::Ai),
    upload("/v1/memory/documents", Service::Memory),
    upload("/v1/memory/import", Service::Memory),
    route("/v1/memory", Service::Memory),
    route("/mcp", Service::Memory),
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

    /// The row in the framework's words.
    pub fn template(&self) -> String {
        format!("{}{{rest:.*}}", self.prefix)
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
        assert_eq!(find("/v1/models/gpt/5").unwrap().service, Service::Ai);
        assert_eq!(find("/mcp").unwrap().service, Service::Memory);
        for other in [
            "/v1/authors",
            "/v1/chat",
            "/v1/chat/completionsx",
            "/v1/aix",
            "/mcps",
            "/v1/mcp",
            "/v2/auth",
            "/internal/token",
            "/v1",
            "/",
            "",
            "/V1/auth",
            "/v1/%61uth",
        ] {
            assert_eq!(find(other), None, "{other}");
        }
    }

    #[test]
    fn no_prefix_hides_another_and_none_leads_inside() {
        for (index, route) in ROUTES.iter().enumerate() {
            assert!(ROUTES[..index].iter().all(|before| !before.covers(route.prefix)), "{}", route.prefix);
            assert!(!route.prefix.contains("internal"));
        }
    }

    #[test]
    fn only_what_runs_a_model_has_a_models_limits() {
        let of = |path| find(path).unwrap().class;
        for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages/count_tokens", "/v1/embeddings"] {
            assert_eq!(of(path), Class::Model, "{path}");
        }
        for path in ["/v1/models", "/v1/ai/providers", "/v1/users/me", "/v1/auth/login"] {
            assert_eq!(of(path), Class::Ordinary, "{path}");
        }
    }

    #[test]
    fn only_what_brings_files_has_the_limits_of_uploads() {
        let of = |path| find(path).unwrap().class;
        for path in ["/v1/memory/documents", "/v1/memory/import"] {
            assert_eq!(of(path), Class::Upload, "{path}");
        }
        for path in ["/v1/memory", "/v1/memory/memories", "/v1/memory/documentsx", "/v1/memory/export"] {
            assert_eq!(of(path), Class::Ordinary, "{path}");
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
