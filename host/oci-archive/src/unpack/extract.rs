//! Extracting: the entries of an archive become files and directories.

use super::Unpacked;
use super::cursor::{Cursor, make};
use super::error::UnpackError;
use super::modes::Modes;
use super::source::{BUFFER, Counted, Decoder, Rationed, Unsupported};
use crate::digest::sha256_text;
use crate::limits::Limits;
use crate::title::{MAX_NAME, join};
use crate::{MAX_DEPTH, MAX_ENTRY_NAME, beneath, link};
use cap_std::fs::Dir;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tar::{Entry, EntryType};

/// Bytes of the headers before an entry that are read into memory.
const HEADERS: u64 = 1 << 20;

/// An archive that is extracted to `root`.
pub(super) struct Extraction<'a> {
    pub(super) title: &'a str,
    /// Parts of the title.
    pub(super) parts: &'a [OsString],
    pub(super) root: &'a Dir,
    /// Where `root`'s content will be, for errors.
    pub(super) path: &'a Path,
    pub(super) compressed: u64,
    pub(super) limits: &'a Limits,
}

/// What was made of a layer.
#[derive(Debug)]
pub(super) struct Extracted {
    pub(super) unpacked: Unpacked,
    /// Modes that are set last.
    pub(super) modes: Modes,
    /// Number of files, links and directories that must be there afterwards.
    pub(super) entries: u64,
}

/// What is known while entries are read.
struct State<'a> {
    places: Cursor<'a>,
    /// For the targets of hard links.
    links: Cursor<'a>,
    modes: Modes,
    unpacked: Unpacked,
    /// Number of files and links that exist.
    entries: u64,
    /// Bytes of all files, as far as their headers said.
    announced: u64,
    buffer: Vec<u8>,
}

