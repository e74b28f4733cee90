//! The command line as a person types it: output, messages, exit codes.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn orascache() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orascache"));
    // Compiled components go where other runs of the tests find them, not into the home of whoever runs them.
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = orascache()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // A command that reads nothing may have ended already.
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const CACHE: &str = "apiVersion: cache.converged-computing.github.io/v1alpha1\nkind: OrasCache\nmetadata: {name: demo}\nspec: {}\n";

#[test]
fn render_prints_the_objects_of_a_cache() {
    let output = run(&["render", "-f", "-", "-n", "lab", "-o", "json"], CACHE);
    assert!(output.status.success(), "{}", err(&output));
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let kinds: Vec<&str> =
        list["items"].as_array().expect("a list").iter().filter_map(|item| item["kind"].as_str()).collect();
    assert_eq!(kinds, ["Service", "StatefulSet"]);
    assert_eq!(list["items"][0]["metadata"]["namespace"], "lab");
    assert!(list["items"][0]["metadata"].get("ownerReferences").is_none(), "it was never in a cluster");
    let yaml = out(&run(&["render", "-f", "-"], CACHE));
    assert_eq!(yaml.matches("\n---\n").count(), 1, "{yaml}");
}

#[test]
fn render_refuses_what_cannot_work_and_what_is_no_cache() {
    let output = run(&["render", "-f", "-"], &CACHE.replace("spec: {}", "spec: {replicas: 2}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("demo: spec.replicas: more than one replica needs storage"),
        "{}",
        err(&output)
    );
    let output = run(&["render", "-f", "-"], "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("holds no OrasCache"), "{}", err(&output));
    let output = run(&["render", "-f", "-"], "a: [\n");
    assert_eq!(output.status.code(), Some(2));
    let output = run(&["render", "-f", "/does/not/exist"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("/does/not/exist cannot be read"), "{}", err(&output));
}

#[test]
fn inspect_shows_the_embedded_component() {
    let output = run(&["inspect", "-o", "json"], "");
    let interface: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(interface["imports"], serde_json::json!([]));
    assert_eq!(interface["wit"], "orascache:operator@0.1.0");
    assert!(
        interface["digest"]
            .as_str()
            .is_some_and(|digest| digest.starts_with("sha256:") && digest.len() == 71)
    );
    assert!(interface["size"].as_u64().is_some_and(|size| size < 300_000));
    assert!(
        interface["exports"]
            .as_array()
            .is_some_and(|exports| exports.contains(&"orascache:operator/reconciler@0.1.0".into()))
    );
}

#[test]
fn a_component_that_is_none_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("module.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").expect("written");
    let file = file.display().to_string();
    let output = run(&["render", "-f", "-", "--component", &file], CACHE);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("core WebAssembly module, not a component"), "{}", err(&output));
}

#[test]
fn crd_prints_both_formats() {
    let json: Value = serde_json::from_slice(&run(&["crd", "-o", "json"], "").stdout).expect("JSON");
    assert_eq!(json["metadata"]["name"], "orascaches.cache.converged-computing.github.io");
    assert!(out(&run(&["crd"], "")).starts_with("apiVersion: apiextensions.k8s.io/v1\n"));
}

#[test]
fn dev_runs_a_command_and_exits_with_its_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let path = kubeconfig.display().to_string();
    let script =
        r#"test "$KUBECONFIG" = "$WANTED" && grep -q 'server: http://127.0.0.1:' "$KUBECONFIG" && exit 7"#;
    let output = orascache()
        .args(["dev", "--kubeconfig", &path, "--exec", script])
        .env("WANTED", &kubeconfig)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(7), "{}", err(&output));
    let output = orascache().args(["dev", "--exec", "kill -TERM $$"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(143), "128 and the signal's number");
}

#[test]
fn run_without_a_cluster_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = orascache()
        .arg("run")
        .env("HOME", folder.path())
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("orascache dev"), "{}", err(&output));
}
