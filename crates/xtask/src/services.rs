//! Asks the built service binaries about themselves.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use cargo_metadata::{Message, MetadataCommand, TargetKind};

/// Runs several services in one process; it has no API of its own.
const STANDALONE: &str = "standalone";

/// Standard output of `<service> <subcommand>` for every service, by the service's name.
pub fn ask(root: &Path, subcommand: &str) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let names = names(root)?;
    let mut answers = BTreeMap::new();
    for (name, program) in build(root, &names)? {
        let output = Command::new(&program)
            .arg(subcommand)
            .current_dir(root)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        ensure!(output.status.success(), "`{name} {subcommand}` ended with {}", output.status);
        answers.insert(name, output.stdout);
    }
    Ok(answers)
}

fn names(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let services = metadata.workspace_root.join("services");
    let is_service = |package: &&cargo_metadata::Package| {
        package.manifest_path.starts_with(&services)
            && package.name.as_str() != STANDALONE
            && package.targets.iter().any(|target| target.kind.contains(&TargetKind::Bin))
    };
    Ok(metadata.packages.iter().filter(is_service).map(|package| package.name.to_string()).collect())
}

/// Builds the whole workspace, so that features are resolved as for its tests and nothing is compiled twice. `cargo` is
/// the one in PATH: rustup's sets the toolchain for compilers that run in the folders of crates that ask for another.
fn build(root: &Path, names: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    let output =
        cargo.current_dir(root).stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the services do not build");
    let mut programs = Vec::new();
    for message in Message::parse_stream(output.stdout.as_slice()) {
        if let Message::CompilerArtifact(artifact) = message?
            && let Some(program) = artifact.executable
            && names.contains(&artifact.target.name)
        {
            programs.push((artifact.target.name, program.into_string()));
        }
    }
    ensure!(programs.len() == names.len(), "expected one binary of each of {names:?}, found {programs:?}");
    Ok(programs)
}
