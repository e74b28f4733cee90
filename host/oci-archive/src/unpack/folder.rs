//! The hidden directory of the pulls into one directory.

use super::cursor::make;
use super::error::UnpackError;
use super::liveness::{self, Liveness, Observer};
use super::remove;
use crate::beneath;
use crate::title::STAGING_PREFIX;
use cap_std::fs::{Dir, MetadataExt};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A hidden directory `.orascache-pull-...` of a target directory, on the same disk, in which any
/// number of pulls into that target are unpacked. It is removed with the last of them. Clones share
/// it.
///
/// ```
/// let target = tempfile::tempdir().unwrap();
/// let folder = oci_archive::StagingFolder::create(target.path()).unwrap();
/// let (one, two) = (folder.staging().unwrap(), folder.staging().unwrap());
/// drop(folder);
/// one.file("a", &b"1"[..]).unwrap();
/// two.file("b", &b"2"[..]).unwrap();
/// oci_archive::Staging::place_all(vec![one, two]).unwrap();
/// assert_eq!(std::fs::read(target.path().join("b")).unwrap(), b"2");
/// ```
#[derive(Clone, Debug)]
pub struct StagingFolder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: Dir,
    path: PathBuf,
    location: PathBuf,
    name: OsString,
    root: Dir,
    keeps_modes: bool,
    /// Number of pulls so far, for the names of their directories.
    pulls: AtomicU64,
    /// Other processes see by it that the pulls still run.
    _liveness: Liveness,
}

impl StagingFolder {
    /// Makes the hidden directory in `target`, which is created if it is missing, and may be a
    /// symbolic link to a directory. Removes the hidden directories of pulls that were killed a
    /// while ago.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made or written.
    pub fn create(target: &Path) -> Result<Self, UnpackError> {
        let unwritable = |source| UnpackError::write(target, source);
        std::fs::create_dir_all(target).map_err(unwritable)?;
        let dir = Dir::from_std_file(File::open(target).map_err(unwritable)?);
        let shared = match Shared::begin(&dir, target) {
            // What other pulls have left over may fill the disk.
            Err(UnpackError::NoSpace { .. }) => {
                Observer::of_target(&dir)
                    .and_then(|observer| observer.remove_left_over(&dir))
                    .map_err(unwritable)?;
                Shared::begin(&dir, target)?
            }
            begun => begun?,
        };
        Observer::of_new(&shared.root)
            .and_then(|observer| observer.remove_left_over(&dir))
            .map_err(unwritable)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether the file system takes modes. Where it does not, files have the modes that the file
    /// system gives them.
    pub fn keeps_modes(&self) -> bool {
        self.shared.keeps_modes
    }

    /// The target's real path, without links. Two paths of one directory have the same location.
    pub fn location(&self) -> &Path {
        &self.shared.location
    }

    /// A number that no other pull in this folder has.
    pub(super) fn next_number(&self) -> u64 {
        self.shared.pulls.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn target(&self) -> &Dir {
        &self.shared.target
    }

    /// The path of the target, as it was given.
    pub(super) fn path(&self) -> &Path {
        &self.shared.path
    }

    pub(super) fn name(&self) -> &OsStr {
        &self.shared.name
    }

    pub(super) fn root(&self) -> &Dir {
        &self.shared.root
    }

    /// Whether the hidden directory still has its name. Another program may have removed it.
    pub(super) fn is_there(&self) -> bool {
        let identity = |metadata: cap_std::fs::Metadata| (metadata.dev(), metadata.ino());
        let named = self.target().symlink_metadata(self.name()).map(identity);
        named.is_ok_and(|named| self.root().dir_metadata().is_ok_and(|own| identity(own) == named))
    }

    /// The error for something that was unpacked here and is gone.
    pub(super) fn disappeared(&self) -> UnpackError {
        let hidden = self.name().to_string_lossy().into_owned();
        UnpackError::Disappeared { path: self.path().to_owned(), hidden }
    }
}

impl Shared {
    fn begin(dir: &Dir, target: &Path) -> Result<Self, UnpackError> {
        let unwritable = |source| UnpackError::write(target, source);
        let name = liveness::random_name(STAGING_PREFIX);
        let root = make(dir, &name).map_err(unwritable)?;
        let begun = || {
            let liveness = Liveness::begin(&root)?;
            let keeps_modes = beneath::set_mode(&root, 0o700)?;
            let location = std::fs::canonicalize(target)?;
            Ok::<_, io::Error>((dir.try_clone()?, liveness, location, keeps_modes))
        };
        let begun = begun().map_err(unwritable);
        if begun.is_err() {
            // The disk may be full. The part that had room is removed.
            let _ = remove::directory(dir, &name);
        }
        let (dir, liveness, location, keeps_modes) = begun?;
        let path = target.to_owned();
        let pulls = AtomicU64::new(0);
        Ok(Self { target: dir, path, location, name, root, keeps_modes, pulls, _liveness: liveness })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Where this fails, the next pull removes the directory.
        let _ = remove::directory(&self.target, &self.name);
    }
}
