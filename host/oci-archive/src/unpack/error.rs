//! What can go wrong when unpacking.

use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a layer could not be unpacked or put in place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The layer's title cannot be used.
    #[error("the artifact has a layer titled {title:?}, which cannot be pulled: {reason}")]
    Title {
        /// The title.
        title: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The archive has an entry that is not accepted from outside.
    #[error("the archive {title:?} was refused because of its entry {entry:?}: {reason}")]
    Entry {
        /// Title of the layer.
        title: String,
        /// Name of the entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The layer is no archive of a kind that can be unpacked.
    #[error(
        "the layer {title:?} says that it is to be unpacked, but it is {found} and neither gzip, zstd nor tar; push the \
             directory again with `oras push` or a step's output-path"
    )]
    NotAnArchive {
        /// Title of the layer.
        title: String,
        /// What it seems to be.
        found: &'static str,
    },
    /// The archive is cut off or has wrong bytes, although its bytes are those that were pushed.
    #[error("the archive {title:?} is damaged: {reason}; push it again")]
    Damaged {
        /// Title of the layer.
        title: String,
        /// What was found.
        reason: String,
    },
    /// The archive is compressed in a way that a pull does not undo.
    #[error(
        "the archive {title:?} cannot be unpacked: {reason}; compress it again with gzip, or with zstd at level 19 at \
             most, without --long and without a dictionary"
    )]
    Unsupported {
        /// Title of the layer.
        title: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The bytes of the layer could not be had, or were not those of its digest.
    #[error("the layer {title:?} could not be read: {source}")]
    Content {
        /// Title of the layer.
        title: String,
        /// What the reader of the layer said.
        source: io::Error,
    },
    /// The archive is another one than its annotation says.
    #[error(
        "the archive {title:?} was announced with the digest {expected}, but it has {actual}; push it again"
    )]
    TarDigest {
        /// Title of the layer.
        title: String,
        /// Digest in the annotation.
        expected: String,
        /// Digest of the uncompressed archive.
        actual: String,
    },
    /// The archive becomes so much larger that it may be meant to fill the disk.
    #[error(
        "the archive {title:?} has {compressed} bytes and becomes more than {allowed} unpacked, which is what an \
             archive made to fill a disk does; if it is honest, push it with unpack set to \"false\" and unpack it \
             yourself"
    )]
    Bomb {
        /// Title of the layer.
        title: String,
        /// Bytes of the compressed archive.
        compressed: u64,
        /// Bytes that would have been accepted.
        allowed: u64,
    },
    /// The archive has too many entries.
    #[error(
        "the archive {title:?} holds more than {allowed} files, directories and links; if it is honest, push it \
             with unpack set to \"false\" and unpack it yourself"
    )]
    Entries {
        /// Title of the layer.
        title: String,
        /// Entries that would have been accepted.
        allowed: u64,
    },
    /// Something of another kind is in the way.
    #[error("{} cannot be put in place: {reason}", .path.display())]
    Clash {
        /// Path in the target directory.
        path: PathBuf,
        /// What is in the way, and what to do.
        reason: &'static str,
    },
    /// Something that was unpacked was gone before it was in its place.
    #[error(
        "files for {} disappeared before they were in place: something else removes the hidden directories of \
             pulls there ({}); keep it from doing so, and pull again", .path.display(), .hidden
    )]
    Disappeared {
        /// The target directory.
        path: PathBuf,
        /// Name of the hidden directory.
        hidden: String,
    },
    /// The disk, or the quota of the user, is full.
    #[error("no space left on the device for {}; give the volume more room, or pull less", .path.display())]
    NoSpace {
        /// The file or directory that could not be written.
        path: PathBuf,
    },
    /// The target directory could not be read or written.
    #[error("{} cannot be written: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl UnpackError {
    /// An error of the target's file system.
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let full = [Errno::NOSPC, Errno::DQUOT].map(Errno::raw_os_error);
        let path = path.to_owned();
        if source.raw_os_error().is_some_and(|code| full.contains(&code)) {
            Self::NoSpace { path }
        } else {
            Self::Io { path, source }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_a_sentence_of_its_own() {
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            let error = UnpackError::write(Path::new("/data/a"), errno.into());
            assert_eq!(
                error.to_string(),
                "no space left on the device for /data/a; give the volume more room, or pull less"
            );
        }
        let error = UnpackError::write(Path::new("/data/a"), Errno::FBIG.into());
        assert!(error.to_string().starts_with("/data/a cannot be written: File too large"), "{error}");
    }
}
