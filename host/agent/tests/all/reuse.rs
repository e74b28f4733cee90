//! Steps whose outputs are reused.

use crate::support::http::{manifest, tagged};
use crate::support::proxy::{Guarded, stop};
use crate::support::reuse::{KEY, Reusing, assert_ran, assert_reused, keys, put, step};
use crate::support::tree::paths;
use crate::support::{Agent, assert_failed, eventually};
use std::fs;
use test_registries::{DockerRegistry, Embedded};

#[test]
fn an_equal_step_is_not_done_again() {
    let reusing = Reusing::new();
    assert_ran(&reusing.run(reusing.step("1")));
    assert_eq!(reusing.keys().len(), 1);
    let outcome = reusing.run(reusing.step("2"));
    assert_reused(&outcome);
    assert_eq!(paths(reusing.folder.path()), [""; 0], "nothing is pulled");
    let digest = tagged(&reusing.host(), "out", "1");
    assert_eq!(tagged(&reusing.host(), "out", "2"), digest);
    assert_eq!(reusing.output("2"), "one");
    let annotations = manifest(&reusing.host(), "out", "2")["annotations"].clone();
    let created = annotations["org.opencontainers.image.created"].as_str().unwrap();
    let said = outcome.message.unwrap();
    let wanted = format!(
        "orascache: nothing was pulled or run: reused out:2 ({}), which the pod words-1 pushed at {created}",
        digest.unwrap()
    );
    assert_eq!(said, wanted);
    assert!(outcome.stderr.contains(&format!("{said}\n")), "{}", outcome.stderr);
    assert_eq!(annotations[KEY], reusing.keys()[0].strip_prefix("key-").unwrap());
    assert_eq!(annotations["cache.converged-computing.github.io/image"], "busybox:1");
}

#[test]
fn another_step_is_done() {
    let reusing = Reusing::new();
    assert_ran(&reusing.run(reusing.step("1")));
    for (name, step) in [
        ("image", reusing.step("2").flag("--reuse-salt=x")),
        ("variable", reusing.step("2").flag("--reuse-variable=SEED").env("SEED", "7")),
        ("value", reusing.step("2").flag("--reuse-variable=SEED").env("SEED", "8")),
        ("index", reusing.step("2").env("JOB_COMPLETION_INDEX", "1")),
        ("another index", reusing.step("2").env("JOB_COMPLETION_INDEX", "2")),
        ("script", step(&reusing.host(), reusing.folder.path(), "echo ran;cat in > out", "2")),
    ] {
        let outcome = reusing.run(step);
        assert_eq!(outcome.stdout(), "ran\n", "{name}: {}", outcome.stderr);
    }
    put(&reusing.host(), "two");
    assert_ran(&reusing.run(reusing.step("2")));
    assert_eq!(reusing.output("2"), "two");
    // The first input again, under the same name.
    put(&reusing.host(), "one");
    assert_reused(&reusing.run(reusing.step("3")));
    assert_eq!(reusing.output("3"), "one");
}

#[test]
fn files_that_count_are_read() {
    let reusing = Reusing::new();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("run.sh");
    let flag = format!("--reuse-file={}", script.display());
    fs::write(&script, "a").unwrap();
    assert_ran(&reusing.run(reusing.step("1").flag(&flag)));
    fs::write(&script, "b").unwrap();
    assert_ran(&reusing.run(reusing.step("2").flag(&flag)));
    fs::write(&script, "a").unwrap();
    assert_reused(&reusing.run(reusing.step("3").flag(&flag)));
    // The name of the pod in the path is not a difference. The content is.
    let named = format!("--reuse-file={}", folder.path().join("{pod}.sh").display());
    for (tag, content, is_done) in [("5", "x", true), ("6", "x", false), ("7", "y", true)] {
        fs::write(folder.path().join(format!("words-{tag}.sh")), content).unwrap();
        let outcome = reusing.run(reusing.step(tag).flag(&named));
        if is_done { assert_ran(&outcome) } else { assert_reused(&outcome) }
    }
    fs::remove_file(&script).unwrap();
    let outcome = reusing.run(reusing.step("4").flag(&flag));
    assert_eq!(outcome.code, Some(97), "{}", outcome.stderr);
    let said = outcome.message.unwrap();
    assert!(said.contains("--reuse-file is \"") && said.contains("cannot be read"), "{said}");
}

