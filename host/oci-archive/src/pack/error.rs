//! What can go wrong when packing.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a file or directory could not be made a layer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PackError {
    /// The title cannot be used.
    #[error("the title {title:?} cannot be used: {reason}")]
    Title {
        /// The title.
        title: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or directory could not be opened or read.
    #[error("{} cannot be read: {source}", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A socket, named pipe or device, which has no content to be packed.
    #[error("{} is a {kind}, and only files, directories and symbolic links can be packed; remove it or write the \
             output somewhere else", .path.display())]
    Special {
        /// The socket, FIFO or device.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A symbolic link that no pull would accept.
    #[error("{} is a symbolic link to {}, which no pull accepts: {reason}; or replace it by a copy",
            .path.display(), .target.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
        /// What is wrong with that.
        reason: &'static str,
    },
    /// A name or nesting that no pull would accept.
    #[error("{} cannot be packed: {reason}", .path.display())]
    Name {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The content changed while it was packed, or since.
    #[error("{} changed while it was being packed or pushed; make sure that nothing writes to it any more",
            .path.display())]
    Changed {
        /// Path of the file or directory that was packed.
        path: PathBuf,
    },
    /// The archive is so much smaller than its content that a pull would take it for an attack.
    #[error("{} has {unpacked} bytes as an archive and {packed} compressed, and a pull unpacks no more than {allowed} \
             bytes from that, to be safe from archives made to fill a disk; set unpack to \"false\", and unpack it \
             yourself after the pull", .path.display())]
    Bomb {
        /// Path of the file or directory that was packed.
        path: PathBuf,
        /// Bytes of the archive before compression.
        unpacked: u64,
        /// Bytes of the compressed archive.
        packed: u64,
        /// Bytes that a pull would accept.
        allowed: u64,
    },
    /// The archive has more entries than a pull accepts.
    #[error("{} holds {entries} files, directories and links, and a pull unpacks no more than {allowed}; set unpack \
             to \"false\", and unpack it yourself after the pull", .path.display())]
    Entries {
        /// Path of the file or directory that was packed.
        path: PathBuf,
        /// Entries of the archive.
        entries: u64,
        /// Entries that a pull would accept.
        allowed: u64,
    },
    /// Reading was to begin beyond the end.
    #[error("the layer made of {} has {size} bytes and cannot be read from {offset}", .path.display())]
    Offset {
        /// Path of the file or directory that was packed.
        path: PathBuf,
        /// Where reading was to begin.
        offset: u64,
        /// Bytes of the layer.
        size: u64,
    },
    /// A thread could not be started, or ended before its time.
    #[error("the system gives no thread to pack {}: {source}", .path.display())]
    Thread {
        /// Path of the file or directory that was to be packed.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why packing ended early.
pub(super) enum Halt {
    /// Something is wrong.
    Failed(PackError),
    /// The reader of the archive is gone.
    Unwanted,
}

impl From<PackError> for Halt {
    fn from(error: PackError) -> Self {
        Self::Failed(error)
    }
}

impl Halt {
    /// The error. A reader that is gone is an error too: somebody who still waits must not take it
    /// for success.
    pub(super) fn into_error(self, path: &Path) -> PackError {
        match self {
            Self::Failed(error) => error,
            Self::Unwanted => {
                let source = io::Error::other("the thread that compresses has ended");
                PackError::Thread { path: path.to_owned(), source }
            }
        }
    }
}
