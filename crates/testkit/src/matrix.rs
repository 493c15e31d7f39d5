//! The routes of a service by its own document, so that a test can notice one that nobody thought of.

use kit::Service;
use utoipa::openapi::OpenApi;

/// One operation: method and path template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    pub method: &'static str,
    pub path: String,
}

/// Every operation that the OpenAPI document of `S` describes, sorted.
pub fn operations<S: Service>() -> Vec<Operation> {
    let OpenApi { paths, .. } = S::openapi();
    let mut found = Vec::new();
    for (path, item) in paths.paths {
        let methods = [
            ("GET", item.get.is_some()),
            ("POST", item.post.is_some()),
            ("PUT", item.put.is_some()),
            ("PATCH", item.patch.is_some()),
            ("DELETE", item.delete.is_some()),
        ];
        let described = methods.into_iter().filter(|(_, there)| *there);
        found.extend(described.map(|(method, _)| Operation { method, path: path.clone() }));
    }
    found.sort();
    found
}
