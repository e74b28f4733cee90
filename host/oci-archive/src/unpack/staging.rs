//! The hidden directory in which layers are unpacked until all have arrived.

use super::cursor::make;
use super::error::UnpackError;
use super::extract::{self, Extracted, Extraction};
use super::liveness::{self, Liveness, Observer};
use super::modes::Modes;
use super::place::{self, Mover, SamePath};
use super::source::Source;
use super::{Unpacked, remove};
use crate::beneath;
use crate::limits::Limits;
use crate::title::{self, STAGING_PREFIX};
use cap_std::fs::{Dir, MetadataExt};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the directory of the layers that have arrived.
const CONTENT: &str = "content";

/// A pull in progress. Layers are unpacked in a hidden directory `.orascache-pull-...` of the
/// target directory, on the same disk, and [moved](Staging::place) into place once all have arrived
/// completely. Dropping it removes everything that was not moved.
///
/// Everything below the target is reached through open directories and never through symbolic
/// links. Layers may be unpacked on several threads at once. Where two hold the same path, the one
/// that was complete last counts. A layer that failed leaves nothing, so that it can be tried
/// again.
///
/// ```
/// let folder = tempfile::tempdir().unwrap();
/// let staging = oci_archive::Staging::create(folder.path()).unwrap();
/// staging.file("words/en.txt", &b"hello"[..]).unwrap();
/// assert!(!folder.path().join("words").exists());
/// staging.place().unwrap();
/// assert_eq!(std::fs::read(folder.path().join("words/en.txt")).unwrap(), b"hello");
/// ```
#[derive(Debug)]
pub struct Staging {
    target: Dir,
    path: PathBuf,
    name: OsString,
    root: Dir,
    content: Dir,
    arrived: Mutex<Arrived>,
    keeps_modes: bool,
    /// Other pulls see by it that this one still runs.
    _liveness: Liveness,
}

/// The layers that have arrived.
#[derive(Debug, Default)]
struct Arrived {
    titles: BTreeSet<Vec<u8>>,
    modes: Modes,
    /// Number of files, links and directories in the content.
    entries: u64,
    /// Number of layers so far, for the names of their directories.
    layers: u64,
}

impl Staging {
    /// Begins a pull into `target`, which is created if it is missing, and may be a symbolic link
    /// to a directory. Removes the hidden directories of pulls that were killed a while ago.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made or written.
    pub fn create(target: &Path) -> Result<Self, UnpackError> {
        let unwritable = |source| UnpackError::write(target, source);
        std::fs::create_dir_all(target).map_err(unwritable)?;
        let dir = Dir::from_std_file(File::open(target).map_err(unwritable)?);
        let staging = match Self::begin(&dir, target) {
            // What other pulls have left over may fill the disk.
            Err(UnpackError::NoSpace { .. }) => {
                Observer::of_target(&dir)
                    .and_then(|observer| observer.remove_left_over(&dir))
                    .map_err(unwritable)?;
                Self::begin(&dir, target)?
            }
            begun => begun?,
        };
        Observer::of_new(&staging.content)
            .and_then(|observer| observer.remove_left_over(&dir))
            .map_err(unwritable)?;
        Ok(staging)
    }

    /// Makes the hidden directory.
    fn begin(dir: &Dir, target: &Path) -> Result<Self, UnpackError> {
        let unwritable = |source| UnpackError::write(target, source);
        let name = liveness::random_name(STAGING_PREFIX);
        let root = make(dir, &name).map_err(unwritable)?;
        let begun = || {
            let liveness = Liveness::begin(&root)?;
            let content = make(&root, OsStr::new(CONTENT))?;
            let keeps_modes = beneath::set_mode(&content, 0o700)?;
            Ok((dir.try_clone()?, liveness, content, keeps_modes))
        };
        let begun = begun().map_err(unwritable);
        if begun.is_err() {
            // The disk may be full. The part that had room is removed.
            let _ = remove::directory(dir, &name);
        }
        let (dir, liveness, content, keeps_modes) = begun?;
        Ok(Self {
            target: dir,
            path: target.to_owned(),
            name,
            root,
            content,
            arrived: Mutex::default(),
            keeps_modes,
            _liveness: liveness,
        })
    }

