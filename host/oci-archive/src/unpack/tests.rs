#![allow(clippy::print_stderr)] // Says which tests were skipped.

mod conflicts;
mod hostile;
mod left_over;
mod placing;
mod zstandard;

use super::*;
use crate::{Limits, PackOptions, pack};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use tar::{EntryType, Header};
use tempfile::TempDir;

/// One entry of an archive, with any fields.
fn entry(kind: EntryType, name: &[u8], target: &[u8], mode: u32, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    header.set_uid(1234);
    header.set_gid(1234);
    header.set_mtime(1_700_000_000);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &str) -> Vec<u8> {
    entry(EntryType::Regular, name.as_bytes(), b"", 0o644, content.as_bytes())
}

fn directory(name: &str, mode: u32) -> Vec<u8> {
    entry(EntryType::Directory, name.as_bytes(), b"", mode, b"")
}

fn symlink(name: &str, target: &str) -> Vec<u8> {
    entry(EntryType::Symlink, name.as_bytes(), target.as_bytes(), 0o777, b"")
}

fn hard_link(name: &str, target: &str) -> Vec<u8> {
    entry(EntryType::Link, name.as_bytes(), target.as_bytes(), 0o644, b"")
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One frame of zstd, as the agent writes it.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn unpack(target: &Path, bytes: &[u8]) -> Result<Unpacked, UnpackError> {
    let staging = Staging::create(target).unwrap();
    let unpacked = staging.directory("t", None, bytes.len() as u64, &Limits::default(), bytes)?;
    staging.place()?;
    Ok(unpacked)
}

/// All entries below a directory: path, and mode with content or the target of a link.
fn snapshot(root: &Path) -> BTreeMap<Vec<u8>, (String, Vec<u8>)> {
    fn add(root: &Path, dir: &Path, all: &mut BTreeMap<Vec<u8>, (String, Vec<u8>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let mode = metadata.mode() & 0o7777;
            let (kind, content) = if metadata.is_symlink() {
                ("link".to_owned(), fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec())
            } else if metadata.is_dir() {
                add(root, &path, all);
                (format!("directory {mode:o}"), Vec::new())
            } else {
                (format!("file {mode:o}"), fs::read(&path).unwrap())
            };
            all.insert(path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(), (kind, content));
        }
    }
    let mut all = BTreeMap::new();
    add(root, root, &mut all);
    all
}

fn listing(root: &Path) -> Vec<String> {
    let line = |(path, (kind, content)): (Vec<u8>, (String, Vec<u8>))| {
        let (path, content) =
            (String::from_utf8_lossy(&path).into_owned(), String::from_utf8_lossy(&content).into_owned());
        format!("{path}: {kind} {content}").trim_end().to_owned()
    };
    snapshot(root).into_iter().map(line).collect()
}

#[test]
fn an_archive_becomes_files() {
    let bytes = archive(&[
        directory("t/", 0o750),
        file("t/a", "one"),
        entry(EntryType::Regular, b"t/tool", b"", 0o6755, b"run"),
        symlink("t/link", "sub/b"),
        directory("t/sub", 0o700),
        file("t/sub/b", "two"),
        hard_link("t/sub/same", "t/a"),
        file("./t//sub/./c", "three"),
        file("t/new/d", "parents are made"),
        entry(EntryType::Regular, b"t/old/", b"", 0o755, b""),
        entry(EntryType::Continuous, b"t/seven", b"", 0o600, b"7"),
    ]);
    let expected = [
        "t: directory 750",
        "t/a: file 644 one",
        "t/link: link sub/b",
        "t/new: directory 755",
        "t/new/d: file 644 parents are made",
        "t/old: directory 755",
        "t/seven: file 600 7",
        "t/sub: directory 700",
        "t/sub/b: file 644 two",
        "t/sub/c: file 644 three",
        "t/sub/same: file 644 one",
        "t/tool: file 755 run",
    ];
    let two_members = [gzip(&bytes[..700]), gzip(&bytes[700..])].concat();
    for packed in [bytes.clone(), gzip(&bytes), two_members] {
        let dir = TempDir::new().unwrap();
        let unpacked = unpack(dir.path(), &packed).unwrap();
        assert_eq!(listing(dir.path()), expected);
        assert_eq!(unpacked, Unpacked { files: 8, bytes: 31 });
        assert!(
            fs::metadata(dir.path().join("t/a")).unwrap().mtime() > 1_700_000_000,
            "times are those of the pull"
        );
    }
}

#[test]
fn long_names_are_read_in_both_formats() {
    let name = format!("t/{}/{}", "x".repeat(200), "y".repeat(255));
    let gnu = [
        entry(EntryType::GNULongName, b"././@LongLink", b"", 0o644, format!("{name}\0").as_bytes()),
        file("t/short", "content"),
    ];
    let pax = |key: &str, value: &str| {
        // The length includes its own digits (POSIX, pax Header Block).
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length != rest.len() + length.to_string().len() {
            length = rest.len() + length.to_string().len();
        }
        entry(EntryType::XHeader, b"pax", b"", 0o644, format!("{length}{rest}").as_bytes())
    };
    let global = entry(EntryType::XGlobalHeader, b"pax_global_header", b"", 0o644, b"11 path=a\n\n");
    for entries in [archive(&gnu), archive(&[global, pax("path", &name), file("t/short", "content")])] {
        let dir = TempDir::new().unwrap();
        unpack(dir.path(), &entries).unwrap();
        assert_eq!(fs::read(dir.path().join(&name)).unwrap(), b"content");
    }
}

#[test]
fn the_last_entry_of_a_name_counts() {
    let dir = TempDir::new().unwrap();
    let bytes = archive(&[
        file("t/a", "first"),
        symlink("t/b", "a"),
        file("t/c", "c"),
        hard_link("t/h", "t/a"),
        file("t/a", "second"),
        file("t/b", "no longer a link"),
        symlink("t/c", "a"),
        directory("t/d", 0o500),
        directory("t/d", 0o755),
    ]);
    unpack(dir.path(), &bytes).unwrap();
    let expected = [
        "t: directory 755",
        "t/a: file 644 second",
        "t/b: file 644 no longer a link",
        "t/c: link a",
        "t/d: directory 755",
        "t/h: file 644 first",
    ];
    assert_eq!(listing(dir.path()), expected);
}

#[test]
fn read_only_directories_are_filled() {
    let dir = TempDir::new().unwrap();
    let bytes = archive(&[
        directory("t", 0o555),
        directory("t/in", 0o500),
        file("t/in/a", "1"),
        directory("t/in/er", 0o100),
        directory("t/in/er/most", 0),
        file("t/b", "2"),
    ]);
    for _ in 0..2 {
        // The second time, everything exists already.
        unpack(dir.path(), &bytes).unwrap();
        let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().mode() & 0o7777;
        assert_eq!((mode("t"), mode("t/in"), mode("t/in/er")), (0o555, 0o500, 0o100));
    }
    for path in ["t", "t/in", "t/in/er", "t/in/er/most"] {
        let open = fs::Permissions::from_mode(0o700);
        fs::set_permissions(dir.path().join(path), open).unwrap();
    }
}

/// A reader of bytes that fails at its end, or records that its end was reached.
struct Content<'a> {
    bytes: &'a [u8],
    fails: Option<&'static str>,
    ended: &'a mut bool,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            *self.ended = true;
            if let Some(sentence) = self.fails {
                return Err(io::Error::new(io::ErrorKind::InvalidData, sentence));
            }
        }
        Ok(count)
    }
}

