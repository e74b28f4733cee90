//! `orascache replay` as users type it, on records that the library wrote.

use orascache_contract::Observed;
use orascache_operator::EMBEDDED;
use orascache_runtime::record::{Options, Recorder};
use orascache_runtime::{CompiledCache, Engine, Limits, Version};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

const IMAGE: &str = "ghcr.io/oras-project/registry:latest";
const CACHED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache/orascache");

fn replay(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orascache"));
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command.arg("replay").arg(directory).args(arguments).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with records of three decisions: one cache has the default image, two have other
/// images.
fn recorded(folder: &TempDir) -> PathBuf {
    let directory = folder.path().join("records");
    let engine = Engine::new(Limits::default()).expect("an engine");
    let guest = Arc::new(engine.load(EMBEDDED, &CompiledCache::at(CACHED)).expect("it loads"));
    let recorder =
        Arc::new(Recorder::start(Options::new(&directory), &mut Registry::default()).expect("it starts"));
    let version = Version::trusted(guest, Some(recorder));
    for (name, spec) in [
        ("one", json!({})),
        ("two", json!({"image": "registry:2"})),
        ("three", json!({"image": "registry:3"})),
    ] {
        let primary = json!({
            "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
            // Without a UID all objects are planned at once.
            "metadata": {"name": name, "namespace": "lab", "generation": 1}, "spec": spec,
        });
        let observed = Observed { primary: primary.to_string().into(), ..Observed::default() };
        futures::executor::block_on(version.reconcile(&observed)).expect("a plan");
    }
    // Dropping the version drops its recorder, which writes all records before it ends.
    drop(version);
    directory
}

/// A component with another default image of the same length.
fn other_component(folder: &TempDir) -> PathBuf {
    let mut component = EMBEDDED.to_vec();
    let at = component
        .windows(IMAGE.len())
        .position(|window| window == IMAGE.as_bytes())
        .expect("the default image");
    component[at..at + IMAGE.len()].copy_from_slice(IMAGE.replace("latest", "newest").as_bytes());
    let path = folder.path().join("other.wasm");
    fs::write(&path, component).expect("written");
    path
}

#[test]
fn the_same_component_makes_the_same_decisions() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = replay(&[], &recorded(&folder));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("3 decisions replayed") && shown.contains("3 the same, 0 different"), "{shown}");
}

#[test]
fn differences_of_another_component_are_shown_as_text_and_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let (directory, other) = (recorded(&folder), other_component(&folder));
    let other = other.to_str().expect("a path");
    let output = replay(&["--component", other], &directory);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.starts_with("reconcile OrasCache lab/one\n"), "{shown}");
    let has = |sign: char, tag: &str| {
        shown.lines().any(|line| line.starts_with(sign) && line.contains(&IMAGE.replace("latest", tag)))
    };
    assert!(has('-', "latest") && has('+', "newest"), "{shown}");
    assert!(!shown.contains("lab/two") && shown.contains("2 the same, 1 different"), "{shown}");

    let output = replay(&["--component", other, "-o", "json"], &directory);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["replayed"], &report["same"]), (&json!(3), &json!(2)));
    let different = report["different"].as_array().expect("a list");
    assert_eq!(different.len(), 1);
    assert_eq!(different[0]["subject"], "reconcile OrasCache lab/one");
    let image = |side: &str| {
        let applied = different[0][side]["plan"]["apply"].as_array().expect("objects");
        let set = applied.iter().find(|object| object["kind"] == "StatefulSet").expect("a StatefulSet");
        set["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(
        (image("recorded"), image("replayed")),
        (json!(IMAGE), json!(IMAGE.replace("latest", "newest")))
    );
}

#[test]
fn damaged_records_are_named_and_the_others_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = recorded(&folder);
    let file = directory.join("decisions-0000000001.jsonl");
    let content = fs::read_to_string(&file).expect("text").replace("registry:2", "registry:9");
    fs::write(&file, &content[..content.len() - 10]).expect("written");
    let output = replay(&[], &directory);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let named = text(&output.stderr);
    assert!(named.contains("0000000001.jsonl:2: left out: its checksum does not fit"), "{named}");
    assert!(named.contains("0000000001.jsonl:3: left out: the line is cut"), "{named}");
    let shown = text(&output.stdout);
    assert!(
        shown.contains("1 decisions replayed") && shown.contains("1 lines are corrupt and 1 cut"),
        "{shown}"
    );
    let report: Value = serde_json::from_slice(&replay(&["-o", "json"], &directory).stdout).expect("JSON");
    assert_eq!(report["damaged"].as_array().map(Vec::len), Some(2));
}

#[test]
fn nothing_to_replay_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    for (directory, says) in
        [(folder.path().to_owned(), "holds no record"), (folder.path().join("missing"), "cannot be read")]
    {
        let output = replay(&[], &directory);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    }
}

#[test]
fn a_folder_that_is_open_to_others_is_refused_before_anything_runs() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let open = folder.path().join("open");
    fs::create_dir(&open).expect("made");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("changed");
    let mut command = Command::new(env!("CARGO_BIN_EXE_orascache"));
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    let output = command.args(["dev", "--exec", "true", "--record"]).arg(&open).output().expect("it runs");
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("chmod 700"), "{}", text(&output.stderr));
}

#[test]
fn dev_opens_the_folder_for_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let mut command = Command::new(env!("CARGO_BIN_EXE_orascache"));
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    let output =
        command.args(["dev", "--exec", "true", "--record"]).arg(&directory).output().expect("it runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(directory.join("lock").is_file(), "dev did not open the folder");
}
