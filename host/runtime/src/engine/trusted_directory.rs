//! A directory whose files nobody but root and the user of this process can write.
//!
//! Everything goes through descriptors. The path is walked from the root directory, one name at a
//! time; each directory on the way is opened relative to the one before it and then checked. What
//! was checked is therefore what is used, whatever happens to the path in the meantime.
//!
//! POSIX access control lists need no check of their own: a list that lets somebody write shows in
//! the write bit of the group (acl(5), "correspondence between ACL entries and file permission
//! bits").

use rand::Rng;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// Symbolic links that one path may lead through, as in Linux (path_resolution(7)).
const LINKS: usize = 40;
/// Permission bits of the group and of others to write.
const OTHERS_WRITE: u32 = 0o022;
/// In a directory with this bit, only owners rename and delete entries (inode(7), `S_ISVTX`).
const STICKY: u32 = 0o1000;
/// The user that may write everything anyway.
const ROOT: u32 = 0;

/// How directories are opened on the way. `O_PATH` needs no permission to list them.
#[cfg(target_os = "linux")]
const TRAVERSE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const TRAVERSE: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Why a directory or a file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The system does not give it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Somebody else could put other content there.
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// How others could put content into a place.
#[derive(Debug, thiserror::Error)]
#[error("{} {weakness}", path.display())]
pub(super) struct Unsafe {
    path: PathBuf,
    weakness: Weakness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weakness {
    /// It belongs to this user.
    Owner(u32),
    /// Others may write it, as these permission bits say.
    Mode(u32),
    Link,
    NotAFile,
}

impl fmt::Display for Weakness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(owner) => write!(
                formatter,
                "belongs to user {owner}, who is neither root nor the user of this process (user {}): \
                 delete it, or change its owner",
                us()
            ),
            Self::Mode(mode) => write!(
                formatter,
                "has mode {:04o}, so that other users can write it: make sure that nobody did, and take the \
                 right away with `chmod go-w`",
                mode & 0o7777
            ),
            Self::Link => {
                formatter.write_str("is a symbolic link: delete it, or name the place that it leads to")
            }
            Self::NotAFile => formatter.write_str("is no regular file: delete it"),
        }
    }
}

/// An open directory that was checked.
pub(super) struct TrustedDirectory {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl TrustedDirectory {
    /// Opens a directory. It and the directories above it are made with mode 0700 where they are
    /// missing.
    pub(super) fn open_or_create(path: &Path) -> Result<Self, Refusal> {
        let path = std::path::absolute(path)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no directory").into());
        };
        let above = open_parents(parent)?;
        let Some(descriptor) = open_or_make(&above, name)? else {
            return Err(Unsafe { path, weakness: Weakness::Link }.into());
        };
        let stat = rustix::fs::fstat(&descriptor)?;
        match weakness(&stat) {
            Some(weakness) => Err(Unsafe { path, weakness }.into()),
            None => Ok(Self { descriptor, path }),
        }
    }

    /// Where it is, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file in it for reading; `None` when there is no such file.
    pub(super) fn file(&self, name: &str) -> Result<Option<File>, Refusal> {
        let refused = |weakness| Unsafe { path: self.path.join(name), weakness }.into();
        // NONBLOCK: opening a pipe that nobody writes into would wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(refused(Weakness::Link)),
            Err(error) => return Err(error.into()),
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refused(Weakness::NotAFile));
        }
        weakness(&stat).map_or_else(|| Ok(Some(file.into())), |weakness| Err(refused(weakness)))
    }

    /// Writes a file with mode 0600 in one step: readers see the old content or the new one, and
    /// mappings of the old file stay what they are. A symbolic link of that name is replaced, not
    /// followed.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let temporary = format!(".{:016x}.tmp", rand::rng().random::<u64>());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.descriptor, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
        let written = File::from(file)
            .write_all(content)
            .and_then(|()| Ok(rustix::fs::renameat(&self.descriptor, &temporary, &self.descriptor, name)?));
        if written.is_err() {
            // The first error is the one to report.
            let _ = rustix::fs::unlinkat(&self.descriptor, &temporary, AtFlags::empty());
        }
        written
    }
}

/// The user of this process.
fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn is_trusted(owner: u32) -> bool {
    owner == ROOT || owner == us()
}

/// How others could change the content of a file or of a directory.
#[allow(clippy::useless_conversion, reason = "a mode has 16 bits on macOS")]
fn weakness(stat: &Stat) -> Option<Weakness> {
    if !is_trusted(stat.st_uid) {
        return Some(Weakness::Owner(stat.st_uid));
    }
    let mode = u32::from(stat.st_mode);
    (mode & OTHERS_WRITE != 0).then_some(Weakness::Mode(mode))
}

