//! The steps of `.ci/release` about the archives with the programs. What is made of the archives runs
//! in a copy, with small programs in place of the real ones.

use crate::python;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

const PROGRAMS: [&str; 2] = ["orascache", "orascache-agent"];
/// Processors, and the number by which an ELF file names them.
const PROCESSORS: [(&str, u16); 2] = [("x86_64", 62), ("aarch64", 183)];

/// What the steps read.
const FILES: [&str; 9] = [
    ".ci/release",
    ".ci/version",
    ".ci/wheels",
    "Cargo.toml",
    "LICENSE",
    "guest/packages/install",
    "host/operator/wheel/METADATA",
    "host/operator/wheel/requirements.txt",
    "manifests/krew/orascache.yaml",
];

/// The Python that packs wheels. None where it cannot be installed.
static PYTHON: LazyLock<Option<PathBuf>> = LazyLock::new(|| python::install("wheel"));

/// A static program for this processor that prints its name and arguments. None where the compiler
/// has no such target.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
static PROGRAM: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = (folder.path().join("main.rs"), folder.path().join("program"));
    let main = r#"fn main() { println!("{}", std::env::args().collect::<Vec<_>>().join(" ")); }"#;
    fs::write(&source, main).expect("written");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let output = Command::new("rustc")
        .args(["--target", &target, "-C", "linker=rust-lld", "-C", "strip=symbols", "-o"])
        .args([&program, &source])
        .current_dir(root())
        .output()
        .expect("rustc starts");
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("may not be installed"), "{said}");
        println!("skipped: the target {target} is not installed");
        return None;
    }
    Some(fs::read(&program).expect("a program"))
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The same program, as if it were for the processor with a number.
fn for_processor(program: &[u8], number: u16) -> Vec<u8> {
    let mut program = program.to_vec();
    program[18..20].copy_from_slice(&number.to_le_bytes());
    program
}

/// A copy of the scripts, with a folder for the files of a release.
struct Release(tempfile::TempDir);

impl Release {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for file in FILES {
            let to = folder.path().join(file);
            fs::create_dir_all(to.parent().expect("a folder")).expect("made");
            fs::copy(root().join(file), to).expect("copied");
        }
        let release = Self(folder);
        fs::create_dir_all(release.file("")).expect("made");
        release
    }

    /// One that has all archives. None where its programs cannot be made.
    fn with_archives() -> Option<Self> {
        let program = PROGRAM.as_ref()?;
        let release = Self::new();
        for (processor, number) in PROCESSORS {
            for name in PROGRAMS {
                release.archive(name, processor, name, &for_processor(program, number));
            }
        }
        Some(release)
    }

    /// A file of the release.
    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("target/release-files").join(name)
    }

    /// Writes the archive of a program, with one file.
    fn archive(&self, program: &str, processor: &str, file: &str, content: &[u8]) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(file), content).expect("written");
        let archive = self.file(&format!("{program}-{processor}-unknown-linux-musl.tar.gz"));
        let tar =
            Command::new("tar").arg("-czf").arg(archive).arg("-C").arg(folder.path()).arg(file).status();
        assert!(tar.expect("tar starts").success());
    }

    /// Runs a step.
    fn step(&self, step: &str) -> Output {
        let script = self.0.path().join(".ci/release");
        Command::new(script).arg(step).env("CARGO_TARGET_DIR", python::target()).output().expect("it starts")
    }

    /// Runs a step that must succeed.
    fn done(&self, step: &str) {
        let output = self.step(step);
        assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The names of all files of the release.
    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.file("")).expect("a folder");
        entries.map(|entry| entry.expect("a file").file_name().into_string().expect("UTF-8")).collect()
    }

    /// The wheels, in the order of `PROCESSORS`.
    fn wheels(&self, version: &str) -> [PathBuf; 2] {
        PROCESSORS.map(|(cpu, _)| {
            let tags = format!("manylinux2014_{cpu}.manylinux_2_17_{cpu}.musllinux_1_1_{cpu}");
            self.file(&format!("orascache_cli-{version}-py3-none-{tags}.whl"))
        })
    }
}

