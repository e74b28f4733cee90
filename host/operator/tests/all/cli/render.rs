//! `orascache render`.

use super::{CACHE, Folder, err, out, run};
use serde_json::Value;

#[test]
fn render_prints_the_objects_of_a_cache() {
    let output = run(&["render", "-f", "-", "-n", "lab", "-o", "json"], CACHE);
    assert!(output.status.success(), "{}", err(&output));
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let kinds: Vec<&str> =
        list["items"].as_array().expect("a list").iter().filter_map(|item| item["kind"].as_str()).collect();
    assert_eq!(kinds, ["NetworkPolicy", "Service", "StatefulSet"]);
    assert_eq!(list["items"][0]["metadata"]["namespace"], "lab");
    assert!(list["items"][0]["metadata"].get("ownerReferences").is_none(), "the cache has no UID to name");
    let yaml = out(&run(&["render", "-f", "-"], CACHE));
    assert_eq!(yaml.matches("\n---\n").count(), 2, "{yaml}");
}

#[test]
fn render_refuses_invalid_caches_and_other_objects() {
    let output = run(&["render", "-f", "-"], &CACHE.replace("spec: {}", "spec: {replicas: 2}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("spec.replicas: Invalid value: more than one replica needs storage"),
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
fn rendered_objects_consent_to_be_taken_over_by_their_cache() {
    let output = run(&["render", "-o", "json"], &CACHE.replace("spec: {}", "spec: {storage: {size: 1Gi}}"));
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for object in list["items"].as_array().expect("a list") {
        assert_eq!(
            object["metadata"]["annotations"]["cache.converged-computing.github.io/cache"], "demo",
            "{object}"
        );
    }
}

#[test]
fn render_writes_the_objects_of_several_caches_to_files() {
    let folder = Folder::new();
    folder.write("in/one.yaml", CACHE);
    folder.write("in/two/two.yaml", &CACHE.replace("name: demo", "name: other, namespace: far"));
    folder.write("in/values.yaml", "a: 1");
    let (from, to) = (format!("{}/in", folder.path()), format!("{}/out", folder.path()));
    let output = run(&["render", &from, "-n", "lab", "--output-dir", &to], "");
    assert_eq!((output.status.code(), out(&output)), (Some(0), String::new()), "{}", err(&output));
    assert!(err(&output).contains("left out, since they are no OrasCache: 1"), "{}", err(&output));
    for file in ["lab/statefulset-demo.yaml", "lab/service-demo.yaml", "far/statefulset-other.yaml"] {
        let text = std::fs::read_to_string(format!("{to}/{file}")).expect(file);
        let object: Value = serde_saphyr::from_str(&text).expect("YAML");
        let path = file.split('/').next().expect("a namespace");
        assert_eq!(object["metadata"]["namespace"], path);
    }
    // Written files can be rendered again and reviewed.
    assert_eq!(run(&["review", &to], "").status.code(), Some(0));
}

#[test]
fn a_field_that_the_definition_does_not_have_is_not_ignored() {
    let output = run(&["render"], &CACHE.replace("spec: {}", "spec: {replica: 2}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("unknown field \"spec.replica\""), "{}", err(&output));
}
