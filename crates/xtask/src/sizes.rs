//! Files that have grown so long that two ideas may share them.

use std::path::Path;

use crate::workspace;

/// Past this many lines a file is listed.
const LINES: usize = 600;

/// Prints hand-written Rust files of more than 600 lines, the longest first. A report, not a gate: it never fails.
pub fn report(root: &Path) -> anyhow::Result<()> {
    let long = long_files(root)?;
    for (lines, name) in &long {
        println!("{lines:>6}  {name}");
    }
    println!("{} file(s) of more than {LINES} lines", long.len());
    Ok(())
}

fn long_files(root: &Path) -> anyhow::Result<Vec<(usize, String)>> {
    let mut long = Vec::new();
    for path in workspace::files(root, "rs")? {
        let lines = workspace::read(&path)?.lines().count();
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if lines > LINES && !name.contains("/generated/") {
            long.push((lines, name));
        }
    }
    long.sort_by(|a, b| b.cmp(a));
    Ok(long)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lists_long_files_but_not_generated_ones() {
        let root = tempfile::tempdir().unwrap();
        for (name, lines) in
            [("a.rs", 600), ("b.rs", 601), ("c.rs", 900), ("target/d.rs", 900), ("x/generated/e.rs", 900)]
        {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "\n".repeat(lines)).unwrap();
        }
        assert_eq!(long_files(root.path()).unwrap(), [(900, "c.rs".to_owned()), (601, "b.rs".to_owned())]);
    }
}
