//! What a server keeps between runs: ports, name, password.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Tried};
use crate::ports;

/// The file of one server; readable by its owner only, as it holds the password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings<const N: usize> {
    /// Distinguishes this server's name from that of any other.
    pub token: String,
    /// The administrator's password.
    pub password: String,
    /// The ports it listens on.
    #[serde(with = "array")]
    pub ports: [u16; N],
}

impl<const N: usize> Settings<N> {
    /// Reads the settings of an earlier run and makes sure of the ports; makes new ones the first time.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let earlier = match fs::read(file) {
            // Unreadable means written by another version: a new set is right unless the data say otherwise.
            Ok(bytes) => serde_json::from_slice::<Self>(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).tried("read", file),
        };
        let ports = ports::free(earlier.as_ref().map(|settings| settings.ports)).tried("find free ports for", file)?;
        let settings = match earlier {
            Some(settings) => Self { ports, ..settings },
            None => Self { token: random_hex(6)?, password: random_hex(16)?, ports },
        };
        let text = serde_json::to_vec_pretty(&settings).map_err(io::Error::from).tried("write", file)?;
        write_private(file, &text)?;
        Ok(settings)
    }
}

impl<const N: usize> Settings<N> {
    /// The settings of a server that was started before, as they are; `None` when there was none.
    pub fn of(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }
}

/// Replaces a file at once, so that no reader sees half of it, with access for its owner only.
pub(crate) fn write_private(file: &Path, text: &[u8]) -> Result<(), Error> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let _ = fs::remove_file(&new);
    let mut written = File::options().write(true).create_new(true).mode(0o600).open(&new).tried("create", &new)?;
    written.write_all(text).tried("write", &new)?;
    fs::rename(&new, file).tried("write", file)
}

/// Creates a folder that others may pass through but not list, with its parents.
pub(crate) fn create_dir(dir: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o711).create(dir).tried("create", dir)
}

fn random_hex(bytes: usize) -> Result<String, Error> {
    let source = Path::new("/dev/urandom");
    let mut random = vec![0; bytes];
    File::open(source).and_then(|mut file| file.read_exact(&mut random)).tried("read", source)?;
    Ok(hex::encode(random))
}

/// serde knows arrays of fixed lengths only, not of a length that is a parameter.
mod array {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer, const N: usize>(ports: &[u16; N], to: S) -> Result<S::Ok, S::Error> {
        ports.as_slice().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u16; N], D::Error> {
        let ports = Vec::<u16>::deserialize(from)?;
        ports.try_into().map_err(|_| D::Error::custom("wrong number of ports"))
    }
}
