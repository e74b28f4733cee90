//! The command of a step may be that of its image.

use super::{DIGEST, answered, image, needs, pod, question, review, settings};
use crate::reviewing::{self, patched};
use orascache_contract::{ArtifactFinding, Outcome};
use serde_json::{Value, json};

const MARK: &str = "/metadata/annotations/cache.converged-computing.github.io~1command-of-image";

fn pinned() -> String {
    format!("ghcr.io/team/tool:1@{DIGEST}")
}

/// The rewritten pod.
fn rewritten(members: &Value, config: &Value) -> Value {
    let pod = pod(&pinned(), members);
    let response = answered(&pod, &settings(&["ghcr.io"]), image(config));
    assert!(response.is_allowed(), "{response:?}");
    patched(&pod, &response)
}

/// The words behind `--` and the arguments of the step.
fn process(pod: &Value) -> (Vec<&str>, Value) {
    let container = &pod["spec"]["containers"][0];
    let words = container["command"].as_array().expect("a command").iter().filter_map(Value::as_str);
    (words.skip_while(|word| *word != "--").skip(1).collect(), container["args"].clone())
}

fn refusal(members: &Value, finding: ArtifactFinding) -> String {
    let response = answered(&pod(&pinned(), members), &settings(&["ghcr.io"]), finding);
    response.refusal().expect("a refusal").message.clone()
}

#[test]
fn the_image_is_asked_for_by_its_digest() {
    let (registries, asked) = (settings(&["quay.io", "http://Registry.lan:5000", "docker.io"]), json!({}));
    for (image, registry, plain_http, repository) in [
        ("busybox", "docker.io", false, "library/busybox"),
        ("team/tool:1", "docker.io", false, "team/tool"),
        ("docker.io/busybox", "docker.io", false, "library/busybox"),
        ("quay.io/tool", "quay.io", false, "tool"),
        ("registry.LAN:5000/a/b:2", "Registry.lan:5000", true, "a/b"),
    ] {
        let found = question(&pod(&format!("{image}@{DIGEST}"), &asked), &registries);
        let seen = (found.registry.as_str(), found.plain_http, found.repository.as_str());
        assert_eq!(seen, (registry, plain_http, repository), "{image}");
        assert_eq!(found.reference, DIGEST);
    }
    // The host hands over what is asked for now, and nothing that it handed over before.
    let needs = needs(&pod(&pinned(), &asked), &settings(&["ghcr.io"]));
    assert_eq!(needs.objects[0].name, "shared");
}

#[test]
fn entrypoint_and_arguments_are_those_that_the_node_would_start() {
    let both = json!({"Entrypoint": ["/tool", "$(HOME) $x"], "Cmd": ["-h"]});
    let alone = json!({"Cmd": ["sh"]});
    let of_pod = json!({"args": ["a", "$(b)"]});
    for (members, config, words, arguments) in [
        (json!({}), &both, &["/tool", "$$(HOME) $$x", "-h"][..], Value::Null),
        (json!({"args": [], "command": []}), &both, &["/tool", "$$(HOME) $$x", "-h"], json!([])),
        (of_pod.clone(), &both, &["/tool", "$$(HOME) $$x"], json!(["a", "$(b)"])),
        (json!({}), &alone, &["sh"], Value::Null),
        // The arguments of the pod take the place of those of the image.
        (of_pod.clone(), &alone, &[], json!(["a", "$(b)"])),
        (of_pod, &json!({"Entrypoint": null, "Cmd": null}), &[], json!(["a", "$(b)"])),
    ] {
        let pod = rewritten(&members, config);
        assert_eq!(process(&pod), (words.to_vec(), arguments), "{members} {config}");
        assert_eq!(pod.pointer(MARK), Some(&json!(DIGEST)));
    }
}

#[test]
fn a_container_with_a_command_asks_for_nothing() {
    let pod = pod(&pinned(), &json!({"command": ["sh"]}));
    let response = reviewing::decided(review(&pod, None, &settings(&["ghcr.io"]), Vec::new()));
    assert_eq!(patched(&pod, &response).pointer(MARK), None);
}