/// What is in a wheel.
fn contents(python: &Path, wheel: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wheel.py");
    let output = Command::new(python).arg(script).arg(wheel).output().expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_wheel_has_the_programs_of_its_processor_and_a_record_of_its_files() {
    let (Some(python), Some(release)) = (PYTHON.as_ref(), Release::with_archives()) else { return };
    release.done("wheels");
    let version = env!("CARGO_PKG_VERSION");
    for (wheel, (processor, number)) in release.wheels(version).iter().zip(PROCESSORS) {
        let found = contents(python, wheel);
        let (data, info) =
            (format!("orascache_cli-{version}.data/scripts"), format!("orascache_cli-{version}.dist-info"));
        let [operator, agent, metadata] =
            [format!("{data}/orascache"), format!("{data}/orascache-agent"), format!("{info}/METADATA")];
        let [licence, record, about] =
            [format!("{info}/licenses/LICENSE"), format!("{info}/RECORD"), format!("{info}/WHEEL")];
        // All files are in the record with their digests and sizes; its own are empty.
        let mut expected = found["files"].clone();
        let names: BTreeSet<&String> = expected.as_object().expect("files").keys().collect();
        assert_eq!(names, BTreeSet::from([&operator, &agent, &metadata, &licence, &record, &about]));
        expected[&record] = json!(["", ""]);
        assert_eq!(found["record"], expected);
        // The programs are those of the archives, and can be executed.
        assert_eq!(found["processors"], json!({ &operator: number, &agent: number }));
        for program in [&operator, &agent] {
            assert_eq!(found["modes"][program], json!("0o100755"));
        }
        assert_eq!(found["modes"][&metadata], json!("0o100644"));
        assert_eq!(found["times"], json!([[1980, 1, 1, 0, 0, 0]]));
        // The name of the file and what is written inside agree.
        let tags = json!([
            format!("py3-none-manylinux2014_{processor}"),
            format!("py3-none-manylinux_2_17_{processor}"),
            format!("py3-none-musllinux_1_1_{processor}"),
        ]);
        assert_eq!((&found["tags"], &found["wheel"]["Tag"]), (&tags, &tags));
        assert_eq!(found["wheel"]["Root-Is-Purelib"], json!(["false"]));
        for (name, value) in [
            ("Name", "orascache-cli"),
            ("Version", version),
            ("License-Expression", env!("CARGO_PKG_LICENSE")),
            ("License-File", "LICENSE"),
            ("Project-URL", concat!("source, ", env!("CARGO_PKG_REPOSITORY"))),
            ("Description-Content-Type", "text/markdown"),
        ] {
            assert_eq!(found["metadata"][name], json!([value]), "{name}");
        }
    }
}

#[test]
fn the_same_archives_give_the_same_wheels() {
    let (Some(_), Some(release)) = (PYTHON.as_ref(), Release::with_archives()) else { return };
    let bytes = || release.wheels(env!("CARGO_PKG_VERSION")).map(|wheel| fs::read(wheel).expect("a wheel"));
    release.done("wheels");
    let first = bytes();
    // Neither the user's rights of new files nor the time and its zone are in a wheel.
    let script = r#"umask 077; TZ=Asia/Tokyo SOURCE_DATE_EPOCH=1700000000 exec .ci/release wheels"#;
    let again = Command::new("sh")
        .args(["-c", script])
        .current_dir(release.0.path())
        .env("CARGO_TARGET_DIR", python::target())
        .output()
        .expect("sh starts");
    assert!(again.status.success(), "{again:?}");
    assert!(first == bytes(), "two runs differ");
}

#[test]
fn pip_installs_the_wheel_of_this_machine_alone() {
    let (Some(python), Some(release)) = (PYTHON.as_ref(), Release::with_archives()) else { return };
    release.done("wheels");
    let mut installed = 0;
    for (wheel, (processor, _)) in release.wheels(env!("CARGO_PKG_VERSION")).iter().zip(PROCESSORS) {
        let site = release.0.path().join(processor);
        let pip = Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-index",
                "--target",
            ])
            .args([&site, wheel])
            .output()
            .expect("pip starts");
        if processor != std::env::consts::ARCH {
            let said = String::from_utf8_lossy(&pip.stderr);
            assert!(!pip.status.success() && said.contains("not a supported wheel"), "{said}");
            continue;
        }
        assert!(pip.status.success(), "{pip:?}");
        for program in PROGRAMS {
            let path = site.join("bin").join(program);
            let ran = Command::new(&path).arg("version").output().expect("the program starts");
            assert_eq!(String::from_utf8_lossy(&ran.stdout), format!("{} version\n", path.display()));
            installed += 1;
        }
    }
    assert_eq!(installed, 2);
}

/// Python has another form for versions before a release, and installers refuse files that are named
/// otherwise.
#[test]
fn a_version_before_a_release_has_the_form_of_python() {
    let (Some(python), Some(release)) = (PYTHON.as_ref(), Release::with_archives()) else { return };
    let manifest = release.0.path().join("Cargo.toml");
    let set = |version: &str| {
        let text = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
        let own = concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "\"\n");
        fs::write(&manifest, text.replacen(own, &format!("\nversion = \"{version}\"\n"), 1))
            .expect("written");
    };
    release.done("wheels");
    set("9.8.7-rc.1");
    release.done("wheels");
    let [wheel, _] = release.wheels("9.8.7rc1");
    let found = contents(python, &wheel);
    assert_eq!(
        (&found["version"], &found["metadata"]["Version"]),
        (&json!("9.8.7rc1"), &json!(["9.8.7rc1"]))
    );
    // A release has wheels of its version alone.
    assert_eq!(release.names().iter().filter(|name| name.ends_with(".whl")).count(), 2);
    set("9.8.7-unusual");
    let refused = release.step("wheels");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("9.8.7-unusual is no version for Python"), "{said}");
}