/// How others could exchange an entry of a directory that belongs to root or to us.
fn weakness_of_parent(stat: &Stat, is_mount: impl FnOnce() -> bool) -> Option<Weakness> {
    match weakness(stat)? {
        Weakness::Mode(mode) if mode & STICKY != 0 => None,
        // Kubernetes mounts an emptyDir with mode 0777, and a pod cannot change that. Whoever
        // shares the volume could move a directory of ours to another name in it, but cannot make
        // one of ours.
        Weakness::Mode(_) if is_mount() => None,
        other => Some(other),
    }
}

/// Whether a directory is the root of a mounted file system or volume.
#[cfg(target_os = "linux")]
fn is_mount(directory: impl AsFd) -> bool {
    use rustix::fs::{StatxAttributes, StatxFlags};
    let status = rustix::fs::statx(directory, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    // Kernels before 5.8 do not know; then it is none.
    status.is_ok_and(|status| status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mount(_: impl AsFd) -> bool {
    false
}

/// Opens a directory after all directories on the way to it were checked. Missing ones are made.
fn open_parents(path: &Path) -> Result<OwnedFd, Refusal> {
    let root = || rustix::fs::open("/", TRAVERSE, Mode::empty());
    let mut reached = PathBuf::from("/");
    let mut directory = root()?;
    check_parent(&directory, &reached)?;
    // The next name is the last one.
    let mut names = names(path);
    let mut links = 0;
    while let Some(name) = names.pop() {
        if let Some(next) = open_or_make(&directory, &name)? {
            directory = next;
            if name == ".." {
                reached.pop();
            } else {
                reached.push(&name);
            }
            check_parent(&directory, &reached)?;
            continue;
        }
        // In a sticky directory anybody may have put the link.
        let owner = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)?.st_uid;
        if !is_trusted(owner) {
            return Err(Unsafe { path: reached.join(name), weakness: Weakness::Owner(owner) }.into());
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = rustix::fs::readlinkat(&directory, &name, Vec::new())?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            directory = root()?;
            reached = PathBuf::from("/");
        }
        names.extend(self::names(&target));
    }
    Ok(directory)
}

/// The names in a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    });
    let mut names: Vec<_> = names.collect();
    names.reverse();
    names
}

fn check_parent(directory: &OwnedFd, path: &Path) -> Result<(), Refusal> {
    let stat = rustix::fs::fstat(directory)?;
    match weakness_of_parent(&stat, || is_mount(directory)) {
        Some(weakness) => Err(Unsafe { path: path.to_owned(), weakness }.into()),
        None => Ok(()),
    }
}

/// Opens a directory by its name in another one, and makes it when it is missing. `None` when it is
/// a symbolic link.
fn open_or_make(directory: &OwnedFd, name: &OsStr) -> Result<Option<OwnedFd>, Refusal> {
    let open = || rustix::fs::openat(directory, name, TRAVERSE | OFlags::NOFOLLOW, Mode::empty());
    let opened = match open() {
        Err(Errno::NOENT) => {
            match rustix::fs::mkdirat(directory, name, Mode::RWXU) {
                // Another process may have made it just now.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            open()
        }
        opened => opened,
    };
    match opened {
        Ok(opened) => Ok(Some(opened)),
        // Linux says that a link is no directory, other systems that it is a link.
        Err(error @ (Errno::NOTDIR | Errno::LOOP)) => {
            let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => Ok(None),
                _ => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Weakness, is_mount, us, weakness_of_parent};
    use std::fs::File;

    #[test]
    fn directories_above_may_be_writable_only_where_others_cannot_exchange_ours() {
        let stat = |owner, mode| {
            let mut stat = rustix::fs::stat("/").expect("the root directory");
            (stat.st_uid, stat.st_mode) = (owner, mode);
            stat
        };
        let foreign = us() + 1;
        for (owner, mode, mount, expected) in [
            (0, 0o755, false, None),
            (us(), 0o700, false, None),
            (0, 0o1777, false, None),
            (0, 0o777, true, None),
            (0, 0o777, false, Some(Weakness::Mode(0o777))),
            (us(), 0o770, false, Some(Weakness::Mode(0o770))),
            // The owner of a sticky directory may rename everything in it.
            (foreign, 0o1777, false, Some(Weakness::Owner(foreign))),
            (foreign, 0o755, true, Some(Weakness::Owner(foreign))),
        ] {
            let found = weakness_of_parent(&stat(owner, mode), || mount);
            assert_eq!(found, expected, "owner {owner}, mode {mode:o}, mount {mount}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn mounts_are_told_from_other_directories() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(is_mount(File::open("/proc").expect("mounted")));
        assert!(!is_mount(File::open(folder.path()).expect("a folder")));
    }
}
