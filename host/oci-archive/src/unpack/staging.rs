//! The hidden directory that layers are unpacked in, until all have arrived.

use super::cursor::make;
use super::error::UnpackError;
use super::extract::{self, Extraction};
use super::modes::Modes;
use super::place::{self, Mover};
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

/// File whose lock says that the pull is alive.
const LOCK: &str = "lock";

/// Directory of the layers that have arrived.
const CONTENT: &str = "content";

/// A pull in progress: layers are unpacked in a hidden directory `.orascache-pull-...` of the target directory, on
/// the same disk, and [moved](Staging::place) into place once all have arrived whole. Dropping it removes what was not
/// moved.
///
/// Everything below the target is reached through open directories and never through symbolic links. Layers may be
/// unpacked on several threads at once; where two hold the same path, that of the one that was complete last counts. A
/// layer that failed leaves nothing, so it can be tried again.
#[derive(Debug)]
pub struct Staging {
    target: Dir,
    path: PathBuf,
    name: OsString,
    root: Dir,
    content: Dir,
    arrived: Mutex<Arrived>,
    /// The lock lasts as long as this is open.
    _lock: File,
}

/// What has arrived.
#[derive(Debug, Default)]
struct Arrived {
    titles: BTreeSet<Vec<u8>>,
    modes: Modes,
    /// Layers so far, for names.
    layers: u64,
}

impl Staging {
    /// Begins a pull into `target`, which is made if it is missing, and may be a symbolic link to a directory. Removes
    /// what pulls left there that were killed.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made or written.
    pub fn create(target: &Path) -> Result<Self, UnpackError> {
        let unwritable = |source| UnpackError::write(target, source);
        std::fs::create_dir_all(target).map_err(unwritable)?;
        let dir = Dir::from_std_file(File::open(target).map_err(unwritable)?);
        remove_leftovers(&dir).map_err(unwritable)?;
        for _ in 0..100 {
            // Hashers are seeded with random numbers.
            let name = OsString::from(format!("{STAGING_PREFIX}{:016x}", RandomState::new().hash_one(0)));
            let root = match make(&dir, &name) {
                Ok(root) => root,
                // Another pull has the name, or took this one for a leftover.
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
                    return Ok(Self {
                        target: dir,
                        path: target.to_owned(),
                        name,
                        root,
                        content,
                        arrived,
                        _lock: lock,
                    });
                }
                Ok(None) => {}
                Err(source) => {
                    // The disk may be full. Nothing is left of what there was room for.
                    let _ = remove::directory(&dir, &name);
                    return Err(unwritable(source));
                }
            }
        }
        Err(unwritable(io::Error::other("no free name was found for a directory to unpack in")))
    }

    /// Takes a layer that is a file, titled with its path relative to the target. `content` is read to its end, where
    /// it has to fail if it was not what it should be.
    ///
    /// # Errors
    ///
    /// If the title leads elsewhere or was there before, if `content` fails or if the disk does.
    pub fn file(&self, title: &str, mut content: impl Read) -> Result<Unpacked, UnpackError> {
        self.layer(title, |parts, root| {
            extract::file(title, parts, root, &self.path, &mut content).map(|done| (done, Modes::default()))
        })
    }

    /// Takes a layer that is a directory: an archive, compressed with gzip or not, whose entries' names begin with the
    /// title. `content` is read to its end, where it has to fail if it was not what it should be.
    ///
    /// `tar_digest` is the digest that the uncompressed archive should have, `compressed_size` the size of the layer.
    ///
    /// # Errors
    ///
    /// If anything about the archive could do harm, if it is damaged or another one, if `content` fails or if the disk
    /// does.
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
        // Bytes that changed on the way look like damage. Whether they did is known at their end.
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
        // All changes are complete in themselves.
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
            place::check(&root, &self.content, &self.path)?;
            self.mover(None).merge(&root, &self.content, &self.path)?;
            if !arrived.modes.extend(modes) {
                return Err(refused("there are too many directories that their owner cannot write to"));
            }
            arrived.titles.insert(path);
            Ok(unpacked)
        });
        // What is still there goes at the latest with all the rest.
        let _ = remove::directory(&self.root, &name);
        result
    }

    fn mover<'a>(&'a self, modes: Option<&'a mut Modes>) -> Mover<'a> {
        let mut temporary = self.name.clone();
        temporary.push("-file");
        Mover { temporary, root: &self.path, modes }
    }

    /// Moves all that has arrived into the target directory. What is not there yet is moved whole. Directories that are
    /// there are kept with their modes, and filled; files and links that are there are replaced, each at once.
    ///
    /// # Errors
    ///
    /// If a directory is where a file should be or the other way round: then nothing was moved. If the file system
    /// fails: then some may have been moved.
    pub fn place(self) -> Result<(), UnpackError> {
        place::check(&self.content, &self.target, &self.path)?;
        let mut arrived = self.arrived();
        self.mover(Some(&mut arrived.modes)).merge(&self.content, &self.target, &self.path)?;
        arrived.modes.apply(&self.target, &self.path)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is a leftover that the next pull removes.
        let _ = remove::directory(&self.target, &self.name);
    }
}

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
        // Between opening and locking, the file may have been locked, removed and let go.
        Ok(()) if lock.metadata()?.nlink() == 0 => Ok(None),
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: others cannot take it either, and leave the directory alone.
        Err(TryLockError::Error(_)) => Ok(Some(lock)),
    }
}

/// Removes the directories of pulls that are dead, as far as that is possible.
fn remove_leftovers(target: &Dir) -> io::Result<()> {
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
