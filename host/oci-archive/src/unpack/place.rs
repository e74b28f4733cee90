//! Moving unpacked files and directories to where they belong.

use super::cursor::make;
use super::error::UnpackError;
use super::modes::Modes;
use super::mount;
use super::remove::{is_directory, some_names};
use crate::beneath;
use cap_std::fs::{Dir, Metadata, MetadataExt, Permissions, PermissionsExt};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(super) const DIRECTORY_OVER_FILE: &str =
    "it is a directory, and a file or link of that name is there; remove that, or pull to another path";
pub(super) const FILE_OVER_DIRECTORY: &str =
    "it is a file or link, and a directory of that name is there; remove that, or pull to another path";

const FILE_IS_MOUNT: &str = "another file is mounted there, as by subPath or from a ConfigMap, and cannot be \
     replaced; mount it elsewhere, or pull to another path";

/// Whether two trees may hold the same file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SamePath {
    /// Only with equal content.
    #[default]
    Refuse,
    /// The later one replaces the earlier one.
    LastWins,
}

/// The metadata of an entry. None where there is no entry of this name.
fn look(dir: &Dir, name: &OsStr) -> io::Result<Option<Metadata>> {
    match dir.symlink_metadata(name) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A directory of the target. An earlier pull may have left it without rights for its owner. Then
/// the owner has them as long as the directory is open here.
struct Existing {
    dir: Dir,
    /// The mode to restore.
    mode: Option<u32>,
}

impl Existing {
    fn open(parent: &Dir, name: &OsStr, mode: u32) -> io::Result<Self> {
        let granted = mode & 0o777 | 0o700;
        let (dir, changed) = match beneath::directory(parent, name) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                // Another user's directory cannot be changed: the first error says more.
                if parent.set_permissions(name, Permissions::from_mode(granted)).is_err() {
                    return Err(error);
                }
                (beneath::directory(parent, name)?, true)
            }
            // Where the mode cannot be changed, moving something to the directory fails with the
            // right error.
            Ok(dir) if mode & 0o700 != 0o700 => {
                let changed = beneath::set_mode(&dir, granted).unwrap_or(false);
                (dir, changed)
            }
            other => (other?, false),
        };
        Ok(Self { dir, mode: changed.then_some(mode) })
    }

    fn close(self) -> io::Result<()> {
        self.mode.map_or(Ok(()), |mode| beneath::set_mode(&self.dir, mode).map(drop))
    }
}

/// Looks for entries of `to` that would be in the way of moving `from` there. `path` is the path of
/// `to`. Returns the number of entries that are in both.
pub(super) fn check(from: &Dir, to: &Dir, path: &Path) -> Result<u64, UnpackError> {
    let unwritable = |source| UnpackError::write(path, source);
    let mut shared = 0;
    for entry in from.entries().map_err(unwritable)? {
        let entry = entry.map_err(unwritable)?;
        let name = entry.file_name();
        let here = path.join(&name);
        let unwritable = |source| UnpackError::write(&here, source);
        let Some(there) = look(to, &name).map_err(unwritable)? else { continue };
        let kind = entry.file_type().map_err(unwritable)?;
        match (is_directory(from, &name, kind).map_err(unwritable)?, there.is_dir()) {
            (true, true) => {
                let from = beneath::directory(from, &name).map_err(unwritable)?;
                let existing = Existing::open(to, &name, there.mode()).map_err(unwritable)?;
                let checked = check(&from, &existing.dir, &here);
                existing.close().map_err(unwritable)?;
                shared += checked?;
            }
            (false, false) if mount::is_mounted_over(to, &name) => {
                return Err(UnpackError::Clash { path: here, reason: FILE_IS_MOUNT });
            }
            (false, false) => {}
            (true, false) => return Err(UnpackError::Clash { path: here, reason: DIRECTORY_OVER_FILE }),
            (false, true) => return Err(UnpackError::Clash { path: here, reason: FILE_OVER_DIRECTORY }),
        }
        shared += 1;
    }
    Ok(shared)
}

/// The number of entries in a directory and in all that are in it.
pub(super) fn count(dir: &Dir) -> io::Result<u64> {
    let mut count = 0;
    for entry in dir.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        count += 1;
        if is_directory(dir, &name, entry.file_type()?)? {
            count += self::count(&beneath::directory(dir, &name)?)?;
        }
    }
    Ok(count)
}

