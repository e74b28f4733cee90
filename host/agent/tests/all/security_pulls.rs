//! Security: a pull never leaves a part of what it refuses, and warns where its files could replace
//! programs.

use crate::support::http::{Layer, put_artifact};
use crate::support::tar::Tar;
use crate::support::tree::{paths, tree};
use crate::support::{Agent, assert_failed, try_pull};
use std::fs;
use test_registries::Embedded;

#[test]
fn layers_that_clash_leave_nothing() {
    let registry = Embedded::start();
    let host = registry.host();
    let archive = || Layer::archive("data", Tar::default().file("data/inner", "x").end());
    for (name, layers) in [
        ("file-then-directory", [Layer::file("first", "1"), Layer::file("data", "x"), archive()]),
        ("directory-then-file", [Layer::file("first", "1"), archive(), Layer::file("data", "x")]),
        ("file-as-parent", [Layer::file("first", "1"), Layer::file("a", "x"), Layer::file("a/b", "x")]),
    ] {
        put_artifact(&host, name, "1", &layers);
        let into = tempfile::tempdir().unwrap();
        let outcome = try_pull(&host, &format!("{name}:1"), into.path());
        assert_failed(&outcome, 98, &["clash", "cannot be put in place"]);
        assert_eq!(paths(into.path()), [""; 0], "{name}");
    }
}

#[test]
fn inputs_that_clash_leave_nothing() {
    let registry = Embedded::start();
    let host = registry.host();
    put_artifact(&host, "one", "1", &[Layer::file("first", "1"), Layer::file("data", "x")]);
    put_artifact(&host, "two", "1", &[Layer::file("data/inner", "x")]);
    for rule in ["refuse", "last-wins"] {
        let into = tempfile::tempdir().unwrap();
        let outcome = Agent::step(&host, ["touch", "started"])
            .directory(into.path())
            .flag("--input=one:1")
            .flag("--input=two:1")
            .flag(format!("--input-conflicts={rule}"))
            .run();
        assert_failed(&outcome, 98, &["one:1 and two:1 clash"]);
        assert_eq!(paths(into.path()), [""; 0], "{rule}");
    }
}

#[test]
fn a_file_in_the_way_leaves_everything_as_it_was() {
    let registry = Embedded::start();
    let host = registry.host();
    put_artifact(&host, "a", "1", &[Layer::file("first", "1"), Layer::file("data/inner", "x")]);
    let into = tempfile::tempdir().unwrap();
    fs::write(into.path().join("data"), "in the way").unwrap();
    let before = tree(into.path());
    let outcome = try_pull(&host, "a:1", into.path());
    assert_failed(&outcome, 98, &["cannot put a:1 into place", "data", "remove that"]);
    assert_eq!(tree(into.path()), before);
}

#[test]
fn unpacking_into_the_root_of_the_file_system_is_warned_of() {
    // The registry refuses the input, so that nothing is unpacked.
    let registry = Embedded::refusing(401);
    for (path, is_root) in [("/", true), ("/usr/..", true), ("/tmp", false)] {
        let outcome = Agent::step(&registry.host(), ["true"])
            .flag("--input=a:1")
            .flag(format!("--input-path={path}"))
            .flag("--patience=1")
            .run();
        assert_eq!(outcome.code, Some(98), "{}", outcome.stderr);
        let warned = outcome.stderr.contains("warning: the inputs are unpacked into the root");
        assert_eq!(warned, is_root, "{path}: {}", outcome.stderr);
    }
}
