//! The archive of a directory, which is always the same for the same content.

use super::error::{Halt, PackError};
use super::stream::{Stream, Totals};
use crate::title::MAX_NAME;
use crate::{MAX_DEPTH, MAX_ENTRY_NAME, beneath, link};
use cap_std::fs::{Dir, FileType};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};

/// Size of a tar archive's blocks.
const BLOCK: u64 = 512;

/// A directory that is to be written as an archive.
pub(super) struct Archive<'a> {
    /// The directory.
    pub(super) root: &'a Dir,
    /// Its path, for errors.
    pub(super) path: &'a Path,
    /// The prefix of the names of all entries.
    pub(super) title: &'a str,
    /// Number of parts of the title.
    pub(super) depth: usize,
    /// Whether the digest of the uncompressed archive is wanted.
    pub(super) hashed: bool,
}

impl Archive<'_> {
    /// Writes the archive.
    pub(super) fn write(&self, stream: Stream) -> Result<Totals, Halt> {
        let mut writer =
            Writer { stream, name: self.title.as_bytes().to_vec(), title: self.title.len(), path: self.path };
        let metadata = self.root.dir_metadata().map_err(|source| writer.unreadable(source))?;
        writer.header(EntryType::Directory, cap_std::fs::MetadataExt::mode(&metadata), 0, b"")?;
        writer.directory(self.root, self.depth)?;
        // Two empty blocks are the end.
        writer.stream.zeros(1024)?;
        writer.stream.finish()
    }
}

/// Whether an entry is the directory that some file systems create at the root of a volume
/// (fsck(8), mklost+found(8)). It belongs to root, and holds nothing of the user's.
fn is_lost_and_found(dir: &Dir, name: &OsStr) -> bool {
    name == "lost+found"
        && dir
            .symlink_metadata(name)
            .is_ok_and(|metadata| metadata.is_dir() && cap_std::fs::MetadataExt::uid(&metadata) == ROOT)
}

/// The user id of root.
const ROOT: u32 = 0;

struct Writer<'a> {
    stream: Stream,
    /// Name of the current entry, which begins with the title.
    name: Vec<u8>,
    title: usize,
    path: &'a Path,
}