/// Moves trees.
pub(super) struct Mover<'a> {
    /// Name of files that are being copied.
    pub(super) temporary: OsString,
    /// Path of the directory that everything is moved to.
    pub(super) root: &'a Path,
    /// Modes to be set later. Directories that exist already are removed from it, since they keep
    /// the modes that they have.
    pub(super) modes: Option<&'a mut Modes>,
    /// Whether everything stays within the hidden directory, where nobody sees a file disappear.
    pub(super) is_hidden: bool,
    /// Number of entries that have arrived.
    pub(super) moved: u64,
}

impl Mover<'_> {
    /// Moves all that is in `from` to `to`, whose path is `path`.
    pub(super) fn merge(&mut self, from: &Dir, to: &Dir, path: &Path) -> Result<(), UnpackError> {
        loop {
            // Entries that were moved are gone, so that each round finds other names.
            let names = some_names(from).map_err(|source| UnpackError::write(path, source))?;
            if names.is_empty() {
                return Ok(());
            }
            for (name, is_dir) in names {
                let here = path.join(&name);
                if is_dir {
                    self.directory(from, to, &name, &here)?;
                } else {
                    self.file(from, to, &name).map_err(|source| match source.kind() {
                        ErrorKind::IsADirectory => {
                            UnpackError::Clash { path: here.clone(), reason: FILE_OVER_DIRECTORY }
                        }
                        ErrorKind::ResourceBusy => {
                            UnpackError::Clash { path: here.clone(), reason: FILE_IS_MOUNT }
                        }
                        _ => UnpackError::write(&here, source),
                    })?;
                    self.moved += 1;
                }
            }
        }
    }

    fn directory(&mut self, from: &Dir, to: &Dir, name: &OsStr, here: &Path) -> Result<(), UnpackError> {
        let unwritable = |source| UnpackError::write(here, source);
        match look(to, name).map_err(unwritable)? {
            None => match from.rename(name, to, name) {
                // Another program may have removed some of it just before.
                Ok(()) => {
                    let arrived = beneath::directory(to, name).and_then(|arrived| count(&arrived));
                    self.moved += 1 + arrived.map_err(unwritable)?;
                    Ok(())
                }
                Err(error) if is_elsewhere(&error) => {
                    let inner = beneath::directory(from, name).map_err(unwritable)?;
                    let mode = inner.dir_metadata().map_err(unwritable)?.mode();
                    let made = make(to, name).map_err(unwritable)?;
                    self.merge(&inner, &made, here)?;
                    beneath::set_mode(&made, mode).map_err(unwritable)?;
                    self.moved += 1;
                    from.remove_dir(name).map_err(unwritable)
                }
                Err(error) => Err(unwritable(error)),
            },
            Some(there) if there.is_dir() => {
                if let (Some(modes), Ok(relative)) = (&mut self.modes, here.strip_prefix(self.root)) {
                    modes.forget(relative.as_os_str().as_bytes());
                }
                let inner = beneath::directory(from, name).map_err(unwritable)?;
                let existing = Existing::open(to, name, there.mode()).map_err(unwritable)?;
                let moved = self.merge(&inner, &existing.dir, here);
                existing.close().map_err(unwritable)?;
                moved?;
                self.moved += 1;
                from.remove_dir(name).map_err(unwritable)
            }
            Some(_) => Err(UnpackError::Clash { path: here.to_owned(), reason: DIRECTORY_OVER_FILE }),
        }
    }

    fn file(&self, from: &Dir, to: &Dir, name: &OsStr) -> io::Result<()> {
        // Some file systems write a file to the disk at once when it replaces another one
        // (ext4(5), "auto_da_alloc").
        if self.is_hidden
            && let Err(error) = to.remove_file(name)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error);
        }
        match from.rename(name, to, name) {
            Err(error) if is_elsewhere(&error) => {
                let copied = self.copy(from, to, name);
                if copied.is_err() {
                    // The copy may be incomplete, or missing.
                    let _ = to.remove_file(&self.temporary);
                }
                copied?;
                from.remove_file(name)
            }
            other => other,
        }
    }

    /// Copies a file to another file system, where it appears complete or not at all.
    fn copy(&self, from: &Dir, to: &Dir, name: &OsStr) -> io::Result<()> {
        match to.remove_file(&self.temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if from.symlink_metadata(name)?.is_symlink() {
            to.symlink_contents(from.read_link_contents(name)?, &self.temporary)?;
        } else {
            let mut source = beneath::file(from, name)?;
            let mut copy = beneath::create(to, &self.temporary)?.into_std();
            io::copy(&mut source, &mut copy)?;
            beneath::set_mode(&copy, Metadata::from_file(&source)?.mode())?;
        }
        to.rename(&self.temporary, to, name)
    }
}

/// Whether a rename failed because the two places are on different file systems.
fn is_elsewhere(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::XDEV.raw_os_error())
}
