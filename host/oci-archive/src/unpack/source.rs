//! The readers between a layer's bytes and the entries of its archive.

use super::error::UnpackError;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::rc::Rc;
use zstd::zstd_safe;

/// Number of bytes that are read at once.
pub(super) const BUFFER: usize = 128 * 1024;

/// Size of a tar archive's blocks.
const BLOCK: usize = 512;

/// Keeps the error of a layer's reader, so that it is not mistaken for damage of the archive.
pub(super) struct Source<'a, R> {
    pub(super) content: &'a mut R,
    pub(super) failure: &'a RefCell<Option<io::Error>>,
}

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.content.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    *self.failure.borrow_mut() = Some(error);
                    return Err(kind.into());
                }
                read => return read,
            }
        }
    }
}

type Whole<R> = Chain<Cursor<Vec<u8>>, BufReader<R>>;

/// Largest window of a zstd frame, as a power of two: 8 MiB. Decoders should support as much, and
/// encoders should not need more (RFC 8878, 3.1.1.1.2). It is the memory that a layer takes, and up
/// to twelve layers are unpacked at the same time.
const WINDOW_LOG: u32 = 23;

/// Why a zstd frame is not decompressed although it may be as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unsupported(pub(super) &'static str);

/// The number of an error of the library (`ZSTD_ErrorCode` in zstd_errors.h).
const WINDOW_TOO_LARGE: usize = 16;
const DICTIONARY_WRONG: usize = 32;

/// The error for what the decoder says. An error of the layer's reader is recorded where it
/// occurs, and counts more than this one.
fn of_zstd(error: &io::Error) -> io::Error {
    let said = error.to_string();
    // The library returns the negative number of an error, and `zstd` keeps its text alone.
    let is = |number: usize| said == zstd_safe::get_error_name(number.wrapping_neg());
    if is(WINDOW_TOO_LARGE) {
        io::Error::other(Unsupported("it needs more than 8 MiB of memory, the window of its zstd frame"))
    } else if is(DICTIONARY_WRONG) {
        io::Error::other(Unsupported("it was compressed with a zstd dictionary, which is not in it"))
    } else {
        io::Error::new(error.kind(), format!("zstd says {said:?}"))
    }
}

/// The bytes of a tar archive, compressed or not.
pub(super) enum Decoder<R: Read> {
    /// Compressed, with one or several members (RFC 1952, 2.2).
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
    /// Compressed, with one or several frames, some of which may be skippable (RFC 8878, 3.1).
    Zstd(Box<zstd::Decoder<'static, Whole<R>>>),
    /// Not compressed.
    Plain(Box<Whole<R>>),
}

impl<R: Read> Decoder<R> {
    /// Looks at the first block. The inner `Err` names what the content seems to be instead of an
    /// archive.
    pub(super) fn new(source: R) -> io::Result<Result<Self, &'static str>> {
        let mut source = BufReader::with_capacity(BUFFER, source);
        let mut head = Vec::with_capacity(BLOCK);
        while head.len() < BLOCK {
            let available = source.fill_buf()?;
            if available.is_empty() {
                break;
            }
            let count = available.len().min(BLOCK - head.len());
            head.extend_from_slice(&available[..count]);
            source.consume(count);
        }
        let gzip = head.starts_with(&[0x1f, 0x8b]);
        let zstd = matches!(head[..], [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        let plain = is_header(&head);
        let found = match &head[..] {
            [] => "empty",
            [b'B', b'Z', b'h', ..] => "compressed with bzip2",
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "compressed with xz",
            [b'P', b'K', 3, 4, ..] => "a zip archive",
            _ => "something unknown",
        };
        let whole = Cursor::new(head).chain(source);
        Ok(if gzip {
            Ok(Self::Gzip(Box::new(MultiGzDecoder::new(whole))))
        } else if zstd {
            let mut decoder = zstd::Decoder::with_buffer(whole)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Ok(Self::Zstd(Box::new(decoder)))
        } else if plain {
            Ok(Self::Plain(Box::new(whole)))
        } else {
            Err(found)
        })
    }
}

/// Whether a block is a header of a tar archive, or the empty one at its end.
fn is_header(block: &[u8]) -> bool {
    if block.len() != BLOCK {
        return false;
    }
    // The checksum itself counts as spaces.
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| u32::from(if (148..156).contains(&at) { b' ' } else { *byte }))
        .sum();
    block.iter().all(|byte| *byte == 0)
        || tar::Header::from_byte_slice(block).cksum().is_ok_and(|said| said == sum)
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer).map_err(|error| of_zstd(&error)),
            Self::Plain(whole) => whole.read(buffer),
        }
    }
}

/// Hashes and counts the bytes that are read, and stops when there are too many.
pub(super) struct Counted<R> {
    pub(super) inner: R,
    pub(super) hash: Option<Sha256>,
    pub(super) bytes: u64,
    pub(super) allowed: u64,
    /// Makes the error for too many bytes.
    pub(super) too_much: Box<dyn Fn() -> UnpackError>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        if self.bytes > self.allowed {
            return Err(io::Error::other((self.too_much)()));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// Passes on no more than the allowance. The headers before an entry are read into memory
/// completely, however long they claim to be; content is not.
pub(super) struct Rationed<R> {
    pub(super) inner: R,
    pub(super) allowance: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("the headers before an entry are longer than 1 MiB"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        self.allowance.set(left - count as u64);
        Ok(count)
    }
}