#[test]
fn content_is_read_to_its_end_and_its_error_counts() {
    let whole = archive(&[file("t/a", "x")]);
    let mut long = whole.clone();
    long.extend_from_slice(&vec![0; 300_000]);
    let mut damaged = gzip(&long);
    damaged[40] ^= 1;
    for bytes in [whole, gzip(&long), long, damaged] {
        let dir = TempDir::new().unwrap();
        let mut ended = false;
        let staging = Staging::create(dir.path()).unwrap();
        let fails = Some("the digest is wrong");
        let content = Content { bytes: &bytes, fails, ended: &mut ended };
        let error = staging.directory("t", None, 100, &Limits::default(), content).unwrap_err();
        assert_eq!(error.to_string(), "the layer \"t\" could not be read: the digest is wrong");
        assert!(matches!(error, UnpackError::Content { .. }) && ended);
        ended = false;
        let content = Content { bytes: &bytes, fails, ended: &mut ended };
        assert!(matches!(staging.file("f", content), Err(UnpackError::Content { .. })));
        assert!(ended);
        // A layer that failed can be tried again.
        ended = false;
        let content = Content { bytes: &bytes, fails: None, ended: &mut ended };
        staging.file("f", content).unwrap();
        assert!(ended);
        staging.place().unwrap();
        assert_eq!(snapshot(dir.path()).len(), 1);
    }
}

