//! Every code has its page, and every page is about its code.

use std::fmt::Write as _;
use std::path::Path;

use kit::{ErrorCode, Service};

fn codes() -> Vec<ErrorCode> {
    let mut codes: Vec<ErrorCode> = kit::http::codes::ALL.iter().map(|code| **code).collect();
    codes.extend(gateway::Gateway::error_codes());
    codes
}

#[test]
fn every_code_of_the_framework_and_the_gateway_has_a_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let mut wrong = String::new();
    for ErrorCode { code, status, title } in codes() {
        let page = std::fs::read_to_string(folder.join(format!("{code}.md"))).unwrap_or_default();
        let begin = format!("# {code}\n\n{title}. Status {status}.\n\n## Why\n\n");
        if !page.starts_with(&begin) || !page.contains("\n## What to do\n") {
            let _ = writeln!(wrong, "{code}.md must begin with {begin:?} and say what to do");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_codes_are_as_published() {
    let table: Vec<String> =
        gateway::Gateway::error_codes().iter().map(|c| format!("{} {} {}", c.status, c.code, c.title)).collect();
    assert_eq!(
        table,
        [
            "400 ambiguous_path The path can be read in two ways",
            "403 origin_not_allowed Browsers may not call from this origin",
            "404 service_not_deployed This installation does not have the service behind this route",
            "501 upgrade_not_supported Protocol upgrades are not supported here",
            "502 upstream_failed The service behind this route failed",
            "503 upstream_unavailable The service behind this route is unavailable",
            "504 upstream_timeout The service behind this route took too long",
        ]
    );
}
