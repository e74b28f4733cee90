//! Hostile and damaged layers of Zstandard: nothing of them is written, and the command is not
//! started.

use crate::support::http::{Layer, put_artifact};
use crate::support::tar::{SYMBOLIC_LINK, Tar};
use crate::support::tree::paths;
use crate::support::{assert_failed, try_pull};
use std::io::{self, Read};
use test_registries::Embedded;

/// One frame of zstd with a checksum.
fn compressed(content: impl Read) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    io::copy(&mut { content }, &mut encoder).unwrap();
    encoder.finish().unwrap()
}

/// A frame of one raw block, with the descriptor of its window (RFC 8878, 3.1.1.1.2).
fn raw_frame(window: u8, content: &[u8]) -> Vec<u8> {
    let header = ((content.len() as u32) << 3 | 1).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, window], &header[..3], content].concat()
}

/// Puts each layer into a registry, and checks that a pull of it fails with these texts and leaves
/// nothing.
fn all_refused(cases: Vec<(&str, Vec<u8>, &[&str])>) {
    let registry = Embedded::start();
    for (tag, content, parts) in cases {
        put_artifact(&registry.host(), "a", tag, &[Layer::archive("x", content)]);
        let into = tempfile::tempdir().unwrap();
        let outcome = try_pull(&registry.host(), &format!("a:{tag}"), into.path());
        let artifact = format!("cannot pull a:{tag} from");
        assert_failed(&outcome, 98, &[&[artifact.as_str(), "the archive \"x\""], parts].concat());
        assert_eq!(paths(into.path()), [""; 0], "{tag}");
    }
}

#[test]
fn damaged_and_hostile_frames_are_refused_by_name() {
    let archive = Tar::default().file("x/data", &"0123456789abcdef".repeat(1000)).end();
    let whole = compressed(&archive[..]);
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    let escape = Tar::default().entry(SYMBOLIC_LINK, "x/l", "../../outside", b"").end();
    let damaged: &[&str] = &["is damaged: zstd says", "push it again"];
    let window: &[&str] = &["more than 8 MiB of memory, the window of its zstd frame", "at level 19 at most"];
    all_refused(vec![
        ("cut", whole[..whole.len() / 2].to_vec(), damaged),
        ("without-its-end", whole[..whole.len() - 1].to_vec(), damaged),
        ("changed", changed, damaged),
        ("garbage-behind-it", [&whole[..], b"garbage"].concat(), damaged),
        ("window-of-128-mib", raw_frame(17 << 3, &archive), window),
        ("largest-window", raw_frame(0xff, &archive), window),
        ("escape", compressed(&escape[..]), &["x/l", "../../outside"]),
    ]);
}

#[test]
fn a_frame_that_would_fill_the_disk_is_stopped() {
    // No header announces the zeros behind the end of the archive, so that they must be counted.
    let zeros = compressed(io::repeat(0).take(1_100_000_000));
    assert!(zeros.len() < 100_000);
    all_refused(vec![("1", zeros, &["archive made to fill a disk"])]);
}
