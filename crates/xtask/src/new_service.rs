//! Stamps a new service.
use std::path::Path;
pub fn stamp(_root: &Path, _name: &str) -> anyhow::Result<()> {
    Ok(())
}