    /// Whether the file system takes modes. Where it does not, files have the modes that the file
    /// system gives them.
    pub fn keeps_modes(&self) -> bool {
        self.keeps_modes
    }

    /// Unpacks a layer that is a file. Its title is its path relative to the target. `content` is
    /// read to its end, where it has to fail if it was not what it should be.
    ///
    /// # Errors
    ///
    /// If the title leads out of the target or is taken, if `content` fails, or if the disk does.
    pub fn file(&self, title: &str, mut content: impl Read) -> Result<Unpacked, UnpackError> {
        self.layer(title, |parts, root| extract::file(title, parts, root, &self.path, &mut content))
    }

    /// Unpacks a layer that is a directory: an archive, compressed with gzip or not, the names of
    /// whose entries begin with the title. `content` is read to its end, where it has to fail if it
    /// was not what it should be.
    ///
    /// `tar_digest` is the digest that the uncompressed archive should have, `compressed_size` the
    /// size of the layer in bytes.
    ///
    /// # Errors
    ///
    /// If anything about the archive could do harm, if it is damaged or another one, if `content`
    /// fails, or if the disk does.
    pub fn directory(
        &self,
        title: &str,
        tar_digest: Option<&str>,
        compressed_size: u64,
        limits: &Limits,
        mut content: impl Read,
    ) -> Result<Unpacked, UnpackError> {
        let failure = RefCell::new(None);
        let result = self.layer(title, |parts, root| {
            let source = Source { content: &mut content, failure: &failure };
            let path = &self.path;
            Extraction { title, parts, root, path, compressed: compressed_size, limits }
                .run(source, tar_digest)
        });
        let failure = failure.into_inner();
        let damaged = matches!(
            result,
            Err(UnpackError::Damaged { .. }
                | UnpackError::NotAnArchive { .. }
                | UnpackError::TarDigest { .. })
        );
        // Bytes that changed on the way look like a damaged archive. The reader knows at its end
        // whether they did.
        let failure = match failure {
            None if damaged => io::copy(&mut content, &mut io::sink()).err(),
            other => other,
        };
        match failure {
            Some(source) => Err(UnpackError::Content { title: title.to_owned(), source }),
            None => result,
        }
    }

    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        // Each change is complete before the lock is released, so that a poisoned lock guards a
        // valid state.
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unpacks a layer in a directory of its own, and adds it to the content when it is complete.
    fn layer(
        &self,
        title: &str,
        unpack: impl FnOnce(&[OsString], &Dir) -> Result<Extracted, UnpackError>,
    ) -> Result<Unpacked, UnpackError> {
        let refused =
            |reason: &str| UnpackError::Title { title: title.to_owned(), reason: reason.to_owned() };
        let parts = title::components(title).map_err(refused)?;
        let path = title::join(&parts);
        let name = {
            let mut arrived = self.arrived();
            if arrived.titles.contains(&path) {
                return Err(refused("another layer of the artifact has the same title"));
            }
            arrived.layers += 1;
            OsString::from(format!("layer-{}", arrived.layers))
        };
        let here = self.path.join(OsStr::from_bytes(&path));
        let root = make(&self.root, &name).map_err(|source| UnpackError::write(&here, source))?;
        let result = unpack(&parts, &root).and_then(|extracted| {
            let mut arrived = self.arrived();
            if arrived.titles.contains(&path) {
                return Err(refused("another layer of the artifact has the same title"));
            }
            let shared = place::check(&root, &self.content, &self.path, SamePath::LastWins)?;
            let mut mover = self.mover(None);
            mover.merge(&root, &self.content, &self.path)?;
            if mover.moved != extracted.entries {
                return Err(self.disappeared());
            }
            arrived.entries += mover.moved.saturating_sub(shared);
            if !arrived.modes.extend(extracted.modes) {
                return Err(refused(TOO_MANY_MODES));
            }
            arrived.titles.insert(path);
            Ok(extracted.unpacked)
        });
        // Where this fails, the directory is removed with the whole pull.
        let _ = remove::directory(&self.root, &name);
        result
    }

