//! Compressing an archive on one thread while another thread makes it.

use super::error::{Halt, PackError};
use super::stream::{Stream, Totals, WAITING};
use super::tree::Archive;
use crate::annotation;
use flate2::GzBuilder;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

/// How the archive of a directory is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Gzip (RFC 1952), which every program for artifacts reads.
    #[default]
    Gzip,
    /// Zstandard (RFC 8878): faster and smaller. `oras pull` does not unpack it.
    Zstd,
}

impl Compression {
    /// The media type of a layer that is compressed this way.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => annotation::MEDIA_TYPE_DIRECTORY,
            Self::Zstd => annotation::MEDIA_TYPE_DIRECTORY_ZSTD,
        }
    }
}

/// Level of gzip. Measured on two busy cores, in MB/s of the archive and per cent of its
/// size:
///
/// | level | source code | libraries | numbers (f64) | zeros, and how much smaller |
/// |---|---|---|---|---|
/// | 1 | 88, 22.2 % | 54, 46.5 % | 17, 104.7 % | 333, 104 times |
/// | 2 | 57, 17.4 % | 26, 38.2 % | 14, 94.2 % | 366, 1029 times |
/// | 3 | 50, 15.9 % | 26, 37.1 % | 12, 94.2 % | 356, 1029 times |
/// | 6 | 32, 14.6 % | 17, 36.1 % | 12, 94.2 % | 318, 1029 times |
///
/// A cache is near, so that time counts more than size. At level 1, even zeros stay far from the
/// 300th part, beyond which a pull refuses an archive ([`crate::Limits`]).
const GZIP_LEVEL: flate2::Compression = flate2::Compression::new(1);

/// Level of Zstandard, for the same reason. Levels up to 2 need the fast search for repetitions
/// alone, so that the agent of the image has no other one. There is no checksum: the digests of
/// layer and archive are compared anyway.
const ZSTD_LEVEL: i32 = 1;

/// Largest compressed archive that is kept in memory, in bytes.
const KEPT: usize = 4 << 20;

/// Writes the archive, compressed, to `sink`.
pub(super) fn run<W: Write + Send>(
    archive: &Archive<'_>,
    compression: Compression,
    sink: W,
) -> Result<(Totals, W), Halt> {
    thread::scope(|scope| {
        let (full, fulls) = sync_channel(WAITING);
        let (empty, empties) = channel();
        let thread = thread::Builder::new().name("archive-compress".to_owned());
        let compressing = thread
            .spawn_scoped(scope, move || compress(compression, &fulls, &empty, sink))
            .map_err(|source| PackError::Thread { path: archive.path.to_owned(), source })?;
        let written = archive.write(Stream::new(full, empties, archive.hashed));
        let compressed = match compressing.join() {
            Ok(compressed) => compressed,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let totals = written?;
        // The only sinks are memory and a channel. The channel fails when its reader is gone, and
        // an encoder when there is no memory.
        let sink = compressed.map_err(|_| Halt::Unwanted)?;
        Ok((totals, sink))
    })
}

fn compress<W: Write>(
    compression: Compression,
    fulls: &Receiver<Vec<u8>>,
    empty: &Sender<Vec<u8>>,
    sink: W,
) -> io::Result<W> {
    match compression {
        Compression::Gzip => {
            // 255 means "unknown" (RFC 1952, 2.3.1), so that the archive is the same on every system.
            let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(sink, GZIP_LEVEL);
            feed(&mut encoder, fulls, empty)?;
            encoder.finish()
        }
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(sink, ZSTD_LEVEL)?;
            feed(&mut encoder, fulls, empty)?;
            encoder.finish()
        }
    }
}

fn feed(encoder: &mut impl Write, fulls: &Receiver<Vec<u8>>, empty: &Sender<Vec<u8>>) -> io::Result<()> {
    while let Ok(chunk) = fulls.recv() {
        encoder.write_all(&chunk)?;
        // The other thread may have ended: it does not take back the last chunks.
        let _ = empty.send(chunk);
    }
    Ok(())
}

/// Hashes and counts the bytes that are written to it, and keeps them while they are few.
pub(super) struct Kept {
    hash: Sha256,
    size: u64,
    bytes: Option<Vec<u8>>,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self { hash: Sha256::new(), size: 0, bytes: Some(Vec::new()) }
    }

    /// Number of bytes so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The digest, and all bytes if they are few.
    pub(super) fn finish(self) -> ([u8; 32], Option<Vec<u8>>) {
        (self.hash.finalize().into(), self.bytes)
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        match &mut self.bytes {
            Some(kept) if kept.len() + bytes.len() <= KEPT => kept.extend_from_slice(bytes),
            _ => self.bytes = None,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
