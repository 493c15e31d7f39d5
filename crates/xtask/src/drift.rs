//! Generated files are committed: write them, or say how they differ from what would be written.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context, bail};
use similar::TextDiff;

/// Path inside the workspace (with `/`) and the text that belongs there.
pub type Files = BTreeMap<String, String>;

/// How many lines of a difference are shown for one file.
const SHOWN_LINES: usize = 40;

/// Writes the files that differ; with `check` writes nothing and fails with the differences.
/// `command` is what someone runs to bring the files up to date.
pub fn settle(root: &Path, files: &Files, check: bool, command: &str) -> anyhow::Result<()> {
    let mut report = String::new();
    let mut changed = 0_usize;
    for (name, wanted) in files {
        let path = root.join(name);
        // A missing file reads as empty: the difference then shows all of it.
        let current = fs::read_to_string(&path).unwrap_or_default();
        if current == *wanted {
            continue;
        }
        changed += 1;
        if check {
            report.push_str(&difference(name, &current, wanted));
        } else {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            fs::write(&path, wanted).with_context(|| format!("cannot write {name}"))?;
            println!("wrote {name}");
        }
    }
    if check && changed > 0 {
        bail!("{changed} generated file(s) are out of date; run `{command}` and commit the result\n{report}");
    }
    if changed == 0 {
        println!("{} generated files are up to date", files.len());
    }
    Ok(())
}

fn difference(name: &str, current: &str, wanted: &str) -> String {
    let diff = TextDiff::from_lines(current, wanted).unified_diff().header(name, "as generated").to_string();
    let mut lines = diff.lines();
    let mut shown: String = lines.by_ref().take(SHOWN_LINES).fold(String::new(), |text, line| text + line + "\n");
    let rest = lines.count();
    if rest > 0 {
        // Writing into a String cannot fail.
        let _ = writeln!(shown, "… {rest} more lines");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Files {
        Files::from([("docs/a.md".to_owned(), text.to_owned())])
    }

    #[test]
    fn check_passes_only_after_writing() {
        let root = tempfile::tempdir().unwrap();
        let missing = settle(root.path(), &files("one\n"), true, "make it").unwrap_err().to_string();
        assert!(missing.contains("run `make it`") && missing.contains("+one"), "{missing}");

        settle(root.path(), &files("one\n"), false, "make it").unwrap();
        settle(root.path(), &files("one\n"), true, "make it").unwrap();

        let drifted = settle(root.path(), &files("two\n"), true, "make it").unwrap_err().to_string();
        assert!(drifted.contains("-one") && drifted.contains("+two"), "{drifted}");
        assert_eq!(fs::read_to_string(root.path().join("docs/a.md")).unwrap(), "one\n", "a check writes nothing");
    }

    #[test]
    fn a_long_difference_is_cut() {
        let long = "line\n".repeat(500);
        let report = settle(tempfile::tempdir().unwrap().path(), &files(&long), true, "x").unwrap_err().to_string();
        assert!(report.contains("more lines") && report.lines().count() < 60, "{report}");
    }
}
