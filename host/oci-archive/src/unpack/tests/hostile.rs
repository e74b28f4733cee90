//! Hostile and damaged archives.

use super::*;
use std::cell::Cell;

/// Unpacks an archive that is refused, and checks that nothing was written.
pub(super) fn refused(bytes: &[u8], limits: &Limits) -> UnpackError {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("outside"), "precious").unwrap();
    let target = dir.path().join("target");
    let staging = Staging::create(&target).unwrap();
    let error = staging.directory("t", None, bytes.len() as u64, limits, bytes).unwrap_err();
    staging.place().unwrap();
    assert_eq!(listing(dir.path()), ["outside: file 644 precious", "target: directory 755"], "{error}");
    error
}

#[test]
fn hostile_entries_are_refused_by_name() {
    let long =
        |kind, value: &[u8], next: Vec<u8>| [entry(kind, b"././@LongLink", b"", 0o644, value), next].concat();
    let deep = "d/".repeat(300);
    let table: &[(&str, &str, Vec<Vec<u8>>)] = &[
        ("/etc/passwd", "is an absolute path", vec![file("/etc/passwd", "x")]),
        ("/t/a", "is an absolute path", vec![file("/t/a", "x")]),
        ("../outside", "contains `..`", vec![file("../outside", "x")]),
        ("t/../../outside", "contains `..`", vec![file("t/../../outside", "x")]),
        ("t/..", "contains `..`", vec![directory("t/..", 0o777)]),
        ("other/a", "lies outside of \"t\"", vec![file("other/a", "x")]),
        ("tt", "lies outside of \"t\"", vec![file("tt", "x")]),
        ("./", "lies outside of \"t\"", vec![directory("./", 0o777)]),
        ("", "lies outside of \"t\"", vec![file("", "x")]),
        ("t", "bears the title", vec![file("t", "x")]),
        ("t", "bears the title", vec![symlink("t", "outside")]),
        ("t/l", "absolute path", vec![symlink("t/l", "/etc")]),
        ("t/l", "outside of the directory", vec![symlink("t/l", "..")]),
        ("t/a/l", "outside of the directory", vec![symlink("t/a/l", "../../outside")]),
        ("t/m", "`..` behind a name", vec![symlink("t/a/b/l", "../.."), symlink("t/m", "a/b/l/../outside")]),
        ("t/l", "leads nowhere", vec![symlink("t/l", "")]),
        ("t/l/a", "through a file or a link", vec![symlink("t/l", "."), file("t/l/a", "x")]),
        ("t/l", "through a file or a link", vec![symlink("t/l", "."), directory("t/l", 0o755)]),
        ("t/f/a", "through a file or a link", vec![file("t/f", ""), file("t/f/a", "x")]),
        ("t/d", "a directory of this name", vec![directory("t/d", 0o755), file("t/d", "x")]),
        ("t/d", "a directory of this name", vec![directory("t/d", 0o755), symlink("t/d", ".")]),
        ("t/h", "is an absolute path", vec![hard_link("t/h", "/etc/passwd")]),
        ("t/h", "contains `..`", vec![hard_link("t/h", "t/../../outside")]),
        ("t/h", "lies outside of \"t\"", vec![hard_link("t/h", "outside")]),
        ("t/h", "no file that came before", vec![hard_link("t/h", "t/missing")]),
        ("t/h", "no file that came before", vec![hard_link("t/h", "t/missing/a")]),
        ("t/h", "no file that came before", vec![symlink("t/l", "a"), hard_link("t/h", "t/l")]),
        (
            "t/h",
            "no file that came before",
            vec![file("t/a/f", ""), symlink("t/l", "a"), hard_link("t/h", "t/l/f")],
        ),
        ("t/h", "no file that came before", vec![directory("t/d", 0o755), hard_link("t/h", "t/d")]),
        ("t/h", "to itself", vec![file("t/h", ""), hard_link("t/h", "t/./h")]),
        ("t/c", "it is a device", vec![entry(EntryType::Char, b"t/c", b"", 0o666, b"")]),
        ("t/b", "it is a device", vec![entry(EntryType::Block, b"t/b", b"", 0o666, b"")]),
        ("t/p", "it is a named pipe", vec![entry(EntryType::Fifo, b"t/p", b"", 0o666, b"")]),
        ("t/v", "unknown kind 'V'", vec![entry(EntryType::new(b'V'), b"t/v", b"", 0o666, b"")]),
        ("t/a\0b", "NUL", vec![long(EntryType::GNULongName, b"t/a\0b\0", file("t/x", "x"))]),
        ("t/l", "NUL", vec![long(EntryType::GNULongLink, b"a\0b\0", symlink("t/l", "x"))]),
        (
            "t/nnn",
            "longer than 255",
            vec![long(EntryType::GNULongName, format!("t/{}", "n".repeat(256)).as_bytes(), file("x", ""))],
        ),
        (
            "t/mmm",
            "longer than 4095",
            vec![long(
                EntryType::GNULongName,
                format!("t/{}", "mmm/".repeat(1024)).as_bytes(),
                file("x", ""),
            )],
        ),
        (
            "t/d/d",
            "nested deeper",
            vec![long(EntryType::GNULongName, format!("t/{deep}").as_bytes(), file("x", ""))],
        ),
        (
            "t/s",
            "sparse in the way of pax",
            vec![entry(EntryType::XHeader, b"pax", b"", 0o644, b"22 GNU.sparse.major=1\n"), file("t/s", "x")],
        ),
    ];
    for (name, reason, entries) in table {
        for bytes in [archive(entries), gzip(&archive(entries)), zstd(&archive(entries))] {
            let error = refused(&bytes, &Limits::default());
            assert!(matches!(error, UnpackError::Entry { .. }), "{name}: {error}");
            let sentence = error.to_string();
            let beginning = format!("the archive \"t\" was refused because of its entry {name:?}");
            assert!(sentence.starts_with(beginning.trim_end_matches('"')), "{name}: {sentence}");
            assert!(sentence.contains(reason), "{name}: {sentence}");
        }
    }
}

