//! The hidden directory in which layers are unpacked until all have arrived.

use super::cursor::make;
use super::error::UnpackError;
use super::extract::{self, Extraction};
use super::modes::Modes;
use super::place::{self, Mover, SamePath};
use super::source::Source;
use super::{Unpacked, remove};
use crate::beneath;
use crate::limits::Limits;
use crate::title::{self, STAGING_PREFIX};
use cap_std::fs::{Dir, OpenOptions};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the file whose lock says that the pull is running.
const LOCK: &str = "lock";

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
    /// The lock lasts as long as this file is open.
    _lock: File,
}

/// The layers that have arrived.
#[derive(Debug, Default)]
struct Arrived {
    titles: BTreeSet<Vec<u8>>,
    modes: Modes,
    /// Number of layers so far, for the names of their directories.
    layers: u64,
}

impl Staging {
    /// Begins a pull into `target`, which is created if it is missing, and may be a symbolic link
    /// to a directory. Removes the hidden directories of pulls that were killed.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made or written.
    pub fn create(target: &Path) -> Result<Self, UnpackError> {
        let unwritable = |source| UnpackError::write(target, source);
        std::fs::create_dir_all(target).map_err(unwritable)?;
        let dir = Dir::from_std_file(File::open(target).map_err(unwritable)?);
        remove_dead_pulls(&dir).map_err(unwritable)?;
        for _ in 0..100 {
            // Hashers are seeded with random numbers.
            let name = OsString::from(format!("{STAGING_PREFIX}{:016x}", RandomState::new().hash_one(0)));
            let root = match make(&dir, &name) {
                Ok(root) => root,
                // Another pull has the name, or took this directory for that of a pull that was
                // killed.
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
                    continue;
                }
                Err(source) => return Err(unwritable(source)),
            };
            let begun = lock(&root).and_then(|lock| {
                let Some(lock) = lock else { return Ok(None) };
                Ok(Some((lock, make(&root, OsStr::new(CONTENT))?)))
            });
            match begun {
                Ok(Some((lock, content))) => {
                    let arrived = Mutex::default();
                    let keeps_modes = beneath::set_mode(&content, 0o700).map_err(unwritable)?;
                    return Ok(Self {
                        target: dir,
                        path: target.to_owned(),
                        name,
                        root,
                        content,
                        arrived,
                        keeps_modes,
                        _lock: lock,
                    });
                }
                Ok(None) => {}
                Err(source) => {
                    // The disk may be full. The part that had room is removed.
                    let _ = remove::directory(&dir, &name);
                    return Err(unwritable(source));
                }
            }
        }
        Err(unwritable(io::Error::other("no free name was found for a directory to unpack in")))
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
        self.layer(title, |parts, root| {
            extract::file(title, parts, root, &self.path, &mut content).map(|done| (done, Modes::default()))
        })
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
        unpack: impl FnOnce(&[OsString], &Dir) -> Result<(Unpacked, Modes), UnpackError>,
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
        let result = unpack(&parts, &root).and_then(|(unpacked, modes)| {
            let mut arrived = self.arrived();
            if arrived.titles.contains(&path) {
                return Err(refused("another layer of the artifact has the same title"));
            }
            place::check(&root, &self.content, &self.path, SamePath::LastWins)?;
            self.mover(None).merge(&root, &self.content, &self.path)?;
            if !arrived.modes.extend(modes) {
                return Err(refused(TOO_MANY_MODES));
            }
            arrived.titles.insert(path);
            Ok(unpacked)
        });
        // Where this fails, the directory is removed with the whole pull.
        let _ = remove::directory(&self.root, &name);
        result
    }

    fn mover<'a>(&'a self, modes: Option<&'a mut Modes>) -> Mover<'a> {
        let mut temporary = self.name.clone();
        temporary.push("-file");
        Mover { temporary, root: &self.path, modes }
    }

    /// Looks for paths that an earlier pull into the same target holds too.
    ///
    /// # Errors
    ///
    /// If one of the two has a directory where the other has a file, or if both hold a file with
    /// different content and `same` refuses that.
    pub fn check_against(&self, earlier: &Self, same: SamePath) -> Result<(), UnpackError> {
        place::check(&self.content, &earlier.content, &self.path, same)
    }

    /// Moves several pulls into their common target, all or none. Where two hold the same file, the
    /// later one counts.
    ///
    /// # Errors
    ///
    /// As [`Staging::place`], and if one of the pulls has a directory where another one has a file:
    /// then nothing was moved.
    pub fn place_all(pulls: Vec<Self>) -> Result<(), UnpackError> {
        let mut pulls = pulls.into_iter();
        let Some(first) = pulls.next() else { return Ok(()) };
        for later in pulls {
            first.absorb(&later)?;
        }
        first.place()
    }

    /// Moves everything that has arrived in a later pull to this one.
    fn absorb(&self, later: &Self) -> Result<(), UnpackError> {
        place::check(&later.content, &self.content, &self.path, SamePath::LastWins)?;
        let mut modes = std::mem::take(&mut later.arrived().modes);
        self.mover(Some(&mut modes)).merge(&later.content, &self.content, &self.path)?;
        if !self.arrived().modes.extend(modes) {
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
    /// If a directory is where a file should be or the other way round: then nothing was moved. If
    /// the file system fails: then some entries may have been moved.
    pub fn place(self) -> Result<(), UnpackError> {
        place::check(&self.content, &self.target, &self.path, SamePath::LastWins)?;
        let mut arrived = self.arrived();
        self.mover(Some(&mut arrived.modes)).merge(&self.content, &self.target, &self.path)?;
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

/// Locks a staging directory. `None` if another pull is about to remove it.
fn lock(root: &Dir) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    let lock = match root.open_with(LOCK, &options) {
        Ok(lock) => lock.into_std(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        // Between opening and locking, another pull may have locked, removed and unlocked the file.
        Ok(()) if lock.metadata()?.nlink() == 0 => Ok(None),
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // On a file system without locks, other pulls cannot lock it either, and leave the
        // directory alone.
        Err(TryLockError::Error(_)) => Ok(Some(lock)),
    }
}

/// Removes the directories of pulls that were killed, as far as that is possible.
fn remove_dead_pulls(target: &Dir) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in target.entries()? {
        let name = entry?.file_name();
        if name.as_bytes().starts_with(STAGING_PREFIX.as_bytes()) {
            names.push(name);
        }
    }
    for name in names {
        let Ok(root) = beneath::directory(target, &name) else { continue };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let Ok(lock) = root.open_with(LOCK, &options) else { continue };
        let lock = lock.into_std();
        if lock.try_lock().is_ok() {
            let _ = remove::directory(target, &name);
        }
    }
    Ok(())
}