#[test]
fn a_step_that_failed_leaves_no_key() {
    let reusing = Reusing::new();
    let failing = |script| step(&reusing.host(), reusing.folder.path(), script, "1");
    assert_eq!(reusing.run(failing("cat in > out; exit 3")).code, Some(3));
    let empty = reusing.run(failing("true"));
    assert_eq!(empty.code, Some(99), "{}", empty.stderr);
    assert_eq!(reusing.keys(), [""; 0]);
    assert_eq!(tagged(&reusing.host(), "out", "1"), None);
}

#[test]
fn a_step_whose_input_moved_meanwhile_leaves_no_key() {
    let reusing = Reusing::new();
    let script = "echo ready; read go; cat in > out";
    let (reader, mut writer) = std::io::pipe().unwrap();
    let running = step(&reusing.host(), reusing.folder.path(), script, "1")
        .stdin(std::process::Stdio::from(reader))
        .start();
    running.wait_for("ready\n");
    put(&reusing.host(), "two");
    std::io::Write::write_all(&mut writer, b"go\n").unwrap();
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no key is left, so that nothing is reused: in:1 was sha256:"));
    assert_eq!((reusing.output("1").as_str(), reusing.keys().len()), ("one", 0));
}

#[test]
fn several_outputs_are_reused_all_or_none() {
    let reusing = Reusing::new();
    let two = |tag: &str, other: &str| reusing.step(tag).flag(format!("--output={other},path=in"));
    assert_ran(&reusing.run(two("1", "log:1")));
    assert_eq!((reusing.keys().len(), keys(&reusing.host(), "log").len()), (1, 1));
    let outcome = reusing.run(two("2", "log:2"));
    assert_reused(&outcome);
    assert_eq!(tagged(&reusing.host(), "log", "2"), tagged(&reusing.host(), "log", "1"));
    let said = outcome.message.unwrap();
    assert!(said.contains("reused out:2 (") && said.contains("; log:2 ("), "{said}");
    // This repository knows no key, so that neither output is reused.
    assert_ran(&reusing.run(two("3", "new:1")));
    assert!(tagged(&reusing.host(), "new", "1").is_some());
    // Two outputs in one repository have a key each.
    assert_ran(&reusing.run(two("4", "out:log")));
    assert_eq!(reusing.keys().len(), 2);
    assert_reused(&reusing.run(two("5", "out:log-5")));
    assert_ne!(tagged(&reusing.host(), "out", "5"), tagged(&reusing.host(), "out", "log-5"));
}

#[test]
fn two_equal_steps_at_once_both_succeed() {
    let Some(registry) = DockerRegistry::start() else { return };
    let host = registry.host();
    put(&host, "one");
    let folder = tempfile::tempdir().unwrap();
    let script = "echo ran; read go; cat in > \"$OUT\"; cat \"$OUT\" > out";
    let start = |tag: &str| {
        let (reader, writer) = std::io::pipe().unwrap();
        let step = step(&host, folder.path(), script, tag);
        (step.env("OUT", format!("out-{tag}")).stdin(std::process::Stdio::from(reader)).start(), writer)
    };
    let both = [start("1"), start("2")];
    both.iter().for_each(|(running, _)| running.wait_for("ran\n"));
    for (running, mut writer) in both {
        std::io::Write::write_all(&mut writer, b"go\n").unwrap();
        assert_ran(&running.wait());
    }
    assert_eq!(keys(&host, "out").len(), 1);
    assert_reused(&step(&host, folder.path(), script, "3").run());
}