    fn mover<'a>(&'a self, modes: Option<&'a mut Modes>) -> Mover<'a> {
        let mut temporary = self.name.clone();
        temporary.push("-file");
        Mover { temporary, root: &self.path, modes, moved: 0 }
    }

    fn disappeared(&self) -> UnpackError {
        let hidden = self.name.to_string_lossy().into_owned();
        UnpackError::Disappeared { path: self.path.clone(), hidden }
    }

    /// Checks that the hidden directory still has its name, and all that was unpacked. Another
    /// program may have removed it: files that are missing must not look like success.
    ///
    /// # Errors
    ///
    /// If something is missing.
    fn check_complete(&self, expected: u64) -> Result<(), UnpackError> {
        let identity = |metadata: cap_std::fs::Metadata| (metadata.dev(), metadata.ino());
        let named = self.target.symlink_metadata(&self.name).map(identity);
        let is_there =
            named.is_ok_and(|named| self.root.dir_metadata().is_ok_and(|own| identity(own) == named));
        // Parts of the directory may be removed while it is read.
        let is_complete = is_there && place::count(&self.content).is_ok_and(|count| count >= expected);
        if is_complete { Ok(()) } else { Err(self.disappeared()) }
    }

    /// Looks for paths that an earlier pull into the same target holds too.
    ///
    /// # Errors
    ///
    /// If one of the two has a directory where the other has a file, or if both hold a file with
    /// different content and `same` refuses that.
    pub fn check_against(&self, earlier: &Self, same: SamePath) -> Result<(), UnpackError> {
        place::check(&self.content, &earlier.content, &self.path, same).map(drop)
    }

    /// Moves several pulls into their common target, all or none. Where two hold the same file, the
    /// later one counts.
    ///
    /// # Errors
    ///
    /// As [`Staging::place`], and if one of the pulls has a directory where another one has a file:
    /// then nothing was moved.
    pub fn place_all(pulls: Vec<Self>) -> Result<(), UnpackError> {
        for pull in &pulls {
            pull.check_complete(pull.arrived().entries)?;
        }
        let mut pulls = pulls.into_iter();
        let Some(first) = pulls.next() else { return Ok(()) };
        for later in pulls {
            first.absorb(&later)?;
        }
        first.place()
    }

    /// Moves everything that has arrived in a later pull to this one.
    fn absorb(&self, later: &Self) -> Result<(), UnpackError> {
        let expected = later.arrived().entries;
        let shared = place::check(&later.content, &self.content, &self.path, SamePath::LastWins)?;
        let mut modes = std::mem::take(&mut later.arrived().modes);
        let mut mover = self.mover(Some(&mut modes));
        mover.merge(&later.content, &self.content, &self.path)?;
        if mover.moved < expected {
            return Err(later.disappeared());
        }
        let mut arrived = self.arrived();
        arrived.entries += mover.moved.saturating_sub(shared);
        if !arrived.modes.extend(modes) {
            return Err(UnpackError::Clash { path: self.path.clone(), reason: TOO_MANY_MODES });
        }
        Ok(())
    }

    /// Moves everything that has arrived into the target directory. Entries that the target does
    /// not have are moved as they are. Directories that exist are kept with their modes, and
    /// filled. Files and links that exist are replaced, each in one step.
    ///
    /// # Errors
    ///
    /// If a directory is where a file should be or the other way round, if a file is mounted where
    /// one should be replaced, or if something that was unpacked is gone: then nothing was moved.
    /// If the file system fails: then some entries may have been moved.
    pub fn place(self) -> Result<(), UnpackError> {
        let mut arrived = self.arrived();
        self.check_complete(arrived.entries)?;
        place::check(&self.content, &self.target, &self.path, SamePath::LastWins)?;
        let expected = arrived.entries;
        let mut mover = self.mover(Some(&mut arrived.modes));
        mover.merge(&self.content, &self.target, &self.path)?;
        if mover.moved < expected {
            return Err(self.disappeared());
        }
        arrived.modes.apply(&self.target, &self.path)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Where this fails, the next pull removes the directory.
        let _ = remove::directory(&self.target, &self.name);
    }
}

const TOO_MANY_MODES: &str = "there are too many directories that their owner cannot write to";
