//! Stamps a new service with one example noun: the anatomy of docs/architecture.md, compiling and tested from the start.
//!
//! `template/` is a whole service called `specimen` about a `widget`; stamping replaces the two words. What has to
//! change outside of the service's own folder (workspace, contracts, error pages) is in [`surroundings`].

mod surroundings;

use std::{path::Path, process::Command, time::SystemTime};

use anyhow::{Context, bail, ensure};
use include_dir::{Dir, include_dir};

use crate::{
    codegen,
    drift::{self, Files},
};

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/template");

/// Stands for the day of the first migration in the template's paths.
const DATE: &str = "DATE";

/// Names that a service cannot have: crates of ours, and words that Rust keeps.
const TAKEN: &[&str] = &[
    "contracts",
    "kit",
    "db",
    "events",
    "localinfra",
    "testkit",
    "xtask",
    "standalone",
    "core",
    "std",
    "alloc",
    "test",
    "crate",
    "self",
    "super",
    "type",
    "mod",
    "use",
    "fn",
    "impl",
    "match",
    "move",
    "box",
    "gen",
    "dyn",
    "async",
    "await",
    "try",
    "public",
];

/// Stamps `services/<name>`, formats it and says what is left to do by hand.
pub fn run(root: &Path, name: &str, noun: &str) -> anyhow::Result<()> {
    stamp(root, name, noun)?;
    let status = Command::new(env!("CARGO"))
        .args(["fmt", "--package", name, "--package", "contracts"])
        .current_dir(root)
        .status();
    ensure!(status.context("cannot run cargo fmt")?.success(), "cargo fmt failed");
    println!("{}", left_to_do(name));
    Ok(())
}

fn left_to_do(name: &str) -> String {
    format!(
        "services/{name} is there. Left to do by hand:
  1. cargo nextest run -p contracts -p {name}
  2. cargo xtask openapi      writes services/{name}/openapi.json
  3. services/gateway         a row in src/domain/service.rs, its prefixes in route.rs
  4. services/auth            its client secret in BRAINOPS_AUTH_CLIENTS
  5. services/standalone      start it with the others
  6. crates/contracts         scopes of its own, when roles are not enough"
    )
}

/// Writes all files. Refuses names that cannot be, and never overwrites a service.
fn stamp(root: &Path, name: &str, noun: &str) -> anyhow::Result<()> {
    for (what, word) in [("service", name), ("noun", noun)] {
        ensure!(is_word(word), "the {what}'s name must be one word of 2 to 30 letters a-z, not `{word}`");
        ensure!(!TAKEN.contains(&word), "`{word}` is taken");
    }
    if root.join("services").join(name).exists() {
        bail!("services/{name} exists already");
    }
    let words = Words { name, noun };
    let mut files = service(&words)?;
    files.extend(surroundings::files(root, &words)?);
    drift::settle(root, &files, false, "")?;
    drift::settle(root, &codegen::generate(root)?, false, "")
}

fn is_word(text: &str) -> bool {
    (2..=30).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase())
}

fn service(words: &Words<'_>) -> anyhow::Result<Files> {
    let day = today()?;
    let mut files = Files::new();
    let mut folders = vec![&TEMPLATE];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let path = file.path().to_str().context("a path of the template is no text")?;
            let text = file.contents_utf8().with_context(|| format!("{path} of the template is no text"))?;
            let path = words.fill(path).replace(DATE, &day);
            files.insert(format!("services/{}/{path}", words.name), words.fill(text));
        }
    }
    Ok(files)
}

/// Today in UTC: `2026-01-31`.
#[expect(clippy::disallowed_methods, reason = "a tool has no clock to ask, and the day is only part of a name")]
fn today() -> anyhow::Result<String> {
    let now = prost_types::Timestamp::from(SystemTime::now()).to_string();
    let (day, _) = now.split_once('T').context("the clock says no date")?;
    Ok(day.to_owned())
}

/// The two words that make a specimen a service.
struct Words<'a> {
    name: &'a str,
    noun: &'a str,
}

