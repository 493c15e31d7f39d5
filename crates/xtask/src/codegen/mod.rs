//! From `proto/` to everything that is generated: Rust types, the AsyncAPI document, the catalogue in the guide.

mod asyncapi;
mod catalogue;
mod model;
mod rust;

use std::path::Path;

use anyhow::Context;

use crate::{drift::Files, workspace};

const GUIDE: &str = "docs/events.md";

/// All generated files of the event contracts.
pub fn generate(root: &Path) -> anyhow::Result<Files> {
    let packages = model::read(&root.join("proto"))?;
    let mut files = rust::generate(&packages).context("generating Rust")?;
    files.insert("docs/asyncapi.json".to_owned(), asyncapi::document(&packages)?);
    let guide = workspace::read(&root.join(GUIDE))?;
    files.insert(GUIDE.to_owned(), catalogue::insert(&guide, &packages).context(GUIDE)?);
    Ok(files)
}
