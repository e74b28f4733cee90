//! `orascache review`: what is decided, on which grounds.

use super::{CACHE, Folder, STEP, err, out, run};
use serde_json::Value;

#[test]
fn review_finds_caches_in_the_same_file_and_in_the_context() {
    // A cache in the same file counts as existing, as with `kubectl apply -f FILE`.
    let both = format!("{}---\n{STEP}", CACHE);
    let output = run(&["review", "-f", "-"], &both);
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(out(&output), "OrasCache/demo: allowed, unchanged\nPod/step: allowed, patched\n");

    let output = run(&["review", "-f", "-"], STEP);
    assert_eq!(output.status.code(), Some(2), "review cannot know whether the cache exists");
    assert!(err(&output).contains("OrasCache demo of namespace default"), "{}", err(&output));

    let folder = tempfile::tempdir().expect("a folder");
    let context = folder.path().join("caches.yaml");
    std::fs::write(&context, "").expect("written");
    let context = context.display().to_string();
    let output = run(&["review", "-f", "-", "--context", &context], STEP);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        out(&output).starts_with("Pod/step: refused (422): OrasCache demo does not exist"),
        "{}",
        out(&output)
    );
}

#[test]
fn review_applies_the_settings_of_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let settings = write(
        "settings.yaml",
        "requiredAnnotations: [{annotation: example.org/cost, namespaceSelector: {matchLabels: {team: climate}}}]",
    );
    let both = format!("{CACHE}---\n{STEP}");
    let namespace = |team: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: default, labels: {{team: {team}}}}}\n")
    };
    for (team, code) in [("climate", 1), ("ocean", 0)] {
        let context = write("context.yaml", &namespace(team));
        let output = run(
            &["review", "-f", "-", "--settings", &settings, "--context", &context, "--agent-image", "a:1"],
            &both,
        );
        assert_eq!(output.status.code(), Some(code), "{}{}", out(&output), err(&output));
        assert_eq!(out(&output).contains("example.org/cost is missing"), code == 1, "{}", out(&output));
    }
    let output = run(&["review", "-f", "-", "--settings", &settings], &both);
    assert_eq!(output.status.code(), Some(2), "the labels of the namespace are not known");
    assert!(err(&output).contains("Namespace default"), "{}", err(&output));

    let wrong = write("wrong.yaml", "maximumStorage: big");
    let output = run(&["review", "-f", "-", "--settings", &wrong], &both);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("wrong.yaml: settings.maximumStorage is not a size"), "{}", err(&output));
}

#[test]
fn review_asks_no_registry_for_what_an_image_starts() {
    let folder = Folder::new();
    let settings = folder.write("settings.yaml", "imageConfigRegistries: [ghcr.io]");
    let context = folder.write("context.yaml", "");
    let image = format!("ghcr.io/a@sha256:{}", "0".repeat(64));
    let step = STEP.replace("image: busybox, command: [cat, list.txt]", &format!("image: '{image}'"));
    let both = format!("{CACHE}---\n{step}");
    // A step that is refused anyway needs no cache.
    for (context, documents) in [(&[][..], &both), (&[], &step), (&["--context", &context], &both)] {
        let arguments = [&["review", "-f", "-", "--settings", &settings][..], context].concat();
        let output = run(&arguments, documents);
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        let said = "is not known here (this command asks no registries): run orascache-agent entrypoint";
        assert!(out(&output).contains(said), "{}", out(&output));
    }
}

#[test]
fn review_accepts_an_admission_review() {
    let review = serde_json::json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u", "operation": "CREATE", "namespace": "lab", "name": "demo",
            "kind": {"group": "cache.converged-computing.github.io", "version": "v1alpha1", "kind": "OrasCache"},
            "object": {"apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
                "metadata": {"name": "demo", "namespace": "lab"}, "spec": {"replicas": 2}},
        },
    });
    let output = run(&["review", "-f", "-"], &review.to_string());
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("spec.replicas: more than one replica needs storage"), "{}", out(&output));
}

/// The rewritten pod of [`STEP`], as it is stored.
fn rewritten() -> Value {
    let output = run(&["review", "-o", "yaml"], &format!("{CACHE}---\n{STEP}"));
    let stored: Vec<Value> = serde_saphyr::from_multiple(&out(&output)).expect("YAML");
    stored.into_iter().find(|object| object["kind"] == "Pod").expect("a pod")
}

