//! Hostile and damaged artifacts: nothing of them is written, and the command is not started.

use crate::support::http::{Layer, manifest, put_artifact};
use crate::support::tar::{
    BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, FIFO, FILE, HARD_LINK, SYMBOLIC_LINK, Tar,
};
use crate::support::tree::{content, paths, tree, write};
use crate::support::{Agent, assert_failed, pull, push, try_pull};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use test_registries::{DockerRegistry, Embedded};

/// A directory to pull into, with files in it and around it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("outside"), "outside", 0o600);
        write(&folder.path().join("target/x/old"), "old", 0o640);
        Place { folder }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }
}

/// Pulls an artifact, and checks that the refusal holds these texts.
fn refused(host: &str, uri: &str, place: &Place, parts: &[&str]) {
    let before = tree(place.folder.path());
    let outcome = try_pull(host, uri, &place.target());
    assert_failed(&outcome, 98, parts);
    assert_eq!(tree(place.folder.path()), before, "{uri}");
}

/// Compresses bytes with gzip.
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(content).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}

/// The beginning of an archive with a valid entry, so that hostile entries come later.
fn begun() -> Tar {
    Tar::default().entry(DIRECTORY, "x/", "", b"").file("x/honest", "honest")
}

#[test]
fn hostile_entries_are_refused() {
    let registry = Embedded::start();
    let place = Place::new();
    let absolute = place.folder.path().join("written").display().to_string();
    let outside = place.folder.path().join("outside").display().to_string();
    let archives: Vec<(&str, Tar, &[&str])> = vec![
        ("escape", begun().file("x/../../written", "!"), &["x/../../written", ".."]),
        ("sibling", begun().file("y/written", "!"), &["y/written", "lies outside of"]),
        ("absolute", begun().file(&absolute, "!"), &["written", "absolute path"]),
        ("link-out", begun().entry(SYMBOLIC_LINK, "x/l", "../../outside", b""), &["x/l", "../../outside"]),
        ("link-absolute", begun().entry(SYMBOLIC_LINK, "x/l", &outside, b""), &["x/l", "absolute path"]),
        ("link-hidden", begun().entry(SYMBOLIC_LINK, "x/l", "a/../../../outside", b""), &["x/l", "`..`"]),
        ("hard-out", begun().entry(HARD_LINK, "x/h", "../outside", b""), &["x/h", "../outside"]),
        ("hard-absolute", begun().entry(HARD_LINK, "x/h", &outside, b""), &["x/h", "outside"]),
        (
            "through-link",
            begun().entry(SYMBOLIC_LINK, "x/l", "honest-directory", b"").file("x/l/written", "!"),
            &["x/l/written", "link"],
        ),
        ("through-file", begun().file("x/honest/written", "!"), &["x/honest/written", "file"]),
        ("device", begun().entry(CHARACTER_DEVICE, "x/null", "", b""), &["x/null", "device"]),
        ("disk", begun().entry(BLOCK_DEVICE, "x/disk", "", b""), &["x/disk", "device"]),
        ("pipe", begun().entry(FIFO, "x/pipe", "", b""), &["x/pipe", "named pipe"]),
        ("unknown", begun().entry(b'Z', "x/what", "", b""), &["x/what", "unknown kind"]),
        ("root-link", Tar::default().entry(SYMBOLIC_LINK, "x", "..", b""), &["\"x\""]),
        ("root-file", Tar::default().entry(FILE, "x", "", b"!"), &["\"x\"", "no directory"]),
        ("bomb", begun().announced("x/bomb", 2 << 30), &["\"x\"", "archive made to fill a disk"]),
    ];
    for (tag, archive, parts) in archives {
        let archive = archive.end();
        for (suffix, content) in [("", archive.clone()), ("-gz", gzip(&archive))] {
            let tag = format!("{tag}{suffix}");
            put_artifact(&registry.host(), "a", &tag, &[Layer::archive("x", content)]);
            refused(&registry.host(), &format!("a:{tag}"), &place, parts);
        }
    }
    // The same archive without a hostile entry is accepted.
    put_artifact(&registry.host(), "a", "honest", &[Layer::archive("x", begun().end())]);
    pull(&registry.host(), "a:honest", &place.target());
    assert_eq!(paths(&place.target()), ["x", "x/honest", "x/old"]);
}

#[test]
fn hostile_titles_are_refused() {
    let registry = Embedded::start();
    let place = Place::new();
    let absolute = place.folder.path().join("written").display().to_string();
    for (n, title) in ["../written", "x/../../written", &absolute, "", ".", "x/.."].iter().enumerate() {
        for layer in [Layer::file(title, "!"), Layer::archive(title, Tar::default().end())] {
            let layers = [Layer::file("honest", "honest"), layer];
            put_artifact(&registry.host(), "a", &n.to_string(), &layers);
            refused(
                &registry.host(),
                &format!("a:{n}"),
                &place,
                &[&format!("{title:?}"), "cannot be pulled"],
            );
        }
    }
}

