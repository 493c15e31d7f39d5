//! Who runs PostgreSQL: it refuses to run as root, so root starts it as somebody with fewer rights.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Uid, User, chown, geteuid};

use crate::error::{Error, Tried};
use crate::settings::create_dir;

/// Where data go that the user could not reach in the folder that was asked for.
const FALLBACK: &str = "/var/lib/brainops";

/// The user that a program of PostgreSQL runs as.
pub(crate) struct RunAs(Option<User>);

impl RunAs {
    /// The current user; `postgres` or else `nobody` when that is root.
    pub fn find() -> Result<Self, Error> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let known = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
        known.map(|user| Self(Some(user))).ok_or(Error::NoUser)
    }

    /// Makes `command` run as this user.
    pub fn apply(&self, command: &mut Command) {
        if let Some(user) = &self.0 {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
    }

    /// Gives a file or folder to this user.
    pub fn own(&self, path: &Path) -> Result<(), Error> {
        match &self.0 {
            Some(user) => chown(path, Some(user.uid), Some(user.gid)).tried("change the owner of", path),
            None => Ok(()),
        }
    }

    /// The folder in which this user's data are kept: `dir`, or one of the same name (`token`) that the user can
    /// reach. Throw-away folders are opened for passing through; a home directory never is.
    pub fn place(&self, dir: &Path, token: &str) -> Result<PathBuf, Error> {
        let Some(user) = &self.0 else { return Ok(dir.to_owned()) };
        let dir = fs::canonicalize(dir).tried("open", dir)?;
        let temporary = fs::canonicalize(env::temp_dir()).unwrap_or_default();
        for folder in dir.ancestors().filter(|folder| !passable(folder, user.uid)) {
            if folder.starts_with(&temporary) && folder != temporary {
                let mode = fs::metadata(folder).tried("open", folder)?.mode() | 0o011;
                fs::set_permissions(folder, fs::Permissions::from_mode(mode)).tried("open up", folder)?;
            } else {
                let place = Path::new(FALLBACK).join(token);
                create_dir(&place)?;
                return Ok(place);
            }
        }
        Ok(dir)
    }
}

fn passable(folder: &Path, user: Uid) -> bool {
    fs::metadata(folder).is_ok_and(|meta| {
        let bit = if meta.uid() == user.as_raw() { 0o100 } else { 0o001 };
        meta.mode() & bit != 0
    })
}
