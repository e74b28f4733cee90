//! Opening the entries of a directory by name, without following symbolic links.
//!
//! [`Dir`] keeps paths inside of the directory, but follows links within it. Links must not be
//! followed here at all. Opening one name at a time with `O_NOFOLLOW` works on every kernel.

use cap_std::fs::{Dir, File};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

fn open(dir: &Dir, name: &OsStr, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this is not the name of an entry of a directory",
        ));
    }
    loop {
        match rustix::fs::openat(dir.as_fd(), name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Opens the directory `name` in `dir`. A symbolic link fails with `NotADirectory`.
pub(crate) fn directory(dir: &Dir, name: &OsStr) -> io::Result<Dir> {
    let fd = open(dir, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    Ok(Dir::from_std_file(fd.into()))
}

/// Opens the file `name` in `dir` for reading, without waiting for the other end of a named pipe.
pub(crate) fn file(dir: &Dir, name: &OsStr) -> io::Result<std::fs::File> {
    Ok(open(dir, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())?.into())
}

/// Creates the file `name` in `dir`, for its owner only. An existing one fails with
/// `AlreadyExists`.
pub(crate) fn create(dir: &Dir, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    Ok(File::from_std(open(dir, name, flags, Mode::RUSR | Mode::WUSR)?.into()))
}

/// Sets the permission bits of an open file or directory, whatever the umask is. Returns whether
/// the file system has taken them: some volumes, such as SMB shares and object stores, refuse that,
/// and content is still worth having there.
pub(crate) fn set_mode(open: impl AsFd, mode: u32) -> io::Result<bool> {
    match rustix::fs::fchmod(open, Mode::from_bits_truncate(mode & 0o777)) {
        Ok(()) => Ok(true),
        Err(error) if is_unsupported(error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a file system says by this error that its modes cannot be changed (chmod(2)).
fn is_unsupported(error: Errno) -> bool {
    [Errno::PERM, Errno::NOSYS, Errno::OPNOTSUPP].contains(&error)
}
