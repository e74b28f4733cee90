//! Passing the bytes of an archive to the thread that compresses them.

use super::error::Halt;
use sha2::{Digest, Sha256};
use std::sync::mpsc::{Receiver, SyncSender};

/// Number of bytes that are handed over at once. It does not depend on where entries begin and end:
/// the output of a compressor may depend on how its input is divided, and an archive must be the
/// same each time.
pub(super) const CHUNK: usize = 128 * 1024;

/// Number of chunks that may wait to be compressed.
pub(super) const WAITING: usize = 4;

/// Totals of a [`Stream`].
pub(super) struct Totals {
    /// Digest of the archive; that of the empty string if none was asked for.
    pub(super) digest: [u8; 32],
    /// Bytes of the archive.
    pub(super) bytes: u64,
    /// Entries of the archive.
    pub(super) entries: u64,
}

/// Divides an archive into chunks and hashes it.
pub(super) struct Stream {
    chunk: Vec<u8>,
    used: usize,
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    hash: Option<Sha256>,
    bytes: u64,
    entries: u64,
}

impl Stream {
    /// Sends chunks to `full` and takes them back from `empty`.
    pub(super) fn new(full: SyncSender<Vec<u8>>, empty: Receiver<Vec<u8>>, hashed: bool) -> Self {
        let hash = hashed.then(Sha256::new);
        Self { chunk: vec![0; CHUNK], used: 0, full, empty, hash, bytes: 0, entries: 0 }
    }

    /// Room for more bytes, never empty.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.chunk[self.used..]
    }

    /// Appends `count` bytes that were written to [`Stream::room`].
    pub(super) fn advance(&mut self, count: usize) -> Result<(), Halt> {
        self.used += count;
        if self.used >= CHUNK {
            let next = self.empty.try_recv().unwrap_or_else(|_| Vec::new());
            self.send(next)?;
            self.chunk.resize(CHUNK, 0);
        }
        Ok(())
    }

    fn send(&mut self, next: Vec<u8>) -> Result<(), Halt> {
        self.chunk.truncate(self.used);
        if let Some(hash) = &mut self.hash {
            hash.update(&self.chunk);
        }
        self.bytes += self.used as u64;
        self.used = 0;
        self.full.send(std::mem::replace(&mut self.chunk, next)).map_err(|_| Halt::Unwanted)
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Halt> {
        while !bytes.is_empty() {
            let room = self.room();
            let count = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            room[..count].copy_from_slice(now);
            self.advance(count)?;
            bytes = later;
        }
        Ok(())
    }

    /// Appends `count` zeros.
    pub(super) fn zeros(&mut self, count: usize) -> Result<(), Halt> {
        const ZEROS: [u8; 1024] = [0; 1024];
        self.write(&ZEROS[..count.min(ZEROS.len())])
    }

    /// Counts an entry.
    pub(super) fn entry(&mut self) {
        self.entries += 1;
    }

    /// Sends the last chunk.
    pub(super) fn finish(mut self) -> Result<Totals, Halt> {
        if self.used > 0 {
            self.send(Vec::new())?;
        }
        let digest = self.hash.unwrap_or_default().finalize().into();
        Ok(Totals { digest, bytes: self.bytes, entries: self.entries })
    }
}
