//! Walking to a directory, one name at a time, and never through a symbolic link.

use crate::beneath;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, Permissions, PermissionsExt};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};

/// The directory that was opened last. Most entries of an archive are in the same directory as the
/// entry before.
pub(super) struct Cursor<'a> {
    root: &'a Dir,
    parts: Vec<OsString>,
    dir: Option<Dir>,
    /// Number of directories that were made.
    made: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(root: &'a Dir) -> Self {
        Self { root, parts: Vec::new(), dir: None, made: 0 }
    }

    /// The number of directories that were made.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Opens a directory that exists. A link or file on the way fails with `NotADirectory`.
    pub(super) fn go<T: AsRef<OsStr>>(&mut self, parts: &[T]) -> io::Result<&Dir> {
        self.walk(parts, beneath::directory)
    }

    /// Opens a directory, and creates directories that are missing on the way, with mode 0755.
    pub(super) fn make<T: AsRef<OsStr>>(&mut self, parts: &[T]) -> io::Result<&Dir> {
        let mut made = 0;
        let walked = self.walk(parts, |dir, name| match beneath::directory(dir, name) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let new = make(dir, name)?;
                made += 1;
                beneath::set_mode(&new, 0o755)?;
                Ok(new)
            }
            other => other,
        });
        let walked = walked.map(drop);
        self.made += made;
        walked?;
        Ok(self.dir.as_ref().unwrap_or(self.root))
    }

    fn walk<T: AsRef<OsStr>>(
        &mut self,
        parts: &[T],
        mut step: impl FnMut(&Dir, &OsStr) -> io::Result<Dir>,
    ) -> io::Result<&Dir> {
        let on_the_way = self.parts.len() <= parts.len()
            && self.parts.iter().zip(parts).all(|(here, there)| here == there.as_ref());
        if !on_the_way {
            self.parts.clear();
            self.dir = None;
        }
        for part in parts.iter().skip(self.parts.len()) {
            let next = step(self.dir.as_ref().unwrap_or(self.root), part.as_ref())?;
            self.dir = Some(next);
            self.parts.push(part.as_ref().to_owned());
        }
        Ok(self.dir.as_ref().unwrap_or(self.root))
    }
}

/// Creates a directory for its owner only, and opens it. An existing one fails with
/// `AlreadyExists`.
pub(super) fn make(dir: &Dir, name: &OsStr) -> io::Result<Dir> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    dir.create_dir_with(name, &builder)?;
    match beneath::directory(dir, name) {
        // The umask may have removed the rights of the owner.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            dir.set_permissions(name, Permissions::from_mode(0o700))?;
            beneath::directory(dir, name)
        }
        other => other,
    }
}
