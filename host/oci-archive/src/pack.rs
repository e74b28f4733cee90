//! Packing: a file or directory becomes a layer.

mod compress;
mod error;
mod reader;
mod stream;
mod tree;

#[cfg(test)]
mod tests;

pub use compress::Compression;
pub use error::PackError;

use crate::annotation;
use crate::digest::sha256_text;
use crate::limits::Limits;
use crate::title;
use cap_std::fs::Dir;
use compress::Kept;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stream::Totals;

/// How a directory is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackOptions {
    /// Whether a pull unpacks the archive of a directory. Otherwise the archive is pulled as a file
    /// with the name of the title. It has no meaning for files.
    pub unpack: bool,
    /// How the archive of a directory is compressed. It has no meaning for files.
    pub compression: Compression,
}

impl Default for PackOptions {
    fn default() -> Self {
        Self { unpack: true, compression: Compression::default() }
    }
}

/// A layer: the content of its descriptor, and the source of its bytes.
///
/// It holds the file or directory open, so that the bytes are those that were packed even if the
/// path leads elsewhere by now. Clones share the open file.
#[derive(Clone)]
pub struct Layer {
    /// Path of the file or directory after a pull, relative to the target.
    pub title: String,
    /// Media type: [`annotation::MEDIA_TYPE_FILE`], [`annotation::MEDIA_TYPE_DIRECTORY`] or
    /// [`annotation::MEDIA_TYPE_DIRECTORY_ZSTD`].
    pub media_type: &'static str,
    /// Digest of the layer's bytes, `sha256:` and 64 lower-case hexadecimal digits.
    pub digest: String,
    /// Number of the layer's bytes.
    pub size: u64,
    /// Annotations of the layer's descriptor.
    pub annotations: BTreeMap<String, String>,
    path: PathBuf,
    source: Source,
}

#[derive(Clone)]
enum Source {
    File(Arc<File>),
    Memory(Arc<[u8]>),
    Directory { root: Arc<Dir>, digest: [u8; 32], compression: Compression },
}

impl fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Layer")
            .field("title", &self.title)
            .field("media_type", &self.media_type)
            .field("digest", &self.digest)
            .field("size", &self.size)
            .field("annotations", &self.annotations)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Makes a layer of the file or directory at `path`, which may be a symbolic link to it.
///
/// Equal content gives an equal digest. Names, bytes, permission bits and links count; times,
/// owners and the order of creation do not. Hard links are stored as files of their own, and holes
/// of sparse files as zeros. A directory `lost+found` of root at the top, which file systems create
/// on their own, is left out.
///
/// It takes constant memory, apart from the names in the directories on the way to the current one.
/// Compressed archives of at most 4 MiB stay in memory until the layer is dropped; larger ones are
/// made again whenever they are read.
///
/// An archive that a pull would refuse because Zstandard makes it too small, which zeros can do, is
/// compressed with gzip.
///
/// # Errors
///
/// If something cannot be read, or is something that a pull would refuse.
///
/// # Example
///
/// ```
/// use oci_archive::{PackOptions, annotation, pack};
///
/// let folder = tempfile::tempdir().unwrap();
/// std::fs::write(folder.path().join("en.txt"), "hello").unwrap();
/// let layer = pack(folder.path(), "words", &PackOptions::default()).unwrap();
/// assert_eq!(layer.media_type, annotation::MEDIA_TYPE_DIRECTORY);
/// assert_eq!(layer.annotations[annotation::TITLE], "words");
/// let mut bytes = Vec::new();
/// std::io::Read::read_to_end(&mut layer.open(0).unwrap(), &mut bytes).unwrap();
/// assert_eq!(bytes.len() as u64, layer.size);
/// ```
pub fn pack(path: &Path, title: &str, options: &PackOptions) -> Result<Layer, PackError> {
    let parts = title::components(title)
        .map_err(|reason| PackError::Title { title: title.to_owned(), reason: reason.to_owned() })?;
    if title::join(&parts) != title.as_bytes() {
        let reason = format!("write it as {:?}", String::from_utf8_lossy(&title::join(&parts)));
        return Err(PackError::Title { title: title.to_owned(), reason });
    }
    let read = |source| PackError::Read { path: path.to_owned(), source };

    // Opening a named pipe would wait for its writer, and opening a device may have any effect.
    let metadata = std::fs::metadata(path).map_err(read)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(PackError::Special { path: path.to_owned(), kind: tree::special(metadata.mode()) });
    }
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = File::options().read(true).custom_flags(nonblock).open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    if metadata.is_dir() {
        let root = Arc::new(Dir::from_std_file(file));
        pack_directory(path, title, parts.len(), root, options, &Limits::default())
    } else if metadata.is_file() {
        pack_file(path, title, file, metadata.len())
    } else {
        Err(PackError::Special { path: path.to_owned(), kind: tree::special(metadata.mode()) })
    }
}