impl Words<'_> {
    fn fill(&self, text: &str) -> String {
        let article = if self.noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "n" } else { "" };
        text.replace(" a widget", &format!(" a{article} widget"))
            .replace("A widget", &format!("A{article} widget"))
            .replace("Specimen", &capitalized(self.name))
            .replace("specimen", self.name)
            .replace("WIDGET", &self.noun.to_uppercase())
            .replace("Widget", &capitalized(self.noun))
            .replace("widget", self.noun)
    }
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::workspace;

    /// A copy of what stamping reads.
    fn copy() -> tempfile::TempDir {
        let (from, to) = (workspace::root(), tempfile::tempdir().unwrap());
        let mut needed = vec!["Cargo.toml".to_owned(), "docs/events.md".to_owned()];
        needed.extend(surroundings::EDITED.map(str::to_owned));
        for path in workspace::files(&from.join("proto"), "proto").unwrap() {
            needed.push(path.strip_prefix(&from).unwrap().to_str().unwrap().to_owned());
        }
        for name in needed {
            let target = to.path().join(&name);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(from.join(&name), target).unwrap();
        }
        to
    }

    #[test]
    fn the_anatomy_is_complete() {
        let root = copy();
        stamp(root.path(), "library", "book").unwrap();
        let folder = root.path().join("services/library");
        let files: BTreeSet<String> = ["rs", "sql", "toml", "md"]
            .into_iter()
            .flat_map(|extension| workspace::files(&folder, extension).unwrap())
            .map(|path| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned())
            .collect();
        let expected = [
            "Cargo.toml",
            "README.md",
            "src/api/books.rs",
            "src/api/dto.rs",
            "src/api/mod.rs",
            "src/app/create_book.rs",
            "src/app/get_book.rs",
            "src/app/list_books.rs",
            "src/app/mod.rs",
            "src/config.rs",
            "src/domain/access.rs",
            "src/domain/book.rs",
            "src/domain/mod.rs",
            "src/error.rs",
            "src/lib.rs",
            "src/main.rs",
            "src/state.rs",
            "src/store/books.rs",
            "src/store/mod.rs",
            "src/store/schema.rs",
            "tests/it/access.rs",
            "tests/it/books.rs",
            "tests/it/main.rs",
            "tests/it/migrations.rs",
        ];
        let missing: Vec<_> = expected.iter().filter(|name| !files.contains(**name)).collect();
        assert!(missing.is_empty(), "missing: {missing:?}");
        let migrations: Vec<_> = files.iter().filter(|name| name.starts_with("migrations/20")).collect();
        assert!(
            matches!(migrations.as_slice(), [down, up] if down.ends_with("_books/down.sql") && up.ends_with("_books/up.sql"))
        );
        for name in &files {
            let text = fs::read_to_string(folder.join(name)).unwrap().to_lowercase();
            assert!(!text.contains("widget") && !text.contains("specimen"), "{name} still speaks of the template");
        }
    }

    #[test]
    fn workspace_contracts_and_pages_know_the_new_service() {
        let root = copy();
        stamp(root.path(), "library", "book").unwrap();
        let read = |name: &str| fs::read_to_string(root.path().join(name)).unwrap();
        let manifest = read("Cargo.toml");
        assert!(manifest.contains("\n    \"services/library\",\n"), "{manifest}");
        assert!(manifest.contains("\nlibrary = { path = \"services/library\" }\n"), "{manifest}");
        assert!(read("crates/contracts/src/ids.rs").contains("\n    BookId = \"book\";\n"));
        assert!(read("crates/contracts/src/generated/library/v1.rs").contains("pub struct BookCreated"));
        assert!(read("crates/contracts/src/generated/mod.rs").contains("brainops.library.book_created.v1"));
        assert!(read("crates/contracts/tests/it/samples/mod.rs").contains("all.extend(library::all());"));
        assert!(read("docs/events.md").contains("`library.book_created.v1`"));
        assert!(read("docs/asyncapi.json").contains("library_book_created_v1"));
        assert!(read("docs/errors/book_not_found.md").starts_with("# book_not_found\n"));
    }

    #[test]
    fn names_that_cannot_be_are_refused_before_anything_is_written() {
        let root = copy();
        for (name, noun) in [
            ("Library", "book"),
            ("a", "book"),
            ("my-library", "book"),
            ("events", "book"),
            ("library", "b k"),
            ("library", "type"),
        ] {
            assert!(stamp(root.path(), name, noun).is_err(), "{name} {noun}");
        }
        assert!(!root.path().join("services").exists());
        stamp(root.path(), "library", "book").unwrap();
        let again = stamp(root.path(), "library", "shelf").unwrap_err().to_string();
        assert!(again.contains("exists already"), "{again}");
    }

    #[test]
    fn articles_fit_the_noun() {
        let words = Words { name: "shop", noun: "order" };
        assert_eq!(words.fill("A widget of Specimen. Make a widget."), "An order of Shop. Make an order.");
    }
}
