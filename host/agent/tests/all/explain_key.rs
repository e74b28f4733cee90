//! The command `explain-key`.

use crate::support;
use crate::support::http::{Layer, put_artifact};
use crate::support::{Agent, Finished};
use std::fs;
use std::path::Path;
use test_registries::Embedded;

const STEP: [&str; 5] = [
    "--reuse=true",
    "--reuse-image=busybox:1",
    "--input=in:1",
    "--output=out:1,path=out",
    "--reuse-variable=SEED",
];

/// Calls `explain-key` for a step with these further flags.
fn explain(host: &str, directory: &Path, options: &[&str], flags: &[&str]) -> Finished {
    let registry = format!("--registry=http://{host}");
    let words = [&["/orascache/orascache-agent", "exec", registry.as_str()], &STEP[..], flags].concat();
    let arguments = [&["explain-key"], options, &["--"]].concat();
    let all = arguments.iter().chain(&words).chain(&["--", "sh", "-c", "cat in > out"]);
    let agent = Agent::new(all).directory(directory).env("SEED", "7").env_remove("JOB_COMPLETION_INDEX");
    agent.env("HOME", directory).env_remove("DOCKER_CONFIG").run()
}

/// Does the step, which leaves a key.
fn run(host: &str, directory: &Path) {
    put_artifact(host, "in", "1", &[Layer::file("in", "one")]);
    let agent = Agent::step(host, ["sh", "-c", "cat in > out"]).directory(directory).env("SEED", "7");
    let agent = agent.env_remove("JOB_COMPLETION_INDEX");
    let outcome = STEP.iter().fold(agent, |agent, flag| agent.flag(flag)).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn what_goes_into_a_key_is_listed_and_not_done() {
    let registry = Embedded::start();
    let host = registry.host();
    let folder = tempfile::tempdir().unwrap();
    run(&host, folder.path());
    fs::remove_file(folder.path().join("out")).unwrap();
    let outcome = explain(&host, folder.path(), &[], &[]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let listed = outcome.stdout();
    let key =
        support::http::manifest(&host, "out", "1")["annotations"]["cache.converged-computing.github.io/key"]
            .as_str()
            .unwrap()
            .to_owned();
    assert!(listed.starts_with(&format!("out:1  key-{key}\n\nformat ")), "{listed}");
    for part in ["image ", "busybox:1\n", "manifest of input 1", "variable SEED", "word 2 of the command"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert!(!listed.contains("cat in"), "{listed}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn two_keys_are_compared() {
    let registry = Embedded::start();
    let host = registry.host();
    let folder = tempfile::tempdir().unwrap();
    run(&host, folder.path());
    let json = explain(&host, folder.path(), &["--json"], &[]);
    let file = folder.path().join("key.json");
    fs::write(&file, json.stdout()).unwrap();
    let remote = format!("{host}/out:1");
    for other in ["out:1", remote.as_str(), &file.display().to_string()] {
        let compare = format!("--compare={other}");
        let equal = explain(&host, folder.path(), &[&compare], &[]);
        assert_eq!(
            (equal.code, equal.stdout().as_str()),
            (Some(0), "the two keys are equal\n"),
            "{}",
            equal.stderr
        );
        let flags = ["--reuse-salt=x", "--input=in:1,path=more"];
        let different = explain(&host, folder.path(), &[&compare], &flags);
        assert_eq!(different.code, Some(1), "{}", different.stderr);
        let said = different.stdout();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert_eq!(lines[0], "path of input 2: more here, missing there");
        assert!(lines[2].starts_with("salt: sha256:") && lines[2].ends_with(" here, none there"), "{said}");
    }
}

#[test]
fn what_cannot_be_explained_ends_with_2() {
    let registry = Embedded::start();
    let host = registry.host();
    let folder = tempfile::tempdir().unwrap();
    let missing = explain(&host, folder.path(), &[], &[]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("cannot pull in:1"), "{}", missing.stderr);
    put_artifact(&host, "in", "1", &[Layer::file("in", "one")]);
    let file = folder.path().join("other.json");
    fs::write(&file, "{}").unwrap();
    for (options, flags, part) in [
        (&["--compare=in:1"][..], &[][..], "in:1 has no document of a key"),
        (&["--compare=nothing:1"], &[], "nothing:1 is not in the registry"),
        (&["--compare=other.json"], &[], "other.json is no document of a key"),
        (&["--compare=Other"], &[], "--compare is \"Other\", which is neither a file nor an artifact"),
        (&[], &["--no-such-flag"], "--no-such-flag"),
    ] {
        let outcome = explain(&host, folder.path(), options, flags);
        assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(2), ""), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}