#[test]
fn no_wheel_is_made_of_an_archive_that_its_tags_would_not_fit() {
    if !test_registries::installed("readelf") {
        return;
    }
    let release = Release::new();
    let refused = |problem: &str, remedy: &str| {
        let output = release.step("wheels");
        let said = String::from_utf8_lossy(&output.stderr);
        let remedy = format!(": run .ci/release binaries x86_64-unknown-linux-musl {remedy}");
        assert!(said.contains(&(problem.to_owned() + &remedy)), "{said}");
        assert!(!output.status.success());
        assert!(!release.names().iter().any(|name| name.ends_with(".whl")));
    };
    refused("orascache-x86_64-unknown-linux-musl.tar.gz is missing", "first");
    release.archive("orascache", "x86_64", "another", b"");
    refused("has no program orascache", "again");
    release.archive("orascache", "x86_64", "orascache", b"#!/bin/sh\n");
    refused("is no program for x86_64", "again");
    // The shell of this machine is a program that needs its C library.
    let shell = fs::read("/bin/sh").expect("a shell");
    let [(_, intel), (_, arm)] = PROCESSORS;
    release.archive("orascache", "x86_64", "orascache", &for_processor(&shell, arm));
    refused("is no program for x86_64", "again");
    release.archive("orascache", "x86_64", "orascache", &for_processor(&shell, intel));
    refused("is not static", "again");
}

#[test]
fn krew_has_the_digests_of_the_archives_and_the_sums_have_those_of_all_files() {
    let release = Release::new();
    let refused = release.step("krew");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is missing: run .ci/release binaries x86_64"));
    for (processor, _) in PROCESSORS {
        release.archive("orascache", processor, "orascache", processor.as_bytes());
    }
    release.done("krew");
    release.done("checksums");
    // Sums of an earlier run are not summed up.
    release.done("checksums");
    let sums = fs::read_to_string(release.file("SHA256SUMS")).expect("sums");
    let sums: Vec<(&str, &str)> =
        sums.lines().map(|line| line.split_once("  ").expect("a digest and a name")).collect();
    let mut named: BTreeSet<String> = sums.iter().map(|(_, name)| (*name).to_owned()).collect();
    assert_eq!(named.len(), 3);
    named.insert("SHA256SUMS".into());
    assert_eq!(release.names(), named);
    let krew = fs::read_to_string(release.file("krew-orascache.yaml")).expect("a manifest");
    let krew: Value = serde_saphyr::from_str(&krew).expect("YAML");
    assert_eq!(krew["spec"]["version"], json!(concat!("v", env!("CARGO_PKG_VERSION"))));
    for platform in krew["spec"]["platforms"].as_array().expect("platforms") {
        let archive = platform["uri"].as_str().and_then(|uri| uri.rsplit('/').next()).expect("an archive");
        let digest = platform["sha256"].as_str().expect("a digest");
        assert!(sums.contains(&(digest, archive)), "{archive} has another digest than {digest}");
    }
}

/// A bill of the archive of a program, for a processor, in the sources themselves.
fn bill(program: &str, processor: &str) -> Value {
    let output = Command::new("python3")
        .args([".ci/documents.py", "archive_sbom", program, &format!("{processor}-unknown-linux-musl")])
        .current_dir(root())
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
fn a_bill_of_materials_names_what_is_linked_into_the_program_of_an_archive() {
    let reads_toml = Command::new("python3").args(["-c", "import tomllib"]).status();
    if !reads_toml.is_ok_and(|status| status.success()) {
        println!("skipped: python3 is not installed, or older than 3.11");
        return;
    }
    // What a program has, and what only other programs or builds have.
    let cases = [
        (
            "orascache",
            &["orascache-operator", "orascache-component", "orascache-dev-registry", "wasmtime"][..],
            &["guest-build", "syn", "serde_derive", "criterion"][..],
        ),
        (
            "orascache-agent",
            &["orascache-agent", "ring", "zstd-sys"],
            &["orascache-operator", "orascache-component", "wasmtime", "kube", "serde_derive"],
        ),
    ];
    for (program, named, absent) in cases {
        for (processor, _) in PROCESSORS {
            let bill = bill(program, processor);
            let archive = format!("{program}-{processor}-unknown-linux-musl.tar.gz");
            assert_eq!(bill["metadata"]["component"]["name"], json!(archive));
            assert_eq!(bill["metadata"]["timestamp"], json!("2023-11-14T22:13:20Z"));
            let parts = bill["components"].as_array().expect("components");
            let names: BTreeSet<&str> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
            for name in named {
                assert!(names.contains(name), "{archive} has {name}");
            }
            for name in absent {
                assert!(!names.contains(name), "{archive} does not have {name}");
            }
            // What is not of this workspace has the digest that the lock file has.
            let pinned = |part: &&Value| part["purl"].is_string() && part["hashes"][0]["content"].is_string();
            let own = |part: &&Value| part["version"] == json!(env!("CARGO_PKG_VERSION"));
            assert!(parts.iter().all(|part| pinned(&part) || own(&part) || part["bom-ref"] == json!("std")));
            assert!(parts.iter().filter(pinned).count() > 50);
        }
    }
}
