//! What a shell and its user expect of any program: help, version, completions.

use super::{err, orascache, out, run};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn without_arguments_there_is_help() {
    let output = orascache().output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("Usage: orascache [OPTIONS] <COMMAND>"), "{}", out(&output));
    let output = run(&["--log", "info"], "");
    assert_eq!(output.status.code(), Some(2), "an argument without a command is a mistake");
}

#[test]
fn versions_of_program_component_and_contract_are_printed() {
    let line = format!("orascache {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        let output = run(&[flag], "");
        assert_eq!((output.status.code(), out(&output)), (Some(0), line.clone()));
    }
    let interface: Value = serde_json::from_slice(&run(&["inspect", "-o", "json"], "").stdout).expect("JSON");
    let version: Value = serde_json::from_slice(&run(&["version", "-o", "json"], "").stdout).expect("JSON");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["component"]["digest"], interface["digest"]);
    assert_eq!(version["component"]["size"], interface["size"]);
    assert_eq!(version["contract"], interface["wit"]);
    let text = out(&run(&["version"], ""));
    assert!(text.starts_with(&line), "{text}");
    let digest = interface["digest"].as_str().expect("a digest");
    assert!(text.contains(&format!("component {digest} (")), "{text}");
}

#[test]
fn completions_know_commands_and_flags() {
    for (shell, wanted) in [
        ("bash", "warnings-as-errors"),
        ("zsh", "#compdef orascache"),
        ("fish", "complete -c orascache"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[orascache]"),
    ] {
        let output = run(&["completions", shell], "");
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let script = out(&output);
        assert!(script.contains(wanted) && script.contains("review"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"], "").status.code(), Some(2));
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that did not run says so")]
fn bash_reads_its_completions() {
    let script = run(&["completions", "bash"], "").stdout;
    let Ok(mut bash) = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()
    else {
        eprintln!("skipped: there is no bash");
        return;
    };
    bash.stdin.take().expect("standard input").write_all(&script).expect("it reads");
    let output = bash.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", err(&output));
}
