//! Readers of the bytes of a layer that was packed.

use super::error::{Halt, PackError};
use super::{Compression, compress, tree};
use cap_std::fs::Dir;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Reads a file from an offset to the size that it had when it was packed.
pub(super) struct Span {
    file: Arc<File>,
    path: PathBuf,
    offset: u64,
    size: u64,
}

impl Span {
    pub(super) fn new(file: Arc<File>, path: PathBuf, offset: u64, size: u64) -> Self {
        Self { file, path, offset, size }
    }
}

impl Read for Span {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size - self.offset;
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.file.read_at(&mut buffer[..most], self.offset)?;
        self.offset += count as u64;
        let changed = count == 0 || (self.offset == self.size && self.file.metadata()?.len() != self.size);
        if changed {
            return Err(io::Error::other(PackError::Changed { path: self.path.clone() }));
        }
        Ok(count)
    }
}

/// What an archive was when it was packed.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    pub(super) size: u64,
    pub(super) digest: [u8; 32],
    pub(super) compression: Compression,
}

/// Number of bytes that are handed over at once.
const PIECE: usize = 128 * 1024;

/// Number of pieces that may wait to be read.
const WAITING: usize = 2;

/// Reads an archive that a thread makes again. The thread ends when the reader is dropped.
pub(super) struct Remade {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    used: usize,
    left: u64,
    path: PathBuf,
}

impl Remade {
    pub(super) fn start(
        root: Arc<Dir>,
        path: &Path,
        title: &str,
        expected: Expected,
        offset: u64,
    ) -> Result<Self, PackError> {
        let (sender, pieces) = sync_channel(WAITING);
        let (from, title) = (path.to_owned(), title.to_owned());
        thread::Builder::new()
            .name("archive-pack".to_owned())
            .spawn(move || {
                let outlet = Outlet::new(sender.clone(), expected, offset, from.clone());
                let depth = title.split('/').count();
                let archive = tree::Archive { root: &root, path: &from, title: &title, depth, hashed: false };
                let result = match compress::run(&archive, expected.compression, outlet) {
                    Ok((_, outlet)) => outlet.finish(),
                    Err(Halt::Failed(error)) => Err(error),
                    // Either the reader is gone, or the outlet has reported the error.
                    Err(Halt::Unwanted) => Ok(()),
                };
                if let Err(error) = result {
                    let _ = sender.send(Err(io::Error::other(error)));
                }
            })
            .map_err(|source| PackError::Thread { path: path.to_owned(), source })?;
        let left = expected.size - offset;
        Ok(Self { pieces, piece: Vec::new(), used: 0, left, path: path.to_owned() })
    }
}

impl Read for Remade {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        while self.used == self.piece.len() {
            self.piece = self.pieces.recv().map_err(|_| {
                let source = io::Error::other("the thread that packs has ended");
                io::Error::other(PackError::Thread { path: self.path.clone(), source })
            })??;
            self.used = 0;
        }
        let piece = &self.piece[self.used..];
        let count = piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        self.used += count;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

/// Sends on the bytes that are written to it. The last piece is held back until the digest of the
/// whole archive is known to be right, so that a registry never gets all the bytes that it expects
/// when they are wrong.
struct Outlet {
    sender: SyncSender<io::Result<Vec<u8>>>,
    expected: Expected,
    path: PathBuf,
    skip: u64,
    size: u64,
    hash: Sha256,
    held: Vec<u8>,
}

impl Outlet {
    fn new(sender: SyncSender<io::Result<Vec<u8>>>, expected: Expected, skip: u64, path: PathBuf) -> Self {
        Self { sender, expected, path, skip, size: 0, hash: Sha256::new(), held: Vec::with_capacity(PIECE) }
    }

    fn send(&mut self) -> Result<(), ()> {
        let piece = std::mem::replace(&mut self.held, Vec::with_capacity(PIECE));
        self.sender.send(Ok(piece)).map_err(drop)
    }

    fn changed(&self) -> PackError {
        PackError::Changed { path: self.path.clone() }
    }

    fn finish(mut self) -> Result<(), PackError> {
        let digest: [u8; 32] = std::mem::take(&mut self.hash).finalize().into();
        if self.size != self.expected.size || digest != self.expected.digest {
            return Err(self.changed());
        }
        // A reader that is gone needs no last piece.
        let _ = self.send();
        Ok(())
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        if self.size > self.expected.size {
            let _ = self.sender.send(Err(io::Error::other(self.changed())));
            return Err(io::ErrorKind::InvalidData.into());
        }
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= skipped as u64;
        let wanted = &bytes[skipped..];
        if !self.held.is_empty() && self.held.len() + wanted.len() > PIECE {
            self.send().map_err(|()| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        self.held.extend_from_slice(wanted);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
