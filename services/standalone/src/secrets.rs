//! The secrets of one installation on one machine: made at random when first asked for, kept in a file that only its
//! owner reads. There is no default secret anywhere.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kit::Ids;

/// Bytes of randomness in each secret.
const BYTES: usize = 32;

pub struct Secrets {
    file: PathBuf,
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// Reads the file, or starts with none. A file that others can read is refused.
    pub fn open(file: &Path) -> anyhow::Result<Self> {
        let values = match fs::metadata(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
            Ok(meta) => {
                let others = meta.permissions().mode() & 0o077;
                anyhow::ensure!(others == 0, "{0} can be read by others; run `chmod 600 {0}`", file.display());
                let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
                // The parser's message may quote the file, so it stays out of ours.
                serde_json::from_str(&text).map_err(|_| anyhow::anyhow!("{} is not JSON", file.display()))?
            }
        };
        Ok(Self { file: file.to_owned(), values })
    }

    /// The secret of that name as base64 of 32 bytes; made now when there is none yet.
    pub fn get(&mut self, name: &str, ids: &dyn Ids) -> anyhow::Result<String> {
        if let Some(known) = self.values.get(name) {
            return Ok(known.clone());
        }
        let mut bytes = [0; BYTES];
        ids.random(&mut bytes);
        let value = STANDARD.encode(bytes);
        self.values.insert(name.to_owned(), value.clone());
        self.save()?;
        Ok(value)
    }

    fn save(&self) -> anyhow::Result<()> {
        // Written beside and renamed, so that a crash leaves the old file or the new one.
        let fresh = self.file.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            out.write_all(serde_json::to_string_pretty(&self.values)?.as_bytes())?;
            out.sync_all()?;
            fs::rename(&fresh, &self.file)
        };
        write().with_context(|| format!("{} cannot be written", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use kit::RandomIds;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets.json");
        let first = Secrets::open(&file).unwrap().get("a", &RandomIds).unwrap();
        let mut again = Secrets::open(&file).unwrap();
        assert_eq!(again.get("a", &RandomIds).unwrap(), first);
        assert_ne!(again.get("b", &RandomIds).unwrap(), first);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets.json");
        fs::write(&file, "{}").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let message = Secrets::open(&file).err().unwrap().to_string();
        assert!(message.contains("chmod 600"), "{message}");
    }
}