#[test]
fn a_copy_for_debugging_passes_with_a_warning() {
    // What `kubectl debug step --copy-to=step-debug --keep-annotations --container=app -- sleep 1d`
    // creates: everything of the pod but the command.
    let mut copy = rewritten();
    copy["metadata"]["name"] = "step-debug".into();
    copy["spec"]["containers"][0]["command"] = serde_json::json!(["sleep", "1d"]);
    copy["spec"]["containers"][0].as_object_mut().expect("a container").remove("args");
    let output = run(&["review"], &format!("{CACHE}---\n{copy}"));
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    let decisions = out(&output);
    let copied = decisions.split("Pod/step-debug: ").nth(1).expect("a decision");
    assert!(copied.starts_with("allowed, unchanged\n  warning: "), "{copied}");
    assert!(copied.contains("no input is pulled") || copied.contains("command"), "{copied}");
}

#[test]
fn settings_may_be_the_manifest_of_their_config_map() {
    let folder = Folder::new();
    let map = |settings: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: orascache-settings, namespace: orascache-system}}\ndata:\n  settings.yaml: |\n    {settings}\n"
        )
    };
    let both = format!("{CACHE}---\n{STEP}");
    let manifest = folder.write("map.yaml", &map("requiredAnnotations: [{annotation: example.org/cost}]"));
    let output = run(&["review", "--settings", &manifest], &both);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(out(&output).contains("example.org/cost is missing"), "{}", out(&output));

    // The ConfigMap is reviewed as its webhook does.
    let output = run(&["review", &manifest, &folder.write("wrong.yaml", &map("maximumStorage: big"))], "");
    assert_eq!(output.status.code(), Some(1));
    let decisions = out(&output);
    assert!(
        decisions.contains("map.yaml:1: ConfigMap/orascache-settings: allowed, unchanged\n"),
        "{decisions}"
    );
    assert!(
        decisions
            .contains("ConfigMap/orascache-settings: refused (422): settings.maximumStorage is not a size"),
        "{decisions}"
    );
    let empty = folder.write("empty.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
    let output = run(&["review", "--settings", &empty], &both);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("empty.yaml: data.settings.yaml is missing"), "{}", err(&output));
}

#[test]
fn review_says_when_the_api_server_would_not_ask() {
    let asked = |object: &str| {
        let output = run(&["review", "-o", "json"], &format!("{CACHE}---\n{object}"));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        report["decisions"][1]["asked"].clone()
    };
    assert_eq!(asked(STEP), true);
    let bystander = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a}]}}";
    assert_eq!(asked(bystander), false);
    let review = serde_json::json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {"uid": "u", "operation": "DELETE", "name": "a", "kind": {"group": "", "version": "v1", "kind": "Pod"}},
    });
    assert_eq!(asked(&review.to_string()), false);
}

#[test]
fn warnings_can_be_errors() {
    // An output that every pod of a parallel Job pushes to the same tag.
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\n  annotations:\n    oras.converged-computing.github.io/oras-cache: demo\n    oras.converged-computing.github.io/output-uri: a/b:1\n    oras.converged-computing.github.io/output-path: /data\nspec:\n  parallelism: 2\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{name: c, image: i, command: [x]}]\n";
    let both = format!("{CACHE}---\n{job}");
    let output = run(&["review"], &both);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("  warning: "), "{}", out(&output));
    assert_eq!(run(&["review", "--warnings-as-errors"], &both).status.code(), Some(1));
}

#[test]
fn near_misses_are_warned_of() {
    let bystander = |metadata: &str| {
        let pod = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: a, {metadata}}}, spec: {{containers: [{{name: a}}]}}}}"
        );
        let output = run(&["review"], &pod);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        out(&output)
    };
    for metadata in [
        "annotations: {oras.converged-computing.io/input-uri: \"a/b:1\"}",
        "labels: {oras.converged-computing.github.io/input-uri: a}",
    ] {
        let said = bystander(metadata);
        assert!(said.contains("  warning: metadata."), "{metadata}: {said}");
    }
    assert_eq!(bystander("annotations: {example.org/a: b}"), "Pod/a: allowed, unchanged\n");
}
