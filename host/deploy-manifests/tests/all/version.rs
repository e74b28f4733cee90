//! One version is on everything that is released, and what names files of a release names those that
//! the release has.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files that `.ci/version` reads and writes.
const FILES: [&str; 10] = [
    ".ci/version",
    "CHANGELOG.md",
    "Cargo.toml",
    "docs/install.md",
    "docs/migrating.md",
    "guest/kubewarden/README.md",
    "guest/kubewarden/artifacthub-pkg.yml",
    "guest/kubewarden/metadata.yml",
    "guest/packages/npm/package.json",
    "guest/packages/python/pyproject.toml",
];
const LOCK: &str = "guest/packages/npm/package-lock.json";

fn version(root: &Path, arguments: &[&str]) -> Output {
    Command::new(root.join(".ci/version")).args(arguments).output().expect("it starts")
}

/// A copy of the files, in which the version can be changed.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in FILES.iter().chain([&LOCK]) {
        let to = folder.path().join(file);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        std::fs::copy(root().join(file), to).expect("copied");
    }
    folder
}

#[test]
fn every_file_has_the_version_of_the_workspace() {
    let output = version(&root(), &["check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let printed = version(&root(), &[]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout).trim(), env!("CARGO_PKG_VERSION"));
}

#[test]
fn another_version_is_written_everywhere_and_nowhere_else() {
    let folder = copy();
    let root = folder.path();
    assert!(version(root, &["set", "9.8.7-rc.1"]).status.success());
    let output = version(root, &["check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(read(root, "CHANGELOG.md").contains("\n## 9.8.7-rc.1 - 20"));
    let before = read(&self::root(), LOCK);
    let changed = read(root, LOCK).lines().zip(before.lines()).filter(|(new, old)| new != old).count();
    assert_eq!(changed, 2, "versions of tools stay");
    assert!(read(root, "guest/packages/npm/package.json").contains("\"typescript\": \"7"));
    assert!(!version(root, &["set", "1.x"]).status.success());
}

#[test]
fn a_file_with_another_version_is_found() {
    for file in FILES.iter().filter(|file| !["Cargo.toml", "CHANGELOG.md", ".ci/version"].contains(file)) {
        let folder = copy();
        let root = folder.path();
        let text = read(root, file);
        let changed = text.replacen(env!("CARGO_PKG_VERSION"), "7.7.7", 1);
        assert_ne!(text, changed, "{file} names no version");
        std::fs::write(root.join(file), changed).expect("written");
        let output = version(root, &["check"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(file), "{file}: {said}");
    }
}

#[test]
fn binstall_and_krew_fetch_the_archives_that_a_release_has() {
    let release = read(&root(), ".ci/release");
    assert!(release.contains(r#""$out/$program-$target.tar.gz""#), "the name of an archive");
    for (package, program) in [("operator", "orascache"), ("agent", "orascache-agent")] {
        let manifest = read(&root(), &format!("host/{package}/Cargo.toml"));
        let url = format!("{{ repo }}/releases/download/v{{ version }}/{program}-{{ target }}.tar.gz");
        assert!(manifest.contains(&url), "{package}");
        assert!(manifest.contains(&format!("name = \"{program}\"\npath")), "{package} has the program");
    }
    let krew: Value = serde_saphyr::from_str(&read(&root(), "manifests/krew/orascache.yaml")).expect("YAML");
    let platforms = krew["spec"]["platforms"].as_array().expect("platforms");
    assert_eq!(platforms.len(), 2);
    let workflow = read(&root(), ".github/workflows/release.yml");
    for platform in platforms {
        let uri = platform["uri"].as_str().expect("an address");
        let archive = uri.rsplit('/').next().expect("a name");
        let target = archive
            .strip_prefix("orascache-")
            .and_then(|rest| rest.strip_suffix(".tar.gz"))
            .expect("the name of an archive");
        assert!(workflow.contains(&format!("target: {target}")), "{target} is built");
        assert!(uri.starts_with(env!("CARGO_PKG_REPOSITORY")), "{uri}");
        let digest = platform["sha256"].as_str().expect("a placeholder");
        assert!(digest.contains(target.split('-').next().expect("an architecture")), "{digest}");
    }
}

/// A workflow runs steps of the script, and the script knows them.
#[test]
fn the_workflow_runs_steps_that_there_are() {
    let release = read(&root(), ".ci/release");
    let workflow = read(&root(), ".github/workflows/release.yml");
    let looped =
        workflow.split("for step in ").nth(1).and_then(|rest| rest.split(';').next()).expect("a loop");
    let called = workflow.match_indices(".ci/release ").map(|(at, name)| {
        let rest = &workflow[at + name.len()..];
        rest.split_whitespace().next().expect("a step")
    });
    let steps: Vec<&str> =
        looped.split_whitespace().chain(called.filter(|step| *step != "\"$step\"")).collect();
    assert!(steps.len() > 9, "{steps:?}");
    for step in [
        "check",
        "notes",
        "binaries",
        "modules",
        "chart",
        "packages",
        "sboms",
        "krew",
        "wheels",
        "checksums",
        "push",
        "sign",
    ] {
        assert!(steps.contains(&step), "{step} is not run");
    }
    let place = |wanted| steps.iter().position(|step| *step == wanted);
    for file in ["binaries", "krew", "wheels", "push"] {
        assert!(place(file) < place("checksums"), "{file} makes files that no sum would have");
    }
    assert!(place("checksums") < place("sign"), "the signature is that of the sums");
    for step in steps {
        assert!(step == "has" || release.contains(&format!("\n{step})\n")), "there is no step {step}");
    }
}
