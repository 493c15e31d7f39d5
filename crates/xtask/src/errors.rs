//! Every error code that a client can meet has one meaning and one page, `docs/errors/<code>.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::{services, workspace};

const PAGES: &str = "docs/errors";
/// The list of all pages is no page of a code.
const INDEX: &str = "README";

/// One code as `<service> error-codes` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct ErrorCode {
    code: String,
    status: u16,
    title: String,
}

type Codes = BTreeMap<String, Vec<ErrorCode>>;

/// Prints the codes of all services; with `check` prints problems only, and fails when there are any.
pub fn list(root: &Path, check: bool) -> anyhow::Result<()> {
    let codes = codes(root)?;
    if !check {
        for (service, codes) in &codes {
            for ErrorCode { code, status, title } in codes {
                println!("{status} {code:<32} {service:<12} {title}");
            }
        }
        return Ok(());
    }
    let problems = problems(&codes, &pages(&root.join(PAGES))?);
    if problems.is_empty() {
        println!("every error code has its page");
        return Ok(());
    }
    bail!("{} problem(s) with error codes\n  {}", problems.len(), problems.join("\n  "))
}

fn codes(root: &Path) -> anyhow::Result<Codes> {
    let parse = |(service, answer): (String, Vec<u8>)| {
        let codes =
            serde_json::from_slice(&answer).with_context(|| format!("`{service} error-codes` did not print codes"))?;
        Ok((service, codes))
    };
    services::ask(root, "error-codes")?.into_iter().map(parse).collect()
}

fn pages(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let names = workspace::files(folder, "md")?.into_iter();
    let stems = names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    Ok(stems.filter(|name| name != INDEX).collect())
}

fn problems(codes: &Codes, pages: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut known: BTreeMap<&str, (&str, &ErrorCode)> = BTreeMap::new();
    for (service, codes) in codes {
        for code in codes {
            match known.insert(&code.code, (service, code)) {
                Some((other, first)) if first != code => problems.push(format!(
                    "{}: {other} says {} \"{}\", {service} says {} \"{}\"",
                    code.code, first.status, first.title, code.status, code.title
                )),
                _ => {}
            }
        }
    }
    for (code, (service, _)) in &known {
        if !pages.contains(*code) {
            problems.push(format!("{code} of {service}: write {PAGES}/{code}.md"));
        }
    }
    for page in pages.iter().filter(|page| !known.contains_key(page.as_str())) {
        problems.push(format!("{PAGES}/{page}.md: no service has this code; delete the page"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str, status: u16) -> ErrorCode {
        ErrorCode { code: code.to_owned(), status, title: "T".to_owned() }
    }

    #[test]
    fn finds_missing_orphaned_and_ambiguous_codes() {
        let codes = Codes::from([
            ("auth".to_owned(), vec![code("locked", 423), code("busy", 503)]),
            ("users".to_owned(), vec![code("busy", 500), code("locked", 423)]),
        ]);
        let pages = ["busy".to_owned(), "gone".to_owned()].into();
        let problems = problems(&codes, &pages).join("\n");
        assert!(problems.contains("busy: auth says 503") && problems.contains("users says 500"), "{problems}");
        assert!(problems.contains("write docs/errors/locked.md"), "{problems}");
        assert!(problems.contains("docs/errors/gone.md: no service"), "{problems}");
        assert_eq!(problems.lines().count(), 3, "{problems}");
    }

    #[test]
    fn is_content_when_every_code_has_its_page() {
        let codes = Codes::from([("auth".to_owned(), vec![code("locked", 423)])]);
        assert_eq!(problems(&codes, &["locked".to_owned()].into()), Vec::<String>::new());
    }

    #[test]
    fn the_index_is_not_a_code() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["README.md", "busy.md", "notes.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(pages(dir.path()).unwrap(), ["busy".to_owned()].into());
    }
}
