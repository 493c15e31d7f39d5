//! Who may depend on whom (docs/architecture.md, "Arrows"), from `cargo metadata` and from the paths in the sources.
//!
//! Three kinds of arrow are checked: between packages ([`packages`]), between the layers inside of a service ([`layers`]), and
//! from a service to another one's tables ([`tables`]).

mod layers;
mod packages;
mod paths;
mod tables;
mod tokens;

use std::path::Path;

use anyhow::{Context, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::workspace;

/// What the workspace consists of, as far as arrows go.
#[derive(Default)]
struct Workspace {
    packages: Vec<Package>,
    /// Rust files under a package's `src/`, and SQL under its `migrations/`.
    sources: Vec<Source>,
}

struct Package {
    name: String,
    kind: Kind,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// From `[dev-dependencies]`.
    dev: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Under `crates/`.
    Crate,
    /// Under `services/`.
    Service,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Language {
    Rust,
    Sql,
}

struct Source {
    package: String,
    kind: Kind,
    language: Language,
    /// Path inside of the package, with `/`: `src/api/users.rs`.
    path: String,
    text: String,
}

impl Source {
    fn place(&self, line: usize) -> String {
        let folder = if self.kind == Kind::Crate { "crates" } else { "services" };
        format!("{folder}/{}/{}:{line}", self.package, self.path)
    }
}

/// Fails with one line for each forbidden arrow.
pub fn check(root: &Path) -> anyhow::Result<()> {
    let workspace = read(root)?;
    let violations = violations(&workspace);
    if violations.is_empty() {
        println!("{} packages and {} files keep to the arrows", workspace.packages.len(), workspace.sources.len());
        return Ok(());
    }
    bail!("{} forbidden arrow(s), see docs/architecture.md\n  {}", violations.len(), violations.join("\n  "))
}

fn violations(workspace: &Workspace) -> Vec<String> {
    let mut found = packages::violations(&workspace.packages);
    found.extend(layers::violations(&workspace.sources));
    found.extend(tables::violations(workspace));
    found
}

fn read(root: &Path) -> anyhow::Result<Workspace> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let mut workspace = Workspace::default();
    for package in metadata.packages {
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?.to_owned();
        let kind = match folder.strip_prefix(&metadata.workspace_root)?.components().next().map(|part| part.as_str()) {
            Some("crates") => Kind::Crate,
            Some("services") => Kind::Service,
            _ => continue,
        };
        let name = package.name.to_string();
        let dependency = |dependency: cargo_metadata::Dependency| Dependency {
            dev: dependency.kind == DependencyKind::Development,
            name: dependency.name,
        };
        for (part, extension, language) in [("src", "rs", Language::Rust), ("migrations", "sql", Language::Sql)] {
            let part = folder.join(part);
            if !part.exists() {
                continue;
            }
            for file in workspace::files(part.as_std_path(), extension)? {
                let path = file.strip_prefix(folder.as_std_path())?.to_string_lossy().replace('\\', "/");
                workspace.sources.push(Source {
                    package: name.clone(),
                    kind,
                    language,
                    path,
                    text: workspace::read(&file)?,
                });
            }
        }
        let dependencies = package.dependencies.into_iter().map(dependency).collect();
        workspace.packages.push(Package { name, kind, dependencies });
    }
    Ok(workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules hold for this very workspace; and a rule that reads nothing would hold for everything.
    #[test]
    fn reads_this_workspace() {
        let workspace = read(&workspace::root()).unwrap();
        assert!(
            workspace.packages.iter().any(|p| p.name == "xtask" && p.kind == Kind::Crate && !p.dependencies.is_empty())
        );
        assert!(workspace.packages.iter().any(|p| p.kind == Kind::Service));
        assert!(
            workspace
                .sources
                .iter()
                .any(|s| s.package == "xtask" && s.path == "src/arrows/mod.rs" && !s.text.is_empty())
        );
        assert!(workspace.sources.iter().all(|s| s.path.starts_with("src/") || s.path.starts_with("migrations/")));
    }
}
