//! Which hidden directories belong to pulls that still run.
//!
//! A lock alone does not tell: on many network file systems a lock is seen on its own node only.
//! Therefore a running pull also touches its directory every minute, and a directory is left over
//! only when it was not touched for [`LEFT_OVER_AFTER`], by the clock of the file system, and
//! nobody holds its lock. Nodes may have different clocks, but all of them see the one of the file
//! system.

use super::remove;
use crate::beneath;
use crate::title::STAGING_PREFIX;
use cap_std::fs::{Dir, MetadataExt, OpenOptions};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Name of the file whose lock says that the pull is running.
const LOCK: &str = "lock";
/// Time between two touches of a directory. Tests see more than one.
const TOUCH_EVERY: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(60) };
/// A directory that was not touched for this long is left over, in seconds. It is many times
/// [`TOUCH_EVERY`], so that no pull is lost when a file system hangs for a while.
pub(super) const LEFT_OVER_AFTER: i64 = 15 * 60;
/// Prefix of directories that are being removed. A pull that still runs notices by the new
/// name that its directory is gone.
const REMOVED_PREFIX: &str = ".orascache-pull-removed-";

/// Says that a pull runs, until it is dropped.
#[derive(Debug)]
pub(super) struct Liveness {
    /// The lock lasts as long as this file is open.
    _lock: File,
    directory: Arc<File>,
}

impl Liveness {
    /// Begins to lock and touch the hidden directory of a pull.
    pub(super) fn begin(root: &Dir) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let lock = root.open_with(LOCK, &options)?.into_std();
        // On a file system without locks, only the touched time shows that the pull is alive.
        let _ = lock.try_lock();
        let directory = Arc::new(File::from(root.as_fd().try_clone_to_owned()?));
        let mut touched = touched();
        touched.directories.push(Arc::clone(&directory));
        if !touched.is_running {
            // If no thread can be started, only the lock shows that the pull is alive.
            let started = std::thread::Builder::new().name("touch".to_owned()).spawn(touch_all);
            touched.is_running = started.is_ok();
        }
        Ok(Self { _lock: lock, directory })
    }
}

impl Drop for Liveness {
    fn drop(&mut self) {
        let mut touched = touched();
        touched.directories.retain(|directory| !Arc::ptr_eq(directory, &self.directory));
        if touched.directories.is_empty() {
            ENDED.notify_all();
        }
    }
}

/// The directories of all pulls of this process, which one thread touches.
struct Touched {
    directories: Vec<Arc<File>>,
    is_running: bool,
}

static TOUCHED: Mutex<Touched> = Mutex::new(Touched { directories: Vec::new(), is_running: false });
/// Notified when there are no directories any more.
static ENDED: Condvar = Condvar::new();

fn touched() -> MutexGuard<'static, Touched> {
    // Each change is complete before the lock is released.
    TOUCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Touches all directories regularly, until there are none.
fn touch_all() {
    let mut touched = touched();
    while !touched.directories.is_empty() {
        let waited =
            ENDED.wait_timeout_while(touched, TOUCH_EVERY, |touched| !touched.directories.is_empty());
        touched = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(touched, _)| touched);
        let directories = touched.directories.clone();
        drop(touched);
        // A file system that hangs must not keep other threads waiting for the lock.
        for directory in &directories {
            // The next round may succeed.
            let _ = touch(&**directory);
        }
        drop(directories);
        touched = self::touched();
    }
    touched.is_running = false;
}

/// Sets the time of the last change to now, by the clock of the file system (utimensat(2),
/// `UTIME_NOW`).
fn touch(file: impl AsFd) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(file, &Timestamps { last_access: now, last_modification: now })?)
}

/// The time and the user that the file system records for a write of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observer {
    /// Time, in seconds.
    now: i64,
    /// The user of this process on the file system. A mount may map users, so that it can differ
    /// from the user that the process sees.
    user: u32,
}

impl Observer {
    /// Reads them from a directory that was made just now.
    pub(super) fn of_new(directory: &Dir) -> io::Result<Self> {
        let metadata = directory.dir_metadata()?;
        Ok(Self { now: metadata.mtime(), user: metadata.uid() })
    }

    /// Reads the time from the target itself, when the disk is too full for a new directory.
    pub(super) fn of_target(target: &Dir) -> io::Result<Self> {
        touch(target)?;
        let now = target.dir_metadata()?.mtime();
        Ok(Self { now, user: rustix::process::geteuid().as_raw() })
    }

    /// Removes the directories that this user's pulls have left over, as far as that is possible.
    pub(super) fn remove_left_over(self, target: &Dir) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in target.entries()? {
            let name = entry?.file_name();
            if name.as_bytes().starts_with(STAGING_PREFIX.as_bytes()) {
                names.push(name);
            }
        }
        for name in names {
            if beneath::directory(target, &name).is_ok_and(|root| self.is_left_over(&root)) {
                // The next pull tries it again.
                let _ = remove_renamed(target, &name);
            }
        }
        Ok(())
    }

    fn is_left_over(self, root: &Dir) -> bool {
        let Ok(metadata) = root.dir_metadata() else { return false };
        metadata.uid() == self.user
            && self.now.saturating_sub(metadata.mtime()) >= LEFT_OVER_AFTER
            && !is_locked(root)
    }
}

fn is_locked(root: &Dir) -> bool {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    // Without the file, its pull was killed very early.
    let Ok(lock) = root.open_with(LOCK, &options) else { return false };
    matches!(lock.into_std().try_lock(), Err(TryLockError::WouldBlock))
}

/// Removes a hidden directory, under another name.
fn remove_renamed(target: &Dir, name: &OsStr) -> io::Result<()> {
    if name.as_bytes().starts_with(REMOVED_PREFIX.as_bytes()) {
        return remove::directory(target, name);
    }
    let dead = random_name(REMOVED_PREFIX);
    target.rename(name, target, &dead)?;
    remove::directory(target, &dead)
}

/// A name that no other process chooses.
pub(super) fn random_name(prefix: &str) -> OsString {
    // Hashers are seeded with random numbers.
    OsString::from(format!("{prefix}{:016x}", RandomState::new().hash_one(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Instant, SystemTime};

    #[test]
    fn a_running_pull_touches_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        let std_file = File::open(folder.path()).unwrap();
        let liveness = Liveness::begin(&Dir::from_std_file(std_file.try_clone().unwrap())).unwrap();
        for _ in 0..2 {
            std_file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            let deadline = Instant::now() + Duration::from_secs(30);
            while std_file.metadata().unwrap().modified().unwrap() == SystemTime::UNIX_EPOCH {
                assert!(Instant::now() < deadline, "the directory is not touched");
                std::thread::yield_now();
            }
        }
        drop(liveness);
        assert!(!touched().directories.iter().any(|other| same_file(other, &std_file)));
    }

    fn same_file(one: &File, other: &File) -> bool {
        use std::os::unix::fs::MetadataExt;
        one.metadata().unwrap().ino() == other.metadata().unwrap().ino()
    }
}