#[test]
fn a_step_waits_for_its_inputs_before_it_looks_for_its_key() {
    let reusing = Reusing::new();
    assert_ran(&reusing.run(reusing.step("1")));
    let other = Embedded::start();
    let running = step(&other.host(), reusing.folder.path(), "echo ran; cat in > out", "1")
        .flag("--input-wait=600")
        .start();
    running.wait_for_error("waiting up to 10m for in:1\n");
    // Another registry knows no keys of the first one.
    put(&other.host(), "one");
    assert_ran(&running.wait());
    let outcome = reusing.run(
        step(&other.host(), reusing.folder.path(), "echo ran; cat in > out", "2").flag("--input-wait=600"),
    );
    assert_reused(&outcome);
    assert!(!outcome.stderr.contains("waiting"), "{}", outcome.stderr);
}

#[test]
fn a_missing_input_is_an_error_before_anything_is_done() {
    let reusing = Reusing::new();
    let outcome = reusing.run(reusing.step("1").flag("--input=missing:1"));
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(98), ""), "{}", outcome.stderr);
    let said = outcome.message.unwrap();
    assert!(
        said.contains("cannot pull missing:1 from http://") && said.contains("it is not in the registry"),
        "{said}"
    );
    assert_eq!(paths(reusing.folder.path()), [""; 0]);
}

#[test]
fn a_step_reuses_through_its_credential_proxy() {
    let Some(guarded) = Guarded::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let step = |script| guarded.step(script, folder.path(), "words").flag("--reuse=true");
    // A proxy that does not know that the step reuses.
    let running = guarded.serve();
    let outcome = step("echo ran").run();
    assert_ran(&outcome);
    assert!(
        outcome.stderr.contains("warning: whether outputs can be reused is not known"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("no key is left"), "{}", outcome.stderr);
    stop(running);
    let running = guarded.call().flag("--reuse=true").start();
    eventually("the socket", || guarded.proxy.socket().exists());
    assert_ran(&step("echo ran").run());
    assert_reused(&step("echo ran").run());
    stop(running);
}

#[test]
fn a_step_writes_its_metrics() {
    let reusing = Reusing::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words-1.prom");
    let flag = format!("--metrics-file={}", folder.path().join("{pod}.prom").display());
    let metrics = |step: Agent| {
        reusing.run(step.flag(&flag).env("ORASCACHE_POD", "words-1").env("ORASCACHE_NAMESPACE", "lab"));
        let text = fs::read_to_string(&file).unwrap();
        move |name: &str| {
            let start = format!("orascache_step_{name}{{namespace=\"lab\",pod=\"words-1\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
            line.parse::<f64>().unwrap()
        }
    };
    let twice = |tag| step(&reusing.host(), reusing.folder.path(), "cat in in > out", tag);
    let first = metrics(twice("1"));
    assert_eq!([first("reuse_hits"), first("reuse_misses"), first("exit_code")], [0.0, 1.0, 0.0]);
    assert_eq!([first("pulled_bytes"), first("pushed_bytes")], [3.0, 6.0]);
    let second = metrics(twice("2"));
    assert_eq!([second("reuse_hits"), second("reuse_misses"), second("pulled_bytes")], [1.0, 0.0, 0.0]);
    let failed = metrics(reusing.step("3").flag("--input=missing:1").flag("--input-wait=1"));
    assert_eq!(failed("exit_code"), 98.0);
    assert!(failed("waited_seconds") >= 1.0);
}

#[test]
fn wrong_flags_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("--reuse-salt={}", "x".repeat(1025));
    for (flags, part) in [
        (&["--reuse=true"][..], "there is no output to reuse"),
        (&["--reuse=maybe"], "'maybe'"),
        (&["--reuse-named-variable=A"], "NAME=secret/NAME/KEY"),
        (&["--reuse-file=/x/{rank}"], "{rank} is no placeholder"),
        (&[&long], "--reuse-salt has 1025 bytes, and 1024 are allowed"),
    ] {
        let agent = Agent::step("127.0.0.1:9", ["touch", "started"]).directory(folder.path());
        let outcome = flags.iter().fold(agent, |agent, flag| agent.flag(flag)).run();
        assert_failed(&outcome, 97, &[part]);
    }
    assert_eq!(paths(folder.path()), [""; 0]);
}