#[test]
fn what_is_not_known_is_refused_with_the_reason_and_what_to_write() {
    let remedy = format!("run orascache-agent entrypoint {}, and write what it prints as command", pinned());
    for (finding, why) in [
        (ArtifactFinding::Missing, "is not known here (ghcr.io has no such image): "),
        (ArtifactFinding::Unknown("nobody answers".to_owned()), "is not known here (nobody answers): "),
        (ArtifactFinding::Digest(DIGEST.to_owned()), "(its configuration cannot be read): "),
        (ArtifactFinding::ImageConfig("{".to_owned()), "(its configuration cannot be read): "),
        (image(&json!({"Entrypoint": "sh"})), "(its configuration cannot be read): "),
        (image(&json!({"Cmd": [1]})), "(its configuration cannot be read): "),
    ] {
        let said = refusal(&json!({}), finding);
        assert!(said.contains(&format!("{why}{remedy}")), "{said}");
    }
    for config in [json!({}), json!({"Entrypoint": [], "Cmd": null}), Value::Null] {
        let said = refusal(&json!({}), image(&config));
        assert!(said.contains("its image starts no program of its own: write command"), "{said}");
    }
}

#[test]
fn a_job_asks_as_its_pods_will() {
    let settings = settings(&["ghcr.io"]);
    let of_pod = pod(&pinned(), &json!({}));
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "step", "annotations": of_pod["metadata"]["annotations"]},
        "spec": {"template": {"spec": of_pod["spec"]}},
    });
    assert_eq!(question(&job, &settings), question(&of_pod, &settings));
    let response = answered(&job, &settings, image(&json!({"Cmd": ["sh"]})));
    let after = patched(&job, &response);
    assert_eq!(after["spec"]["template"]["spec"], of_pod["spec"], "a Job is not rewritten");
    let response = answered(&job, &settings, ArtifactFinding::Missing);
    let said = &response.refusal().expect("a refusal").message;
    assert!(said.starts_with("spec.template.spec.containers: app has no command"), "{said}");
}

#[test]
fn a_rewritten_pod_is_reviewed_again_without_a_question() {
    let pod = rewritten(&json!({"args": ["a"]}), &json!({"Entrypoint": ["/tool"]}));
    let response = reviewing::decided(review(&pod, None, &settings(&["ghcr.io"]), Vec::new()));
    assert_eq!((response.is_allowed(), response.patch(), response.warnings.len()), (true, None, 0));
}

#[test]
fn an_image_that_changed_after_its_command_was_read_is_refused() {
    let copy = |image: &str| {
        let mut pod = rewritten(&json!({}), &json!({"Entrypoint": ["/tool"]}));
        pod["spec"]["containers"][0]["image"] = json!(image);
        match review(&pod, None, "", Vec::new()) {
            Outcome::Decided(response) => response.refusal().map(|refusal| refusal.message.clone()),
            Outcome::Need(needs) => panic!("{needs:?}"),
        }
    };
    assert_eq!(copy(&format!("mirror.lan/team/tool@{DIGEST}")), None, "a mirror has the same image");
    for image in ["ghcr.io/team/tool:1", &format!("ghcr.io/team/tool@sha256:{}", "0".repeat(64))] {
        let said = copy(image).expect("a refusal");
        assert!(said.contains("was read from an image with another digest than that of"), "{said}");
    }
}

#[test]
fn the_manifest_without_a_command_can_be_applied_again() {
    let manifest = pod(&pinned(), &json!({"args": ["a"]}));
    let live = rewritten(&json!({"args": ["a"]}), &json!({"Entrypoint": ["/tool"]}));
    let update = |new: &Value, old: &Value| {
        let response = reviewing::decided(review(new, Some(old), "", Vec::new()));
        assert!(response.is_allowed(), "{response:?}");
        patched(new, &response)
    };
    assert_eq!(update(&manifest, &live), live);
    let mut empty = manifest.clone();
    empty["spec"]["containers"][0]["command"] = json!([]);
    assert_eq!(update(&empty, &live), live);

    // A command that was in the manifest is not restored in silence: the API server refuses that.
    let mut with_command = live.clone();
    with_command["metadata"]["annotations"]
        .as_object_mut()
        .expect("annotations")
        .remove("cache.converged-computing.github.io/command-of-image");
    assert_eq!(update(&manifest, &with_command)["spec"]["containers"][0]["command"], Value::Null);
}
