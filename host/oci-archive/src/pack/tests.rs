#![allow(clippy::print_stderr)] // Says which tests were skipped.

use super::*;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::Duration;
use tempfile::TempDir;

const UNPACK: PackOptions = PackOptions { unpack: true, compression: Compression::Gzip };
const ZSTD: PackOptions = PackOptions { compression: Compression::Zstd, ..UNPACK };

fn bytes(layer: &Layer, offset: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    layer.open(offset).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Bytes that cannot be compressed: xorshift64, from Marsaglia's "Xorshift RNGs".
pub(crate) fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

fn large(dir: &Path) {
    for number in 0..6 {
        fs::write(dir.join(format!("{number}")), noise(1 << 20, number + 1)).unwrap();
    }
}

#[test]
fn a_file_is_a_layer_as_it_is() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("hello.txt");
    fs::write(&path, "hello world").unwrap();
    symlink("hello.txt", dir.path().join("link")).unwrap();
    let layer = pack(&dir.path().join("link"), "greeting.txt", &UNPACK).unwrap();
    // `printf 'hello world' | sha256sum`
    assert_eq!(layer.digest, "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");
    assert_eq!(layer.size, 11);
    assert_eq!(layer.media_type, "application/vnd.oci.image.layer.v1.tar");
    let title = ("org.opencontainers.image.title".to_owned(), "greeting.txt".to_owned());
    assert_eq!(layer.annotations, BTreeMap::from([title]));
    assert_eq!(bytes(&layer, 0), b"hello world");
    assert_eq!(bytes(&layer, 6), b"world");
    assert_eq!(bytes(&layer, 11), b"");
    assert!(matches!(layer.open(12), Err(PackError::Offset { .. })));
}

#[test]
fn an_empty_file_is_a_layer() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("empty"), "").unwrap();
    let layer = pack(&dir.path().join("empty"), "empty", &UNPACK).unwrap();
    assert_eq!((layer.size, bytes(&layer, 0)), (0, Vec::new()));
}