impl Extraction<'_> {
    /// Unpacks all of it, and reads `content` to its end.
    pub(super) fn run(&self, content: impl Read, tar_digest: Option<&str>) -> Result<Extracted, UnpackError> {
        let decoder = Decoder::new(content)
            .map_err(|error| self.damaged(error))?
            .map_err(|found| UnpackError::NotAnArchive { title: self.title.to_owned(), found })?;
        let (title, compressed) = (self.title.to_owned(), self.compressed);
        let allowed = self.limits.allowed_bytes(compressed);
        let counted = Counted {
            inner: decoder,
            hash: tar_digest.map(|_| Sha256::new()),
            bytes: 0,
            allowed,
            too_much: Box::new(move || UnpackError::Bomb { title: title.clone(), compressed, allowed }),
        };
        let allowance = Rc::new(Cell::new(HEADERS));
        let buffered = BufReader::with_capacity(BUFFER, counted);
        let mut archive = tar::Archive::new(Rationed { inner: buffered, allowance: Rc::clone(&allowance) });
        let mut state = State {
            places: Cursor::new(self.root),
            links: Cursor::new(self.root),
            modes: Modes::default(),
            unpacked: Unpacked::default(),
            entries: 0,
            announced: 0,
            buffer: vec![0; BUFFER],
        };
        // An archive without entries becomes an empty directory.
        state.places.make(self.parts).map_err(|source| self.unwritable(self.parts, source))?;
        let mut count = 0;
        let mut entries = archive.entries().map_err(|error| self.damaged(error))?;
        loop {
            allowance.set(HEADERS);
            let Some(entry) = entries.next() else { break };
            let mut entry = entry.map_err(|error| self.damaged(error))?;
            allowance.set(u64::MAX);
            count += 1;
            if count > self.limits.entries {
                let allowed = self.limits.entries;
                return Err(UnpackError::Entries { title: self.title.to_owned(), allowed });
            }
            self.entry(&mut entry, &mut state)?;
            // The rest of the content must not count as headers of the next entry.
            io::copy(&mut entry, &mut io::sink()).map_err(|error| self.damaged(error))?;
        }
        allowance.set(u64::MAX);
        let mut rest = archive.into_inner();
        io::copy(&mut rest, &mut io::sink()).map_err(|error| self.damaged(error))?;
        let hash = rest.inner.into_inner().hash;
        if let (Some(expected), Some(hash)) = (tar_digest, hash) {
            let actual = sha256_text(hash.finalize());
            if actual != expected {
                let (title, expected) = (self.title.to_owned(), expected.to_owned());
                return Err(UnpackError::TarDigest { title, expected, actual });
            }
        }
        let entries = state.entries + state.places.made();
        Ok(Extracted { unpacked: state.unpacked, modes: state.modes, entries })
    }

    /// An error of the readers: one of our own, or damage.
    fn damaged(&self, error: io::Error) -> UnpackError {
        let title = self.title.to_owned();
        error.downcast::<UnpackError>().unwrap_or_else(|error| match error.downcast::<Unsupported>() {
            Ok(Unsupported(reason)) => UnpackError::Unsupported { title, reason },
            Err(error) => UnpackError::Damaged { title, reason: error.to_string() },
        })
    }

    fn refused(&self, entry: &[u8], reason: impl Into<String>) -> UnpackError {
        // The archive may hold long names.
        let entry = String::from_utf8_lossy(entry).chars().take(300).collect();
        UnpackError::Entry { title: self.title.to_owned(), entry, reason: reason.into() }
    }

    fn unwritable<T: AsRef<OsStr>>(&self, parts: &[T], source: io::Error) -> UnpackError {
        UnpackError::write(&self.path.join(OsStr::from_bytes(&join(parts))), source)
    }

    /// Goes to a directory for an entry, making it if it is missing.
    fn go_to<'c>(
        &self,
        places: &'c mut Cursor<'_>,
        name: &[u8],
        parts: &[&OsStr],
    ) -> Result<&'c Dir, UnpackError> {
        places.make(parts).map_err(|source| match source.kind() {
            ErrorKind::NotADirectory => self.refused(name, "its name leads through a file or a link"),
            _ => self.unwritable(parts, source),
        })
    }

    /// The parts of an entry's name, which begin with those of the title.
    fn parts<'n>(&self, entry: &[u8], name: &'n [u8]) -> Result<Vec<&'n OsStr>, UnpackError> {
        let refuse = |reason: String| Err(self.refused(entry, reason));
        let shown = String::from_utf8_lossy(&name[..name.len().min(300)]);
        if name.len() >= MAX_ENTRY_NAME {
            return refuse(format!("{shown:?}... is longer than {} bytes", MAX_ENTRY_NAME - 1));
        }
        if name.starts_with(b"/") {
            return refuse(format!("{shown:?} is an absolute path"));
        }
        if name.contains(&0) {
            return refuse(format!("{shown:?} contains a NUL byte"));
        }
        let parts: Vec<&OsStr> = name
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
            .map(OsStr::from_bytes)
            .collect();
        if parts.iter().any(|part| *part == "..") {
            return refuse(format!("{shown:?} contains `..`, which may lead out of the directory"));
        }
        if parts.iter().any(|part| part.len() > MAX_NAME) {
            return refuse(format!("a part of {shown:?} is longer than {MAX_NAME} bytes"));
        }
        // Packing goes as deep: the last part may be a file.
        if parts.len() > MAX_DEPTH + 1 {
            return refuse(format!("{shown:?} is nested deeper than {MAX_DEPTH} directories"));
        }
        if parts.len() < self.parts.len() || parts.iter().zip(self.parts).any(|(part, title)| part != title) {
            return refuse(format!("{shown:?} lies outside of {:?}, the layer's title", self.title));
        }
        Ok(parts)
    }

    fn entry<R: Read>(&self, entry: &mut Entry<'_, R>, state: &mut State<'_>) -> Result<(), UnpackError> {
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let name = entry.path_bytes().into_owned();
        let parts = self.parts(&name, &name)?;
        if let Ok(Some(extensions)) = entry.pax_extensions() {
            let sparse =
                extensions.flatten().any(|extension| extension.key_bytes().starts_with(b"GNU.sparse."));
            if sparse {
                return Err(
                    self.refused(&name, "it is sparse in the way of pax; pack it without sparse files")
                );
            }
        }
        let mode = entry.header().mode().map_err(|error| self.damaged(error))? & 0o777;
        // Archives from before 1988 tell directories by a slash.
        let old_directory = kind == EntryType::Regular && name.ends_with(b"/");
        if kind == EntryType::Directory || old_directory {
            return self.directory(&name, &parts, mode, state);
        }
        let Some((last, above)) = parts.split_last().filter(|_| parts.len() > self.parts.len()) else {
            return Err(self.refused(&name, "it bears the title of the layer and is no directory"));
        };
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                state.announced = state.announced.saturating_add(entry.size());
                let allowed = self.limits.allowed_bytes(self.compressed);
                if state.announced > allowed {
                    let (title, compressed) = (self.title.to_owned(), self.compressed);
                    return Err(UnpackError::Bomb { title, compressed, allowed });
                }
                let dir = self.go_to(&mut state.places, &name, above)?;
                let file =
                    self.replacing(dir, &mut state.entries, &name, &parts, || beneath::create(dir, last))?;
                state.unpacked.bytes += self.content(entry, file, &parts, mode, &mut state.buffer)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let depth = above.len().saturating_sub(self.parts.len());
                link::check(&target, depth).map_err(|reason| {
                    let target = String::from_utf8_lossy(&target).chars().take(300).collect::<String>();
                    self.refused(&name, format!("it is a symbolic link to {target:?}, and {reason}"))
                })?;
                let dir = self.go_to(&mut state.places, &name, above)?;
                let target = Path::new(OsStr::from_bytes(&target));
                self.replacing(dir, &mut state.entries, &name, &parts, || {
                    dir.symlink_contents(target, last)
                })?;
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                self.hard_link(&name, &parts, &target, state)?;
            }
            EntryType::Char | EntryType::Block => return Err(self.refused(&name, "it is a device")),
            EntryType::Fifo => return Err(self.refused(&name, "it is a named pipe")),
            other => {
                let reason = format!("it is of the unknown kind {:?}", char::from(other.as_byte()));
                return Err(self.refused(&name, reason));
            }
        }
        state.unpacked.files += 1;
        Ok(())
    }

    fn directory(
        &self,
        name: &[u8],
        parts: &[&OsStr],
        mode: u32,
        state: &mut State<'_>,
    ) -> Result<(), UnpackError> {
        let dir = self.go_to(&mut state.places, name, parts)?;
        beneath::set_mode(dir, mode | 0o700).map_err(|source| self.unwritable(parts, source))?;
        let path = join(parts);
        if mode & 0o700 == 0o700 {
            state.modes.forget(&path);
        } else if !state.modes.set(path, mode) {
            return Err(self.refused(name, "there are too many directories that their owner cannot write to"));
        }
        Ok(())
    }

    /// Creates an entry, and counts it. One that exists is replaced: the last of several entries
    /// with one name counts.
    fn replacing<T>(
        &self,
        dir: &Dir,
        entries: &mut u64,
        name: &[u8],
        parts: &[&OsStr],
        make: impl Fn() -> io::Result<T>,
    ) -> Result<T, UnpackError> {
        let mut is_new = true;
        let result = make().or_else(|error| {
            if error.kind() != ErrorKind::AlreadyExists {
                return Err(error);
            }
            dir.remove_file(parts.last().copied().unwrap_or_default())?;
            is_new = false;
            make()
        });
        if is_new && result.is_ok() {
            *entries += 1;
        }
        result.map_err(|error| match error.kind() {
            ErrorKind::IsADirectory => {
                self.refused(name, "the archive holds a directory of this name as well")
            }
            _ => self.unwritable(parts, error),
        })
    }

    fn content<R: Read>(
        &self,
        entry: &mut Entry<'_, R>,
        mut file: cap_std::fs::File,
        parts: &[&OsStr],
        mode: u32,
        buffer: &mut [u8],
    ) -> Result<u64, UnpackError> {
        let mut written = 0;
        loop {
            let count = match entry.read(buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(error)),
            };
            file.write_all(&buffer[..count]).map_err(|source| self.unwritable(parts, source))?;
            written += count as u64;
        }
        if written != entry.size() {
            return Err(self.damaged(io::Error::other("it ends within a file")));
        }
        beneath::set_mode(&file, mode).map_err(|source| self.unwritable(parts, source))?;
        Ok(written)
    }

    fn hard_link(
        &self,
        name: &[u8],
        parts: &[&OsStr],
        target: &[u8],
        state: &mut State<'_>,
    ) -> Result<(), UnpackError> {
        let from = self.parts(name, target)?;
        let shown = PathBuf::from(OsStr::from_bytes(target));
        let (Some((from_name, from_above)), Some((last, above))) = (from.split_last(), parts.split_last())
        else {
            return Err(self.refused(name, "it is a link to nothing"));
        };
        if from == parts {
            return Err(self.refused(name, "it is a hard link to itself"));
        }
        let no_file = || {
            let reason =
                format!("it is a hard link to {}, which is no file that came before it", shown.display());
            self.refused(name, reason)
        };
        let from_dir = state.links.go(from_above).map_err(|source| match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => no_file(),
            _ => self.unwritable(&from, source),
        })?;
        // A hard link to a symbolic link would move the symbolic link, and its `..` would lead
        // elsewhere.
        match from_dir.symlink_metadata(from_name) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(no_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_file()),
            Err(source) => return Err(self.unwritable(&from, source)),
        }
        let dir = self.go_to(&mut state.places, name, above)?;
        self.replacing(dir, &mut state.entries, name, parts, || from_dir.hard_link(from_name, dir, last))
    }
}

/// Writes `content` to a file with mode 0644.
pub(super) fn file(
    title: &str,
    parts: &[OsString],
    root: &Dir,
    path: &Path,
    content: &mut impl Read,
) -> Result<Extracted, UnpackError> {
    let here = path.join(OsStr::from_bytes(&join(parts)));
    let unwritable = |source| UnpackError::write(&here, source);
    let mut dir = None;
    let (last, above) = parts.split_last().ok_or_else(|| unwritable(ErrorKind::InvalidInput.into()))?;
    for part in above {
        let made = make(dir.as_ref().unwrap_or(root), part).map_err(unwritable)?;
        beneath::set_mode(&made, 0o755).map_err(unwritable)?;
        dir = Some(made);
    }
    let mut file = beneath::create(dir.as_ref().unwrap_or(root), last).map_err(unwritable)?;
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                file.write_all(&buffer[..count]).map_err(unwritable)?;
                bytes += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => return Err(UnpackError::Content { title: title.to_owned(), source }),
        }
    }
    beneath::set_mode(&file, 0o644).map_err(unwritable)?;
    let unpacked = Unpacked { files: 1, bytes };
    Ok(Extracted { unpacked, modes: Modes::default(), entries: parts.len() as u64 })
}
