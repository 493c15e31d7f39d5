//! Python environments for clients that share nothing with us.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use tokio::process::Command;

/// The interpreter of an environment that has what `requirements` asks for; made once, and again when that changes.
pub async fn python(name: &str, requirements: &Path) -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    fs::create_dir_all(&cache).unwrap();
    let venv = cache.join(name);
    let lock = File::create(cache.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let (installed, wanted) = (venv.join("requirements.txt"), fs::read(requirements).unwrap());
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return venv.join("bin/python");
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv)).await;
    run(Command::new(venv.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements))
    .await;
    // Written last: an installation that was cut off is made again.
    fs::write(installed, wanted).unwrap();
    venv.join("bin/python")
}

async fn run(command: &mut Command) {
    let output = command.output().await.expect("a program that can be started");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}