#[test]
fn damage_and_attacks_have_different_errors() {
    let whole = archive(&[file("t/a", "some content"), file("t/b", &"x".repeat(2000))]);
    let packed = gzip(&whole);
    let mut wrong_sum = packed.clone();
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 1;
    let mut wrong_header = whole.clone();
    wrong_header[1024 + 5] ^= 1;
    for bytes in [
        &packed[..20],
        &packed[..packed.len() / 2],
        &packed[..packed.len() - 1],
        &[&packed[..], b"garbage"].concat(),
        &wrong_sum,
        &wrong_header,
        &gzip(&whole[..700]),
        &gzip(&whole[..1400]),
        &whole[..1700],
        &gzip(b"no archive at all"),
    ] {
        let error = refused(bytes, &Limits::default());
        assert!(matches!(error, UnpackError::Damaged { .. }), "{error:?}");
    }
    for (bytes, found) in [
        (&b""[..], "empty"),
        (b"BZh9", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"PK\x03\x04", "a zip archive"),
        (&[b'x'; 5000], "something unknown"),
        (&whole[..500], "something unknown"),
    ] {
        let error = refused(bytes, &Limits::default());
        assert!(matches!(error, UnpackError::NotAnArchive { .. }), "{error:?}");
        assert!(error.to_string().contains(found), "{error}");
    }
}

#[test]
fn archives_that_become_too_large_are_refused() {
    let limits = Limits { bytes: 20_000, factor: 1, entries: 10 };
    // Zeros behind the end of the archive count too.
    let mut tail = archive(&[file("t/a", "x")]);
    tail.resize(200_000, 0);
    for compress in [gzip, zstd] {
        let error = refused(&compress(&archive(&[file("t/a", &"x".repeat(30_000))])), &limits);
        assert!(matches!(error, UnpackError::Bomb { allowed: 20_000, .. }), "{error:?}");
        assert!(matches!(refused(&compress(&tail), &limits), UnpackError::Bomb { .. }));
    }
    // The holes of a sparse file are not in the archive.
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..3].copy_from_slice(b"t/s");
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(0);
    header.set_mode(0o644);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(1 << 40);
    gnu.sparse[0].set_offset(1 << 40);
    gnu.sparse[0].set_length(0);
    header.set_cksum();
    let sparse = archive(&[header.as_bytes().to_vec()]);
    let error = refused(&sparse, &limits);
    assert!(matches!(error, UnpackError::Bomb { .. }), "{error:?}");
    let many: Vec<_> = (0..11).map(|number| file(&format!("t/{number}"), "")).collect();
    assert!(matches!(refused(&gzip(&archive(&many)), &limits), UnpackError::Entries { allowed: 10, .. }));
}

/// An archive without end, which counts how much of it is read.
struct Endless<'a> {
    head: &'a [u8],
    read: &'a Cell<u64>,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let head = self.head.read(buffer)?;
        buffer[head..].fill(b'a');
        self.read.set(self.read.get() + buffer.len() as u64);
        // After damage, the rest is read in order to compare the digest.
        if self.read.get() > 8 << 20 {
            return Ok(0);
        }
        Ok(buffer.len())
    }
}

#[test]
fn headers_of_any_length_take_little_memory() {
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..4].copy_from_slice(b"long");
        header.set_entry_type(kind);
        header.set_size(1 << 40);
        header.set_cksum();
        let dir = TempDir::new().unwrap();
        let staging = Staging::create(dir.path()).unwrap();
        let read = Cell::new(0);
        let content = Endless { head: header.as_bytes(), read: &read };
        let error = staging.directory("t", None, 1 << 40, &Limits::default(), content).unwrap_err();
        assert!(error.to_string().contains("the headers before an entry are longer than 1 MiB"), "{error}");
    }
}