#[test]
fn the_digest_of_the_archive_is_compared() {
    let bytes = archive(&[file("t/a", "x")]);
    let digest = crate::digest::sha256_text(Sha256::digest(&bytes));
    let packed = gzip(&bytes);
    let dir = TempDir::new().unwrap();
    let staging = Staging::create(dir.path()).unwrap();
    for wrong in [&digest.replace(|digit: char| digit.is_ascii_digit(), "0"), "", "md5:00"] {
        let error = staging.directory("t", Some(wrong), 100, &Limits::default(), &packed[..]).unwrap_err();
        assert!(
            error.to_string().contains(&format!("with the digest {wrong}, but it has {digest}")),
            "{error}"
        );
    }
    staging.directory("t", Some(&digest), 100, &Limits::default(), &packed[..]).unwrap();
    staging.place().unwrap();
    assert_eq!(listing(dir.path()), ["t: directory 755", "t/a: file 644 x"]);
}

#[test]
fn a_packed_directory_is_unpacked_unchanged() {
    let from = TempDir::new().unwrap();
    let root = from.path();
    let long = root.join("l".repeat(255)).join("m".repeat(255));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("file"), "deep").unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"not \xff UTF-8 \n")), "x").unwrap();
    fs::write(root.join("one"), "twice").unwrap();
    fs::hard_link(root.join("one"), root.join("two")).unwrap();
    std::os::unix::fs::symlink(
        format!("../{}/{}/file", "l".repeat(255), "m".repeat(255)),
        long.parent().unwrap().join("link"),
    )
    .unwrap();
    fs::File::create(root.join("sparse")).unwrap().set_len(1_000_000).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o511)).unwrap();
    fs::set_permissions(root, fs::Permissions::from_mode(0o711)).unwrap();
    let layer = pack(root, "a/b c/t", &PackOptions::default()).unwrap();
    let dir = TempDir::new().unwrap();
    let staging = Staging::create(&dir.path().join("made/for/it")).unwrap();
    let digest = layer.annotations[crate::annotation::CONTENT_DIGEST].as_str();
    let content = layer.open(0).unwrap();
    let unpacked =
        staging.directory(&layer.title, Some(digest), layer.size, &Limits::default(), content).unwrap();
    assert_eq!(unpacked, Unpacked { files: 6, bytes: 4 + 1 + 5 + 5 + 1_000_000 });
    staging.place().unwrap();
    let placed = dir.path().join("made/for/it/a/b c/t");
    assert_eq!(fs::metadata(&placed).unwrap().mode() & 0o777, 0o711);
    for path in [root, &placed] {
        assert_eq!(fs::metadata(path.join("empty")).unwrap().mode() & 0o777, 0o511);
        fs::set_permissions(path.join("empty"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert_eq!(snapshot(&placed), snapshot(root));
}
