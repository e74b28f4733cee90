//! A pull in progress: layers are unpacked out of sight until all have arrived.

use super::cursor::make;
use super::error::UnpackError;
use super::extract::{self, Extracted, Extraction};
use super::folder::StagingFolder;
use super::modes::Modes;
use super::place::{self, Mover};
use super::source::Source;
use super::{Unpacked, remove};
use crate::beneath;
use crate::limits::Limits;
use crate::title;
use cap_std::fs::Dir;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the directory of the layers that have arrived.
const CONTENT: &str = "content";

/// A pull in progress. Layers are unpacked in a [`StagingFolder`] of the target directory, and
/// [moved](Staging::place) into place once all have arrived completely. Dropping it removes
/// everything that was not moved.
///
/// Everything below the target is reached through open directories and never through symbolic
/// links. Layers may be unpacked on several threads at once. Where two hold the same path, the one
/// that was complete last counts. A layer that failed leaves nothing, so that it can be tried
/// again. No file is open while no layer is unpacked, so that there may be any number of pulls.
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
    folder: StagingFolder,
    /// Name of the directory of this pull in the folder.
    name: OsString,
    arrived: Mutex<Arrived>,
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

impl StagingFolder {
    /// Begins a pull into the target.
    ///
    /// # Errors
    ///
    /// If its directory cannot be made.
    pub fn staging(&self) -> Result<Staging, UnpackError> {
        let name = OsString::from(self.next_number().to_string());
        let staging = Staging { folder: self.clone(), name, arrived: Mutex::default() };
        let made =
            make(self.root(), &staging.name).and_then(|root| make(&root, OsStr::new(CONTENT)).map(drop));
        made.map_err(|source| UnpackError::write(self.path(), source))?;
        Ok(staging)
    }
}

impl Staging {
    /// Begins a pull into `target`, in a [`StagingFolder`] of its own.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made or written.
    pub fn create(target: &Path) -> Result<Self, UnpackError> {
        StagingFolder::create(target)?.staging()
    }

    /// The folder that it is in.
    pub fn folder(&self) -> &StagingFolder {
        &self.folder
    }

    /// The path of the target, as it was given.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn root(&self) -> io::Result<Dir> {
        beneath::directory(self.folder.root(), &self.name)
    }

    /// The layers that have arrived.
    pub(super) fn content(&self) -> io::Result<Dir> {
        beneath::directory(&self.root()?, OsStr::new(CONTENT))
    }

    /// Unpacks a layer that is a file. Its title is its path relative to the target. `content` is
    /// read to its end, where it has to fail if it was not what it should be.
    ///
    /// # Errors
    ///
    /// If the title leads out of the target or is taken, if `content` fails, or if the disk does.
    pub fn file(&self, title: &str, mut content: impl Read) -> Result<Unpacked, UnpackError> {
        self.layer(title, |parts, root| extract::file(title, parts, root, self.path(), &mut content))
    }

    /// Unpacks a layer that is a directory: an archive, the names of whose entries begin with the
    /// title, compressed with gzip or zstd or not at all. `content` is read to its end, where it has
    /// to fail if it was not what it should be.
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
            let path = self.path();
            Extraction { title, parts, root, path, compressed: compressed_size, limits }
                .run(source, tar_digest)
        });
        let failure = failure.into_inner();
        let damaged = matches!(
            result,
            Err(UnpackError::Damaged { .. }
                | UnpackError::NotAnArchive { .. }
                | UnpackError::Unsupported { .. }
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
        let here = self.path().join(OsStr::from_bytes(&path));
        let unwritable = |source| UnpackError::write(&here, source);
        let pull = self.root().map_err(unwritable)?;
        let root = make(&pull, &name).map_err(unwritable)?;
        let result = unpack(&parts, &root).and_then(|extracted| {
            let mut arrived = self.arrived();
            if arrived.titles.contains(&path) {
                return Err(refused("another layer of the artifact has the same title"));
            }
            let content = self.content().map_err(unwritable)?;
            let shared = place::check(&root, &content, self.path())?;
            let mut mover = self.mover(None);
            mover.merge(&root, &content, self.path())?;
            if mover.moved != extracted.entries {
                return Err(self.folder.disappeared());
            }
            arrived.entries += mover.moved.saturating_sub(shared);
            if !arrived.modes.extend(extracted.modes) {
                return Err(refused(TOO_MANY_MODES));
            }
            arrived.titles.insert(path);
            Ok(extracted.unpacked)
        });
        // Where this fails, the directory is removed with the whole pull.
        let _ = remove::directory(&pull, &name);
        result
    }

    /// Moves trees within the hidden directory.
    fn mover<'a>(&'a self, modes: Option<&'a mut Modes>) -> Mover<'a> {
        let mut temporary = self.folder.name().to_owned();
        temporary.push("-file");
        Mover { temporary, root: self.path(), modes, is_hidden: true, moved: 0 }
    }

    /// Opens the content, and checks that all that was unpacked is in it. Another program may have
    /// removed some of it: files that are missing must not look like success.
    pub(super) fn complete_content(&self) -> Result<Dir, UnpackError> {
        let expected = self.arrived().entries;
        let content = self.content().ok().filter(|_| self.folder.is_there());
        // Parts of the directory may be removed while it is read.
        let content = content.filter(|content| place::count(content).is_ok_and(|count| count >= expected));
        content.ok_or_else(|| self.folder.disappeared())
    }

    /// Looks for files and directories in the target that cannot be replaced.
    pub(super) fn check_target(&self, content: &Dir) -> Result<(), UnpackError> {
        place::check(content, self.folder.target(), self.path()).map(drop)
    }

    /// Moves everything that has arrived in a later pull into the same target to this one.
    pub(super) fn absorb(&self, later: &Self) -> Result<(), UnpackError> {
        let expected = later.arrived().entries;
        let content = self.content().map_err(|_| self.folder.disappeared())?;
        let arriving = later.content().map_err(|_| later.folder.disappeared())?;
        let shared = place::check(&arriving, &content, self.path())?;
        let mut modes = std::mem::take(&mut later.arrived().modes);
        let mut mover = self.mover(Some(&mut modes));
        mover.merge(&arriving, &content, self.path())?;
        if mover.moved < expected {
            return Err(later.folder.disappeared());
        }
        let mut arrived = self.arrived();
        arrived.entries += mover.moved.saturating_sub(shared);
        if !arrived.modes.extend(modes) {
            return Err(UnpackError::Clash { path: self.path().to_owned(), reason: TOO_MANY_MODES });
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
        let content = self.complete_content()?;
        self.check_target(&content)?;
        let mut arrived = self.arrived();
        let expected = arrived.entries;
        let mut mover = Mover { is_hidden: false, ..self.mover(Some(&mut arrived.modes)) };
        mover.merge(&content, self.folder.target(), self.path())?;
        if mover.moved < expected {
            return Err(self.folder.disappeared());
        }
        arrived.modes.apply(self.folder.target(), self.path())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Where this fails, the directory is removed with the folder.
        let _ = remove::directory(self.folder.root(), &self.name);
    }
}

const TOO_MANY_MODES: &str = "there are too many directories that their owner cannot write to";
