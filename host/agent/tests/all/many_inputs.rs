//! Steps with many inputs: ranges, and inputs with directories of their own.

use crate::support::http::{Layer, manifest, put_artifact};
use crate::support::tree::{paths, tree};
use crate::support::{Agent, assert_failed, program};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use test_registries::Embedded;

fn step(host: &str, directory: &Path, flags: &[&str]) -> Agent {
    flags.iter().fold(Agent::step(host, ["true"]).directory(directory), |agent, flag| agent.flag(flag))
}

#[test]
fn a_hundred_inputs_are_placed_in_the_order_of_their_range() {
    let registry = Embedded::start();
    let host = registry.host();
    for number in 0..100 {
        let own = format!("own/{number}");
        let layers = [Layer::file("same", number.to_string()), Layer::file(&own, "x")];
        put_artifact(&host, "data/part", &format!("run-1-{number}"), &layers);
    }
    let into = tempfile::tempdir().unwrap();
    let range = "--input=data/part:run-{index}-{0..99}";
    let outcome = step(
        &host,
        into.path(),
        &[range, "--input-conflicts=last-wins", "--output=out:1", "--output-path=same"],
    )
    .env("ORASCACHE_INDEX", "1")
    .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(into.path().join("same")).unwrap(), "99");
    assert_eq!(fs::read_dir(into.path().join("own")).unwrap().count(), 100);
    assert_eq!(outcome.stderr.matches("orascache: pulled data/part:run-1-").count(), 100);
    let written = manifest(&host, "out", "1");
    let inputs = written["annotations"]["cache.converged-computing.github.io/inputs"].as_str().unwrap();
    let inputs: Vec<String> = serde_json::from_str(inputs).unwrap();
    let is_in_order =
        |(number, input): (usize, &String)| input.starts_with(&format!("data/part:run-1-{number}@"));
    assert!(inputs.len() == 100 && inputs.iter().enumerate().all(is_in_order), "{inputs:?}");
    let into = tempfile::tempdir().unwrap();
    let refused = step(&host, into.path(), &["--input=data/part:run-1-{0..99}"]).run();
    assert_failed(&refused, 98, &["data/part:run-1-0 and data/part:run-1-1 clash", "last-wins"]);
    assert_eq!(paths(into.path()), [""; 0]);
}

#[test]
fn inputs_go_to_directories_of_their_own() {
    let registry = Embedded::start();
    let host = registry.host();
    for tag in ["1", "2"] {
        put_artifact(&host, "flow/words", tag, &[Layer::file("file", tag)]);
    }
    put_artifact(&host, "other", "1", &[Layer::file("file", "other")]);
    let into = tempfile::tempdir().unwrap();
    let flags = [
        "--input=flow/words:{1..2},path=in/{repository}/{tag}",
        "--input=other:1",
        "--input=other:1,path=in/{pod}, too",
        "--input-path=all/{tag}",
    ];
    let outcome = step(&host, into.path(), &flags).env("ORASCACHE_POD", "pod").run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let files: Vec<(String, String)> = tree(into.path())
        .into_iter()
        .filter(|(_, what)| what.starts_with("file"))
        .map(|(path, what)| (path.display().to_string(), what))
        .collect();
    let file = |path: &str, content: &str| (path.to_owned(), format!("file 644 {content:?}"));
    let expected = [
        file("all/1/file", "other"),
        file("in/flow/words/1/file", "1"),
        file("in/flow/words/2/file", "2"),
        file("in/pod, too/file", "other"),
    ];
    assert_eq!(files, expected);
}

#[test]
fn inputs_clash_across_directories_that_are_inside_of_each_other() {
    let registry = Embedded::start();
    let host = registry.host();
    put_artifact(&host, "a", "1", &[Layer::file("sub/file", "outer")]);
    put_artifact(&host, "b", "1", &[Layer::file("file", "inner")]);
    for (first, last, winner) in [
        ("--input=a:1,path=in", "--input=b:1,path=in/sub", "inner"),
        ("--input=b:1,path=in/sub", "--input=a:1,path=in", "outer"),
    ] {
        let into = tempfile::tempdir().unwrap();
        let refused = step(&host, into.path(), &[first, last]).run();
        assert_failed(&refused, 98, &["clash", "sub/file cannot be put in place: two of the layers hold it"]);
        assert!(!into.path().join("in/sub/file").exists());
        let taken = step(&host, into.path(), &[first, last, "--input-conflicts=last-wins"]).run();
        assert_eq!(taken.code, Some(0), "{}", taken.stderr);
        assert_eq!(fs::read_to_string(into.path().join("in/sub/file")).unwrap(), winner);
    }
}

#[test]
fn nothing_is_made_where_one_of_many_inputs_is_missing() {
    let registry = Embedded::start();
    let host = registry.host();
    for number in [0, 1, 3] {
        put_artifact(&host, "a", &number.to_string(), &[Layer::file("file", "x")]);
    }
    let into = tempfile::tempdir().unwrap();
    let outcome = step(&host, into.path(), &["--input=a:{0..3},path=in/{tag}"]).run();
    assert_failed(&outcome, 98, &["cannot pull a:2 from http://", "it is not in the registry"]);
    assert_eq!(paths(into.path()), [""; 0]);
}

#[test]
fn more_directories_than_open_files_are_filled_and_the_command_keeps_its_limit() {
    let registry = Embedded::start();
    let host = registry.host();
    for number in 0..60 {
        put_artifact(&host, "a", &number.to_string(), &[Layer::file("file", "x")]);
    }
    let into = tempfile::tempdir().unwrap();
    // Each directory keeps more than one file open, and some are open for other reasons.
    let script = OsString::from("ulimit -Sn 100 && exec \"$0\" \"$@\"");
    let words = [OsString::from("-c"), script, program().into_os_string(), OsString::from("exec")];
    let outcome = Agent::of("sh", words)
        .directory(into.path())
        .flag(format!("--registry=http://{host}"))
        .flag("--input=a:{0..59},path={tag}")
        .flag("--")
        .flag("sh")
        .flag("-c")
        .flag("ulimit -Sn")
        .run();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "100\n"), "{}", outcome.stderr);
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 60);
}

#[test]
fn wrong_inputs_are_refused_before_anything_is_done() {
    let into = tempfile::tempdir().unwrap();
    for (flag, part) in [
        ("--input=a:{9..1}", "{9..1}"),
        ("--input=a:{0..99999}", "names 100000 artifacts in all, and 10000 are allowed"),
        ("--input=a:1,path=", "nothing stands behind"),
        ("--input=a:1,paths=x", "\",paths=x\" is unknown"),
        ("--input=a:1,path={rank}", "{rank} is no placeholder"),
    ] {
        let outcome = step("127.0.0.1:9", into.path(), &[flag]).run();
        assert_failed(&outcome, 97, &["--input", part]);
    }
    assert_eq!(paths(into.path()), [""; 0]);
}