impl Writer<'_> {
    /// Where the current entry is on the disk, for errors.
    fn here(&self) -> PathBuf {
        let below = self.name.get(self.title + 1..).unwrap_or_default();
        if below.is_empty() { self.path.to_owned() } else { self.path.join(OsStr::from_bytes(below)) }
    }

    fn unreadable(&self, source: std::io::Error) -> PackError {
        PackError::Read { path: self.here(), source }
    }

    fn refused(&self, reason: String) -> PackError {
        PackError::Name { path: self.here(), reason }
    }

    /// Writes what is in `dir`, in the order of the names' bytes.
    fn directory(&mut self, dir: &Dir, depth: usize) -> Result<(), Halt> {
        let mut entries: Vec<(OsString, FileType)> = Vec::new();
        for entry in dir.entries().map_err(|source| self.unreadable(source))? {
            let entry = entry.map_err(|source| self.unreadable(source))?;
            entries.push((entry.file_name(), entry.file_type().map_err(|source| self.unreadable(source))?));
        }
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let is_top = self.name.len() == self.title;
        for (name, kind) in entries {
            if is_top && is_lost_and_found(dir, &name) {
                continue;
            }
            let end = self.name.len();
            self.name.push(b'/');
            self.name.extend_from_slice(name.as_bytes());
            self.entry(dir, &name, kind, depth)?;
            self.name.truncate(end);
        }
        Ok(())
    }

    fn entry(&mut self, dir: &Dir, name: &OsStr, kind: FileType, depth: usize) -> Result<(), Halt> {
        if name.len() > MAX_NAME {
            return Err(self.refused(format!("its name is longer than {MAX_NAME} bytes")).into());
        }
        // The slash behind the name of a directory counts.
        if self.name.len() + 1 >= MAX_ENTRY_NAME {
            let reason = format!("its name in the archive is longer than {} bytes", MAX_ENTRY_NAME - 1);
            return Err(self.refused(reason).into());
        }
        // Not all file systems tell the kind when they list names.
        let mut mode = 0;
        let kind = if kind.is_file() || kind.is_dir() || kind.is_symlink() {
            kind
        } else {
            let metadata = dir.symlink_metadata(name).map_err(|source| self.unreadable(source))?;
            mode = cap_std::fs::MetadataExt::mode(&metadata);
            metadata.file_type()
        };
        if kind.is_dir() {
            if depth >= MAX_DEPTH {
                return Err(self.refused(format!("directories are nested deeper than {MAX_DEPTH}")).into());
            }
            let inner = beneath::directory(dir, name).map_err(|source| self.unreadable(source))?;
            let metadata = inner.dir_metadata().map_err(|source| self.unreadable(source))?;
            self.header(EntryType::Directory, cap_std::fs::MetadataExt::mode(&metadata), 0, b"")?;
            self.directory(&inner, depth + 1)
        } else if kind.is_file() {
            let file = beneath::file(dir, name).map_err(|source| self.unreadable(source))?;
            let metadata = file.metadata().map_err(|source| self.unreadable(source))?;
            if !metadata.is_file() {
                return Err(PackError::Changed { path: self.here() }.into());
            }
            self.header(EntryType::Regular, metadata.mode(), metadata.len(), b"")?;
            self.content(file, metadata.len())
        } else if kind.is_symlink() {
            let target = dir.read_link_contents(name).map_err(|source| self.unreadable(source))?;
            let target = target.into_os_string().into_vec();
            // Entries directly in the directory of the layer are at depth 0.
            let below = self.name[self.title..].iter().filter(|byte| **byte == b'/').count();
            if let Err(reason) = link::check(&target, below.saturating_sub(1)) {
                let target = PathBuf::from(OsString::from_vec(target));
                return Err(PackError::Link { path: self.here(), target, reason }.into());
            }
            self.header(EntryType::Symlink, 0o777, 0, &target)
        } else {
            Err(PackError::Special { path: self.here(), kind: special(mode) }.into())
        }
    }

    /// Writes exactly as many bytes as the header said.
    fn content(&mut self, mut file: File, size: u64) -> Result<(), Halt> {
        let mut left = size;
        while left > 0 {
            let room = self.stream.room();
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
            match file.read(&mut room[..most]) {
                Ok(0) => return Err(PackError::Changed { path: self.here() }.into()),
                Ok(count) => {
                    left -= count as u64;
                    self.stream.advance(count)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.unreadable(source).into()),
            }
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<(), Halt> {
        let padding = (BLOCK - size % BLOCK) % BLOCK;
        self.stream.zeros(padding as usize)
    }

    fn header(&mut self, kind: EntryType, mode: u32, size: u64, target: &[u8]) -> Result<(), Halt> {
        self.stream.entry();
        let slash = kind == EntryType::Directory;
        if slash {
            self.name.push(b'/');
        }
        let name = std::mem::take(&mut self.name);
        let written = self.long(EntryType::GNULongLink, target).and_then(|()| {
            self.long(EntryType::GNULongName, &name)?;
            let header = header(&name, kind, mode, size, target);
            self.stream.write(header.as_bytes())
        });
        self.name = name;
        if slash {
            self.name.pop();
        }
        written
    }

    /// Writes a value that does not fit into a header in an entry before it, as GNU tar does. The
    /// alternative, pax headers, would require UTF-8.
    fn long(&mut self, kind: EntryType, value: &[u8]) -> Result<(), Halt> {
        if value.len() <= FIELD {
            return Ok(());
        }
        let size = value.len() as u64 + 1;
        self.stream.write(header(b"././@LongLink", kind, 0o644, size, b"").as_bytes())?;
        self.stream.write(value)?;
        self.stream.zeros(1)?;
        self.pad(size)
    }
}

/// Number of bytes that a header has for a name, and for the target of a link.
const FIELD: usize = 100;

fn header(name: &[u8], kind: EntryType, mode: u32, size: u64, target: &[u8]) -> Header {
    let mut header = Header::new_gnu();
    {
        let old = header.as_old_mut();
        fill(&mut old.name, name);
        fill(&mut old.linkname, target);
    }
    header.set_entry_type(kind);
    header.set_mode(mode & 0o777);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    header
}

fn fill(field: &mut [u8; FIELD], value: &[u8]) {
    let count = value.len().min(FIELD);
    field[..count].copy_from_slice(&value[..count]);
}

/// The kind of a file that cannot be packed, for messages.
pub(super) fn special(mode: u32) -> &'static str {
    match rustix::fs::FileType::from_raw_mode(mode) {
        rustix::fs::FileType::Socket => "socket",
        rustix::fs::FileType::Fifo => "named pipe",
        rustix::fs::FileType::BlockDevice | rustix::fs::FileType::CharacterDevice => "device",
        _ => "file of an unknown kind",
    }
}
