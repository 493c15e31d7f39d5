//! Node.js for clients that share nothing with us. It comes from a Python package, so that no test asks for more on the
//! machine than Python.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::python;

/// A Node.js, and a folder with the packages of a lock file.
pub struct Node {
    bin: PathBuf,
    folder: PathBuf,
}

impl Node {
    /// What `sources` asks for (`requirements-node.txt`, `package.json` and `package-lock.json`); made once, and again when
    /// that changes.
    pub async fn with(name: &str, sources: &Path) -> Self {
        let python = python(&format!("{name}-node"), &sources.join("requirements-node.txt")).await;
        let bin = python.parent().unwrap().to_owned();
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
        let folder = cache.join(name);
        fs::create_dir_all(&folder).unwrap();
        let lock = File::create(cache.join(format!("{name}.lock"))).unwrap();
        lock.lock().unwrap();
        let (installed, wanted) = (folder.join("installed.json"), fs::read(sources.join("package-lock.json")).unwrap());
        let node = Self { bin, folder };
        if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
            return node;
        }
        for file in ["package.json", "package-lock.json"] {
            fs::copy(sources.join(file), node.folder.join(file)).unwrap();
        }
        // No package may run a program of its own.
        let mut install = Command::new(node.bin.join("npm"));
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&node.folder);
        let output = install.output().await.expect("npm");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Written last: an installation that was cut off is made again.
        fs::write(installed, wanted).unwrap();
        node
    }

    /// `node <script>`, with the packages beside it.
    pub fn script(&self, script: &Path) -> Command {
        let copy = self.folder.join(script.file_name().unwrap());
        fs::copy(script, &copy).unwrap();
        let mut command = Command::new(self.bin.join("node"));
        command.arg(copy);
        command
    }
}
