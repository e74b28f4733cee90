//! Removing directories, whatever their modes are.

use crate::{MAX_DEPTH, beneath};
use cap_std::fs::{Dir, MetadataExt, Permissions, PermissionsExt};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};

/// Number of names that are read at once, so that a directory of any size takes constant memory.
pub(super) const NAMES: usize = 1024;

/// Deepest nesting that is removed: the deepest that a pull can create, with the directories above
/// its layers.
const DEEPEST: usize = MAX_DEPTH + 8;

/// Removes the directory `name` in `parent` and all that is in it. Links are not followed.
pub(super) fn directory(parent: &Dir, name: &OsStr) -> io::Result<()> {
    remove(parent, name, 0)
}

fn remove(parent: &Dir, name: &OsStr, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other("directories are nested too deep"));
    }
    let dir = match beneath::directory(parent, name) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            parent.set_permissions(name, Permissions::from_mode(0o700))?;
            beneath::directory(parent, name)?
        }
        other => other?,
    };
    if dir.dir_metadata()?.mode() & 0o700 != 0o700 {
        beneath::set_mode(&dir, 0o700)?;
    }
    loop {
        let names = some_names(&dir)?;
        if names.is_empty() {
            break;
        }
        for (name, is_dir) in names {
            if is_dir {
                remove(&dir, &name, depth + 1)?;
            } else {
                dir.remove_file(&name)?;
            }
        }
    }
    parent.remove_dir(name)
}

/// The first names in a directory, and whether each belongs to a directory.
pub(super) fn some_names(dir: &Dir) -> io::Result<Vec<(OsString, bool)>> {
    let mut names = Vec::new();
    for entry in dir.entries()?.take(NAMES) {
        let entry = entry?;
        let name = entry.file_name();
        let is_dir = is_directory(dir, &name, entry.file_type()?)?;
        names.push((name, is_dir));
    }
    Ok(names)
}

/// Whether an entry is a directory. Not all file systems tell the kind when they list names.
pub(super) fn is_directory(dir: &Dir, name: &OsStr, kind: cap_std::fs::FileType) -> io::Result<bool> {
    if kind.is_file() || kind.is_dir() || kind.is_symlink() {
        Ok(kind.is_dir())
    } else {
        Ok(dir.symlink_metadata(name)?.is_dir())
    }
}