#[test]
fn existing_links_are_not_followed() {
    let registry = Embedded::start();
    let place = Place::new();
    let elsewhere = place.folder.path().join("elsewhere");
    write(&elsewhere.join("mine"), "mine", 0o644);
    let host = registry.host();
    put_artifact(&host, "a", "file", &[Layer::file("l/mine", "theirs")]);
    put_artifact(
        &host,
        "a",
        "archive",
        &[Layer::archive("l", Tar::default().file("l/mine", "theirs").end())],
    );
    for tag in ["file", "archive"] {
        let link = place.target().join("l");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink("../elsewhere", &link).unwrap();
        let before = tree(&elsewhere);
        let outcome = try_pull(&host, &format!("a:{tag}"), &place.target());
        assert_eq!(tree(&elsewhere), before, "{tag}");
        assert_failed(&outcome, 98, &["target/l cannot be put in place"]);
    }
}

#[test]
fn one_bad_layer_or_artifact_fails_the_whole_pull() {
    let registry = Embedded::start();
    let host = registry.host();
    let place = Place::new();
    let bad = Layer::archive("bad", Tar::default().file("bad/../../written", "!").end());
    put_artifact(&host, "good", "1", &[Layer::file("good", "good")]);
    put_artifact(&host, "mixed", "1", &[Layer::file("first", "1"), bad, Layer::file("last", "3")]);
    let before = tree(place.folder.path());
    for order in [["good", "mixed"], ["mixed", "good"]] {
        let mut agent = Agent::step(&host, ["touch", "started"]).directory(&place.target());
        for name in order {
            agent = agent.flag(format!("--input={name}:1"));
        }
        assert_failed(&agent.run(), 98, &["cannot pull mixed:1", "bad/../../written"]);
        assert_eq!(tree(place.folder.path()), before);
    }
}

#[test]
fn damaged_archives_are_refused() {
    let registry = Embedded::start();
    let host = registry.host();
    let place = Place::new();
    let archive = Tar::default().file("x/data", &"0123456789abcdef".repeat(10_000)).end();
    let compressed = gzip(&archive);
    let mut changed = compressed.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x55;
    let digest = || ("io.deis.oras.content.digest", format!("sha256:{}", "1".repeat(64)));
    let mut other = Layer::archive("x", archive.clone());
    other.annotations.push(digest());
    for (tag, layer, part) in [
        ("cut", Layer::archive("x", &archive[..5000]), "is damaged"),
        ("cut-gz", Layer::archive("x", &compressed[..compressed.len() / 2]), "is damaged"),
        ("changed", Layer::archive("x", changed), "is damaged"),
        ("text", Layer::archive("x", "no archive at all"), "neither gzip, zstd nor tar"),
        ("empty", Layer::archive("x", ""), "neither gzip, zstd nor tar"),
        ("other", other, "was announced with the digest"),
    ] {
        put_artifact(&host, "a", tag, &[layer]);
        refused(&host, &format!("a:{tag}"), &place, &["\"x\"", part]);
    }
}

#[test]
fn bombs_are_stopped_before_they_are_large() {
    let registry = Embedded::start();
    let place = Place::new();
    // No header announces the zeros behind the end of the archive, so that they must be counted.
    let script = "head -c 1100000000 /dev/zero | gzip -9";
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success());
    put_artifact(&registry.host(), "a", "1", &[Layer::archive("x", output.stdout)]);
    refused(&registry.host(), "a:1", &place, &["\"x\"", "archive made to fill a disk"]);
}

#[test]
fn content_that_changed_in_the_registry_is_refused() {
    let Some(registry) = DockerRegistry::start() else { return };
    let host = registry.host();
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("x/data"), content(2 << 20, 1), 0o644);
    write(&from.path().join("file"), content(2 << 20, 2), 0o644);
    for (name, path) in [("archive", "x"), ("file", "file")] {
        push(&host, &format!("{name}:1"), &from.path().join(path));
        let layer = &manifest(&host, name, "1")["layers"][0];
        let digest = layer["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let blob = format!("docker/registry/v2/blobs/sha256/{}/{digest}/data", &digest[..2]);
        for at in [0.0, 0.5, 1.0] {
            flip(&registry.data().join(&blob), at);
            let place = Place::new();
            refused(&host, &format!("{name}:1"), &place, &[path, "digest"]);
            flip(&registry.data().join(&blob), at);
        }
        let place = Place::new();
        pull(&host, &format!("{name}:1"), &place.target());
        assert!(place.target().join(path).exists());
    }
}

/// Flips a bit somewhere between the first and the last byte.
fn flip(path: &Path, at: f64) {
    let mut bytes = fs::read(path).unwrap();
    let index = ((bytes.len() - 1) as f64 * at) as usize;
    bytes[index] ^= 0x04;
    fs::write(path, bytes).unwrap();
}
