//! Small files as layers: hashed, packed and unpacked.
//!
//! The kernel's share does not count. Packing uses two threads, whose waiting for each other changes
//! the number by less than a half per cent.

use oci_archive::{Compression, Limits, PackOptions, Staging, pack as packed};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Number of files.
const FILES: u64 = 200;
/// Number of directories that they are in.
const DIRECTORIES: u64 = 10;

/// Makes a layer of each file of a folder, again and again: it is opened and hashed.
pub fn scan(count: usize) {
    let folder = folder();
    let options = PackOptions::default();
    for _ in 0..count {
        for number in 0..FILES {
            let path = path(folder.path(), number);
            black_box(packed(&path, "file", &options).expect("a layer"));
        }
    }
}

/// Packs a folder with gzip, again and again.
pub fn pack(count: usize) {
    pack_with(count, Compression::Gzip);
}

/// Packs a folder with Zstandard, again and again.
pub fn pack_zstd(count: usize) {
    pack_with(count, Compression::Zstd);
}

/// Unpacks an archive of gzip, again and again.
pub fn unpack(count: usize) {
    unpack_with(count, Compression::Gzip);
}

/// Unpacks an archive of Zstandard, again and again.
pub fn unpack_zstd(count: usize) {
    unpack_with(count, Compression::Zstd);
}

fn pack_with(count: usize, compression: Compression) {
    let folder = folder();
    let options = PackOptions { compression, ..PackOptions::default() };
    for _ in 0..count {
        black_box(packed(folder.path(), "out", &options).expect("a layer"));
    }
}

fn unpack_with(count: usize, compression: Compression) {
    let folder = folder();
    let options = PackOptions { compression, ..PackOptions::default() };
    let layer = packed(folder.path(), "out", &options).expect("a layer");
    let digest = layer.annotations.get(oci_archive::annotation::CONTENT_DIGEST).map(String::as_str);
    for _ in 0..count {
        let target = tempfile::tempdir().expect("a folder");
        let staging = Staging::create(target.path()).expect("a pull");
        let content = layer.open(0).expect("the layer");
        let unpacked = staging.directory("out", digest, layer.size, &Limits::default(), content);
        assert_eq!(unpacked.expect("an archive").files, FILES, "it is complete");
        staging.place().expect("it is in place");
    }
}

/// A folder with the files. Each run makes the same ones.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..FILES {
        let path = path(folder.path(), number);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).expect("a directory");
        }
        fs::write(path, content(number)).expect("a file");
    }
    folder
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{}/{number}.txt", number % DIRECTORIES))
}

/// Up to 1,500 bytes, half of which repeat themselves: xorshift64 (Marsaglia, "Xorshift RNGs").
fn content(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..number * 37 % 94).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("word {state:x} ").into_bytes()
    });
    words.flatten().take(1500).collect()
}