#[test]
fn a_directory_is_an_archive_without_times_and_owners() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("somewhere");
    fs::create_dir_all(root.join("b/empty")).unwrap();
    fs::write(root.join("b/file"), "content").unwrap();
    fs::set_permissions(root.join("b/file"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(root.join("b"), fs::Permissions::from_mode(0o1750)).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root.join("b/empty"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../b/file", root.join("b/link")).unwrap();
    fs::write(root.join("B"), "").unwrap();
    fs::set_permissions(root.join("B"), fs::Permissions::from_mode(0o600)).unwrap();
    let layer = pack(&root, "out", &UNPACK).unwrap();
    let packed = bytes(&layer, 0);
    // The header of RFC 1952: magic, deflate, no flags, no time, fastest, unknown system.
    assert_eq!(packed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(layer.digest, sha256_text(Sha256::digest(&packed)));
    assert_eq!(layer.size, packed.len() as u64);
    assert_eq!(layer.annotations["io.deis.oras.content.digest"], sha256_text(Sha256::digest(&unpacked)));
    assert_eq!(layer.annotations["io.deis.oras.content.unpack"], "true");
    assert_eq!(layer.annotations["org.opencontainers.image.title"], "out");
    assert_eq!(layer.media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
    let mut seen = Vec::new();
    for entry in tar::Archive::new(&unpacked[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
        assert_eq!((header.username(), header.groupname()), (Ok(Some("")), Ok(Some(""))));
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let link = entry.link_name().unwrap().map(|link| link.to_str().unwrap().to_owned());
        seen.push((path, header.mode().unwrap(), content, link.unwrap_or_default()));
    }
    let expected = [
        ("out/", 0o755, "", ""),
        ("out/B", 0o600, "", ""),
        ("out/b/", 0o750, "", ""),
        ("out/b/empty/", 0o755, "", ""),
        ("out/b/file", 0o751, "content", ""),
        ("out/b/link", 0o777, "", "../b/file"),
    ];
    let expected = expected
        .map(|(path, mode, content, link)| (path.to_owned(), mode, content.to_owned(), link.to_owned()));
    assert_eq!(seen, expected);

    let kept = pack(&root, "out", &PackOptions { unpack: false, ..UNPACK }).unwrap();
    assert_eq!(kept.digest, layer.digest);
    assert!(!kept.annotations.contains_key("io.deis.oras.content.unpack"));
}

#[test]
fn a_large_archive_is_made_again_from_any_offset() {
    let dir = TempDir::new().unwrap();
    large(dir.path());
    let layer = pack(dir.path(), "data", &UNPACK).unwrap();
    assert!(matches!(layer.source, Source::Directory { .. }));
    let whole = bytes(&layer, 0);
    assert_eq!(whole.len() as u64, layer.size);
    assert_eq!(sha256_text(Sha256::digest(&whole)), layer.digest);
    for offset in [1, 10, 131_072, 131_073, 3_000_000, layer.size - 1, layer.size] {
        assert!(bytes(&layer, offset) == whole[offset as usize..], "from {offset}");
    }
    assert!(matches!(layer.open(layer.size + 1), Err(PackError::Offset { .. })));
}

#[test]
fn a_directory_is_compressed_with_zstd_where_that_is_asked_for() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("words"), "word ".repeat(1000)).unwrap();
    let gzip = pack(dir.path(), "data", &UNPACK).unwrap();
    let layer = pack(dir.path(), "data", &ZSTD).unwrap();
    assert_eq!(layer.media_type, "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(layer.annotations, gzip.annotations, "the archive is the same");
    let packed = bytes(&layer, 0);
    assert_eq!((layer.size, &layer.digest), (packed.len() as u64, &sha256_text(Sha256::digest(&packed))));
    let archive = zstd::decode_all(&packed[..]).unwrap();
    assert_eq!(layer.annotations["io.deis.oras.content.digest"], sha256_text(Sha256::digest(archive)));
    assert_eq!(pack(dir.path(), "data", &ZSTD).unwrap().digest, layer.digest);
    // A file is a layer as it is.
    let file = pack(&dir.path().join("words"), "words", &ZSTD).unwrap();
    assert_eq!((file.media_type, file.size), ("application/vnd.oci.image.layer.v1.tar", 5000));
}

#[test]
fn a_large_archive_is_made_again_with_zstd() {
    let dir = TempDir::new().unwrap();
    large(dir.path());
    let layer = pack(dir.path(), "data", &ZSTD).unwrap();
    assert!(matches!(layer.source, Source::Directory { .. }));
    let whole = bytes(&layer, 0);
    assert_eq!(sha256_text(Sha256::digest(&whole)), layer.digest);
    for offset in [1, 131_073, layer.size - 1, layer.size] {
        assert!(bytes(&layer, offset) == whole[offset as usize..], "from {offset}");
    }
}

#[test]
fn what_zstd_would_make_too_small_for_a_pull_is_compressed_with_gzip() {
    let dir = TempDir::new().unwrap();
    File::create(dir.path().join("zeros")).unwrap().set_len(8 << 20).unwrap();
    let root = || Arc::new(Dir::from_std_file(File::open(dir.path()).unwrap()));
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    let pack = |options| pack_directory(dir.path(), "t", 1, root(), &options, &limits).unwrap();
    let layer = pack(ZSTD);
    assert_eq!(layer.media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(layer.digest, pack(UNPACK).digest);
    // A pull that does not unpack refuses nothing.
    let kept = pack(PackOptions { unpack: false, ..ZSTD });
    assert_eq!(kept.media_type, "application/vnd.oci.image.layer.v1.tar+zstd");
}

#[test]
fn a_reader_that_is_dropped_ends_its_thread() {
    let dir = TempDir::new().unwrap();
    large(dir.path());
    let layer = pack(dir.path(), "data", &UNPACK).unwrap();
    let Source::Directory { root, .. } = &layer.source else { panic!("it is kept in memory") };
    let mut reader = layer.open(0).unwrap();
    reader.read_exact(&mut [0; 1000]).unwrap();
    assert_eq!(Arc::strong_count(root), 2);
    drop(reader);
    // The thread holds the directory open until it ends. A minute allows for busy machines.
    for _ in 0..6000 {
        if Arc::strong_count(root) == 1 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the thread still runs");
}

/// Reads until an error. Returns the number of bytes before it, and its text.
fn failure(layer: &Layer, offset: u64) -> (u64, String) {
    let mut read = Vec::new();
    let error = layer.open(offset).unwrap().read_to_end(&mut read).unwrap_err();
    (offset + read.len() as u64, error.to_string())
}

#[test]
fn changed_content_is_never_read_to_its_end() {
    let dir = TempDir::new().unwrap();
    large(dir.path());
    let layer = pack(dir.path(), "data", &UNPACK).unwrap();
    // The new content has the same length.
    fs::write(dir.path().join("3"), noise(1 << 20, 99)).unwrap();
    for offset in [0, layer.size - 1] {
        let (read, sentence) = failure(&layer, offset);
        assert!(read < layer.size);
        assert!(sentence.contains("changed while it was being packed or pushed"), "{sentence}");
    }
    fs::write(dir.path().join("7"), noise(1 << 20, 7)).unwrap();
    assert!(failure(&layer, 0).0 < layer.size);
    fs::remove_file(dir.path().join("7")).unwrap();
    fs::write(dir.path().join("3"), noise(1 << 20, 4)).unwrap();
    assert_eq!(sha256_text(Sha256::digest(bytes(&layer, 0))), layer.digest);
    fs::remove_dir_all(dir.path().join("3")).ok();
    fs::remove_file(dir.path().join("3")).ok();
    assert!(failure(&layer, 0).0 < layer.size);

    let file = dir.path().join("file");
    fs::write(&file, "12345").unwrap();
    let layer = pack(&file, "file", &UNPACK).unwrap();
    fs::write(&file, "123456").unwrap();
    assert!(failure(&layer, 0).0 < 5);
    fs::write(&file, "1234").unwrap();
    assert_eq!(failure(&layer, 4).0, 4);
    // The layer keeps reading the file that was packed, and not its replacement.
    fs::write(&file, "12345").unwrap();
    fs::write(dir.path().join("new"), "abcde").unwrap();
    fs::rename(dir.path().join("new"), &file).unwrap();
    assert_eq!(bytes(&layer, 0), b"12345");
}

#[test]
fn special_files_are_refused() {
    let dir = TempDir::new().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    for (path, named) in [(dir.path().to_owned(), &fifo), (fifo.clone(), &fifo)] {
        let error = pack(&path, "data", &UNPACK).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{} is a named pipe", named.display())), "{error}");
    }
    fs::remove_file(&fifo).unwrap();
    let _listener = UnixListener::bind(dir.path().join("socket")).unwrap();
    let error = pack(dir.path(), "data", &UNPACK).unwrap_err().to_string();
    assert!(error.contains("socket is a socket, and only files"), "{error}");
    let error = pack(Path::new("/dev/null"), "data", &UNPACK).unwrap_err().to_string();
    assert!(error.starts_with("/dev/null is a device"), "{error}");
    let error = pack(&dir.path().join("missing"), "data", &UNPACK).unwrap_err().to_string();
    assert!(error.contains("missing cannot be read: No such file"), "{error}");
}

#[test]
fn links_out_of_the_directory_are_refused() {
    for (target, reason) in
        [("/etc/passwd", "absolute"), ("../../x", "outside"), ("../a/../../x", "behind a name")]
    {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        symlink(target, dir.path().join("a/link")).unwrap();
        let error = pack(dir.path(), "deep/title", &UNPACK).unwrap_err();
        assert!(matches!(error, PackError::Link { .. }));
        let sentence = error.to_string();
        assert!(sentence.contains(&format!("a/link is a symbolic link to {target}, ")), "{sentence}");
        assert!(sentence.contains(reason), "{sentence}");
    }
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    for (number, target) in ["..", "../a", "nowhere", ".", "../../x"].into_iter().enumerate() {
        let link = dir.path().join(format!("a/{number}"));
        symlink(target, &link).unwrap();
        assert_eq!(pack(dir.path(), "t", &UNPACK).is_ok(), target != "../../x", "{target}");
    }
}

#[test]
fn unreadable_entries_are_named() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let path = dir.path().join("sub/secret");
    fs::write(&path, "x").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    if File::open(&path).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    let error = pack(dir.path(), "t", &UNPACK).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} cannot be read: Permission denied", path.display())), "{error}");
}

#[test]
fn titles_are_plain_relative_paths() {
    let dir = TempDir::new().unwrap();
    for title in ["", ".", "..", "/a", "a/../b", "./a", "a/", "a//b"] {
        assert!(matches!(pack(dir.path(), title, &UNPACK), Err(PackError::Title { .. })), "{title}");
    }
    let error = pack(dir.path(), "./a", &UNPACK).unwrap_err().to_string();
    assert_eq!(error, "the title \"./a\" cannot be used: write it as \"a\"");
}

#[test]
fn zeros_are_not_taken_for_a_bomb() {
    let dir = TempDir::new().unwrap();
    File::create(dir.path().join("zeros")).unwrap().set_len(32 << 20).unwrap();
    let layer = pack(dir.path(), "t", &UNPACK).unwrap();
    let factor = Limits::default().factor;
    assert!(
        layer.size * factor > 32 << 20,
        "{} bytes, which a pull would refuse if there were more",
        layer.size
    );
}

#[test]
fn archives_that_a_pull_would_refuse_are_not_packed() {
    let limits = Limits { bytes: 1000, factor: 2, entries: 5 };
    let check = |bytes, entries, packed| {
        check_limits(Path::new("/out"), &Totals { digest: [0; 32], bytes, entries }, packed, &limits)
    };
    assert!(check(1000, 5, 10).is_ok());
    assert!(check(1200, 5, 600).is_ok());
    let error = check(1201, 5, 600).unwrap_err().to_string();
    assert!(error.contains("set unpack to \"false\""), "{error}");
    assert!(matches!(check(1, 6, 1), Err(PackError::Entries { .. })));
}

#[test]
fn deep_directories_are_refused_before_a_pull_refuses_them() {
    let dir = TempDir::new().unwrap();
    let mut deep = Dir::from_std_file(File::open(dir.path()).unwrap());
    for _ in 0..crate::MAX_DEPTH - 1 {
        deep.create_dir("d").unwrap();
        deep = deep.open_dir("d").unwrap();
    }
    assert!(pack(dir.path(), "t", &UNPACK).is_ok());
    deep.create_dir("d").unwrap();
    let error = pack(dir.path(), "t", &UNPACK).unwrap_err();
    assert!(matches!(&error, PackError::Name { .. }), "{error}");
    assert_eq!(deep.symlink_metadata("x").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn the_lost_and_found_directory_of_a_volume_is_left_out() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("result"), "x").unwrap();
    let without = pack(dir.path(), "t", &UNPACK).unwrap();
    let folder = dir.path().join("lost+found");
    fs::create_dir(&folder).unwrap();
    let is_ours = fs::metadata(&folder).unwrap().uid() != 0;
    // Only root's directory is the one of the file system. A user's own is content like any other.
    assert_eq!(pack(dir.path(), "t", &UNPACK).unwrap().digest != without.digest, is_ours);
    fs::remove_dir(&folder).unwrap();
    fs::create_dir(dir.path().join("below")).unwrap();
    let below = pack(dir.path(), "t", &UNPACK).unwrap();
    fs::create_dir(dir.path().join("below/lost+found")).unwrap();
    assert_ne!(pack(dir.path(), "t", &UNPACK).unwrap().digest, below.digest, "only the top is a volume");
}