fn pack_file(path: &Path, title: &str, file: File, size: u64) -> Result<Layer, PackError> {
    // This is a hint. The file is read without it as well.
    let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
    let mut hash = Sha256::new();
    // A small file needs no large buffer. One byte more shows that the file has grown.
    let mut buffer = vec![0; size.saturating_add(1).min(256 * 1024) as usize];
    let mut offset = 0;
    loop {
        match file.read_at(&mut buffer, offset) {
            Ok(0) => break,
            Ok(count) => {
                hash.update(&buffer[..count]);
                offset += count as u64;
                if offset > size {
                    break;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(PackError::Read { path: path.to_owned(), source }),
        }
    }
    if offset != size {
        return Err(PackError::Changed { path: path.to_owned() });
    }
    Ok(Layer {
        title: title.to_owned(),
        media_type: annotation::MEDIA_TYPE_FILE,
        digest: sha256_text(hash.finalize()),
        size,
        annotations: BTreeMap::from([(annotation::TITLE.to_owned(), title.to_owned())]),
        path: path.to_owned(),
        source: Source::File(Arc::new(file)),
    })
}

fn pack_directory(
    path: &Path,
    title: &str,
    title_depth: usize,
    root: Arc<Dir>,
    options: &PackOptions,
    limits: &Limits,
) -> Result<Layer, PackError> {
    let archive = tree::Archive { root: &root, path, title, depth: title_depth, hashed: true };
    let compressed =
        |compression| compress::run(&archive, compression, Kept::new()).map_err(|halt| halt.into_error(path));
    let mut compression = options.compression;
    let (mut totals, mut kept) = compressed(compression)?;
    if options.unpack {
        let is_too_small = totals.bytes > limits.allowed_bytes(kept.size());
        if is_too_small && compression == Compression::Zstd {
            compression = Compression::Gzip;
            (totals, kept) = compressed(compression)?;
        }
        check_limits(path, &totals, kept.size(), limits)?;
    }
    let mut annotations = BTreeMap::from([
        (annotation::TITLE.to_owned(), title.to_owned()),
        (annotation::CONTENT_DIGEST.to_owned(), sha256_text(totals.digest)),
    ]);
    if options.unpack {
        annotations.insert(annotation::CONTENT_UNPACK.to_owned(), "true".to_owned());
    }
    let size = kept.size();
    let (digest, bytes) = kept.finish();
    Ok(Layer {
        title: title.to_owned(),
        media_type: compression.media_type(),
        digest: sha256_text(digest),
        size,
        annotations,
        path: path.to_owned(),
        source: match bytes {
            Some(bytes) => Source::Memory(bytes.into()),
            None => Source::Directory { root, digest, compression },
        },
    })
}

/// Refuses an archive that a pull would refuse.
fn check_limits(path: &Path, totals: &Totals, packed: u64, limits: &Limits) -> Result<(), PackError> {
    let allowed = limits.allowed_bytes(packed);
    if totals.bytes > allowed {
        return Err(PackError::Bomb { path: path.to_owned(), unpacked: totals.bytes, packed, allowed });
    }
    if totals.entries > limits.entries {
        let (entries, allowed) = (totals.entries, limits.entries);
        return Err(PackError::Entries { path: path.to_owned(), entries, allowed });
    }
    Ok(())
}

impl Layer {
    /// A reader of the layer's bytes from `offset` to the end. It can be opened as often as needed.
    ///
    /// The reader takes constant memory. When the content is not what was packed, it fails before
    /// the last byte, with a [`PackError`] inside of the [`std::io::Error`]. Of a file only the
    /// length is compared; the registry compares digests.
    ///
    /// # Errors
    ///
    /// If `offset` is beyond the end or no thread can be started.
    pub fn open(&self, offset: u64) -> Result<Box<dyn Read + Send>, PackError> {
        if offset > self.size {
            return Err(PackError::Offset { path: self.path.clone(), offset, size: self.size });
        }
        Ok(match &self.source {
            Source::File(file) => {
                Box::new(reader::Span::new(Arc::clone(file), self.path.clone(), offset, self.size))
            }
            Source::Memory(bytes) => {
                let mut cursor = Cursor::new(Arc::clone(bytes));
                cursor.set_position(offset);
                Box::new(cursor)
            }
            Source::Directory { root, digest, compression } => {
                let made = reader::Expected { size: self.size, digest: *digest, compression: *compression };
                Box::new(reader::Remade::start(Arc::clone(root), &self.path, &self.title, made, offset)?)
            }
        })
    }
}
