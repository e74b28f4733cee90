//! Archives that are compressed with Zstandard, by us and by others (RFC 8878).

use super::hostile::refused;
use super::*;
use std::process::{Command, Stdio};

/// A frame without compression: a window, as its descriptor byte says, and raw blocks.
fn raw_frame(window: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window];
    let mut blocks = content.chunks(1 << 10).peekable();
    while let Some(block) = blocks.next() {
        let is_last = u32::from(blocks.peek().is_none());
        frame.extend_from_slice(&((block.len() as u32) << 3 | is_last).to_le_bytes()[..3]);
        frame.extend_from_slice(block);
    }
    frame
}

fn skippable(content: &[u8]) -> Vec<u8> {
    [&[0x5a, 0x2a, 0x4d, 0x18], &(content.len() as u32).to_le_bytes()[..], content].concat()
}

/// An archive with a file that repeats itself, and one that does not.
fn some_archive() -> Vec<u8> {
    let mixed = (0..600u32).map(|n| char::from(b'a' + (n * n % 26) as u8)).collect::<String>();
    archive(&[directory("t/", 0o755), file("t/a", &"words ".repeat(300)), file("t/b", &mixed)])
}

/// What unpacking makes of a layer.
fn unpacked(bytes: &[u8]) -> Result<Vec<String>, UnpackError> {
    let dir = TempDir::new().unwrap();
    unpack(dir.path(), bytes).map(|_| listing(dir.path()))
}

#[test]
fn frames_of_all_kinds_are_read_in_order() {
    let whole = some_archive();
    let expected = unpacked(&whole).unwrap();
    let (first, second) = whole.split_at(700);
    let empty = zstd(b"");
    let checked = {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(&whole).unwrap();
        encoder.finish().unwrap()
    };
    for (name, layer) in [
        ("one frame", zstd(&whole)),
        ("with a checksum", checked),
        ("raw blocks", raw_frame(0x00, &whole)),
        ("two frames", [zstd(first), zstd(second)].concat()),
        ("frames of two kinds", [raw_frame(0x08, first), zstd(second)].concat()),
        ("an empty frame", [empty.clone(), zstd(&whole), empty].concat()),
        ("a skippable frame first", [skippable(b"about"), zstd(&whole)].concat()),
        ("skippable frames", [zstd(first), skippable(b""), zstd(second), skippable(&[7; 5000])].concat()),
    ] {
        assert_eq!(unpacked(&layer).unwrap(), expected, "{name}");
    }
}

#[test]
fn a_window_of_8_mib_is_the_largest() {
    let whole = some_archive();
    assert!(unpacked(&raw_frame(13 << 3, &whole)).is_ok(), "8 MiB");
    for window in [13 << 3 | 1, 14 << 3, 17 << 3, 31 << 3 | 7] {
        let error = refused(&raw_frame(window, &whole), &Limits::default());
        assert!(matches!(error, UnpackError::Unsupported { .. }), "{window:x}: {error}");
        assert_eq!(
            error.to_string(),
            "the archive \"t\" cannot be unpacked: it needs more than 8 MiB of memory, the window of its zstd frame; \
             compress it again with gzip, or with zstd at level 19 at most, without --long and without a dictionary"
        );
    }
    // The window of a later frame counts as much.
    let error = refused(&[zstd(&whole), raw_frame(14 << 3, &whole)].concat(), &Limits::default());
    assert!(matches!(error, UnpackError::Unsupported { .. }), "{error}");
}

#[test]
fn a_frame_that_needs_a_dictionary_is_refused() {
    // The descriptor says that one byte with the number of a dictionary follows (RFC 8878, 3.1.1.1.1).
    let mut frame = raw_frame(0x00, &some_archive());
    frame[4] |= 1;
    frame.insert(6, 77);
    let error = refused(&frame, &Limits::default());
    assert!(matches!(error, UnpackError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("zstd dictionary, which is not in it; compress it again"), "{error}");
}

#[test]
fn a_cut_frame_is_damage_wherever_it_is_cut() {
    let layer = zstd(&some_archive());
    for length in (4..layer.len()).step_by(5).chain([layer.len() - 1]) {
        let error = refused(&layer[..length], &Limits::default());
        assert!(matches!(error, UnpackError::Damaged { .. }), "{length}: {error}");
        let sentence = error.to_string();
        assert!(sentence.starts_with("the archive \"t\" is damaged: "), "{length}: {sentence}");
        assert!(sentence.ends_with("; push it again"), "{length}: {sentence}");
    }
    let skipped = [layer, skippable(&[7; 100])].concat();
    let error = refused(&skipped[..skipped.len() - 1], &Limits::default());
    assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
}

#[test]
fn what_follows_the_last_frame_must_be_a_frame() {
    let layer = zstd(&some_archive());
    for tail in [&b"garbage"[..], b"\0", &gzip(b"x"), &some_archive()] {
        let error = refused(&[&layer[..], tail].concat(), &Limits::default());
        assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
    }
}

#[test]
fn no_changed_byte_changes_the_content() {
    let whole = some_archive();
    let digest = crate::digest::sha256_text(Sha256::digest(&whole));
    let layer = zstd(&whole);
    let dir = TempDir::new().unwrap();
    let folder = StagingFolder::create(dir.path()).unwrap();
    for at in 0..layer.len() {
        let mut changed = layer.clone();
        changed[at] ^= 1 << (at % 8);
        let (staging, size) = (folder.staging().unwrap(), changed.len() as u64);
        match staging.directory("t", Some(&digest), size, &Limits::default(), &changed[..]) {
            // A bit of the frame that has no meaning.
            Ok(unpacked) => assert_eq!(unpacked, Unpacked { files: 2, bytes: 2400 }, "byte {at}"),
            Err(
                UnpackError::Damaged { .. }
                | UnpackError::TarDigest { .. }
                | UnpackError::Unsupported { .. }
                | UnpackError::NotAnArchive { .. }
                | UnpackError::Entry { .. },
            ) => {}
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

/// Compresses with the program `zstd`. None where it is not installed.
fn by_the_program(flags: &[&str], content: &[u8]) -> Option<Vec<u8>> {
    let started = Command::new("zstd")
        .args(["-q", "-c"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("skipped: zstd is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let content = content.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&content).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success(), "zstd {flags:?}");
    Some(output.stdout)
}

#[test]
fn layers_of_the_program_zstd_are_read_up_to_level_19() {
    let whole = some_archive();
    let expected = unpacked(&whole).unwrap();
    for flags in [&["-1"][..], &["-19", "--no-check"], &["--fast=5"], &["-3", "--long=23"], &["-T2", "-9"]] {
        let Some(layer) = by_the_program(flags, &whole) else { return };
        assert_eq!(unpacked(&layer).unwrap(), expected, "{flags:?}");
    }
    for flags in [&["--ultra", "-22"][..], &["--long=27"]] {
        let Some(layer) = by_the_program(flags, &whole) else { return };
        let error = refused(&layer, &Limits::default());
        assert!(matches!(error, UnpackError::Unsupported { .. }), "{flags:?}: {error}");
    }
}
