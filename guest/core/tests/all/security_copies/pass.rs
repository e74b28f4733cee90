//! Copies that are accepted.

use super::{INSTALL, PROXY, changed};
use crate::reviewing;
use crate::steps::{PREFIX, copy, pod, refusal, review, with_credentials};
use serde_json::{Value, json};

#[test]
fn copies_of_rewritten_pods_pass() {
    for annotations in [
        vec![],
        vec![("registry", "ghcr.io"), ("oras-env", "mine")],
        vec![("debug", "true")],
        vec![("output-path", "/data/$(x)$")],
    ] {
        let response = review(&copy(&annotations), "");
        assert_eq!(
            (response.is_allowed(), response.patch(), response.warnings.len()),
            (true, None, 0),
            "{response:?}"
        );
    }
}

#[test]
fn a_copy_with_another_command_passes_with_a_warning() {
    let mut pod = with_credentials();
    pod["spec"]["containers"][0]["command"] = json!(["sh"]);
    let response = review(&pod, "");
    assert!(response.is_allowed() && response.patch().is_none(), "{response:?}");
    assert!(
        matches!(&response.warnings[..], [one] if one.starts_with("no container runs the agent")),
        "{response:?}"
    );
}

#[test]
fn what_others_fill_in_passes() {
    let token = json!({"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true});
    let aws = json!({"name": "aws-iam-token", "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount", "readOnly": true});
    for container in [INSTALL, PROXY] {
        let mut pod = copy(&[("input-uri_1", "in:{pod}"), ("registry", "ghcr.io"), ("oras-env", "mine")]);
        if container == INSTALL {
            pod = changed(pod, &format!("{container}/env"), json!([]));
        }
        for (member, value) in [
            // Defaults of the API server.
            ("imagePullPolicy", json!("Always")),
            ("terminationMessagePath", json!("/dev/termination-log")),
            ("terminationMessagePolicy", json!("File")),
            ("resizePolicy", json!([{"resourceName": "cpu", "restartPolicy": "NotRequired"}])),
            ("securityContext/procMount", json!("Default")),
            ("securityContext/privileged", json!(false)),
            // Admission plugins: ServiceAccount, LimitRanger.
            ("volumeMounts/-", token.clone()),
            (
                "resources",
                json!({"limits": {"cpu": "7", "example.org/x": "1"}, "requests": {"memory": "1Gi"}}),
            ),
            // Security context constraints of OpenShift.
            ("securityContext/seLinuxOptions", json!({"level": "s0:c1,c2"})),
            ("securityContext/runAsGroup", json!(1000)),
            // Identities of clouds, tracing.
            ("volumeMounts/-", aws.clone()),
            ("env/-", json!({"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::1:role/x"})),
            (
                "env/-",
                json!({"name": "DD_AGENT_HOST", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.hostIP"}}}),
            ),
            ("env/-", json!({"name": "TZ", "value": "Europe/Paris"})),
        ] {
            pod = changed(pod, &format!("{container}/{member}"), value);
        }
        if container == PROXY {
            pod = changed(pod, &format!("{container}/env/0/valueFrom/fieldRef/apiVersion"), json!("v1"));
        } else {
            pod = changed(pod, &format!("{container}/securityContext/runAsUser"), json!(1_000_660_000));
        }
        pod = changed(pod, "/spec/volumes/0/emptyDir/sizeLimit", json!("65536Ki"));
        assert_eq!(refusal(&pod, ""), "", "{container}");
    }
}

/// What `kubectl debug --copy-to` makes of a pod: profile `legacy` keeps annotations and removes
/// labels; the others keep annotations with `--keep-annotations`, and share the processes.
#[test]
fn copies_by_kubectl_debug_pass_where_no_credentials_are_involved() {
    let mut original = pod(&[("output-uri", "out:{job}")]);
    original["metadata"]["labels"] = json!({"batch.kubernetes.io/job-name": "j"});
    let mut legacy = reviewing::patched(&original, &review(&original, ""));
    legacy["metadata"].as_object_mut().unwrap().remove("labels");
    let general = |pod: &Value| changed(pod.clone(), "/spec/shareProcessNamespace", json!(true));
    let debugger = json!({"name": "debugger", "image": "busybox", "stdin": true,
        "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}});
    for (copied, warnings) in [
        (changed(legacy.clone(), "/spec/containers/-", debugger.clone()), 0),
        (general(&changed(legacy.clone(), "/spec/containers/-", debugger.clone())), 0),
        (changed(legacy.clone(), "/spec/containers/0/command", json!(["sleep", "1d"])), 1),
        (general(&changed(legacy.clone(), "/spec/containers/0/command", json!(["sleep", "1d"]))), 1),
        (changed(legacy.clone(), "/spec/containers/0/image", json!("debian")), 0),
    ] {
        let response = review(&copied, "");
        assert_eq!(
            (response.is_allowed(), response.patch(), response.warnings.len()),
            (true, None, warnings),
            "{response:?}"
        );
    }
    // --keep-init-containers=false: nothing installs the agent.
    let without = changed(legacy, "/spec/initContainers", json!(null));
    assert!(refusal(&without, "").contains("there is no init container oras-install"));
    assert_eq!(refusal(&changed(without, "/spec/containers/0/command", json!(["sh"])), ""), "");
    // With credentials the processes stay apart.
    let pod = changed(with_credentials(), "/spec/containers/-", debugger);
    assert_eq!(refusal(&pod, ""), "");
    assert!(refusal(&general(&pod), "").contains("shareProcessNamespace is true"));
}

#[test]
fn a_container_of_the_user_may_be_called_oras_where_no_credentials_are_involved() {
    let own = |mount: Value| {
        let mut pod = pod(&[]);
        pod["spec"]["initContainers"] = json!([{"name": "oras", "image": "x", "command": ["sh"], "env": [{"name": "A", "value": "b"}], "volumeMounts": [mount]}]);
        pod
    };
    let fine = own(json!({"name": "data", "mountPath": "/data"}));
    let response = review(&fine, "");
    assert!(response.patch().is_some(), "{response:?}");
    assert_eq!(refusal(&reviewing::patched(&fine, &response), ""), "");
    // It may neither replace the agent nor read credentials, in the manifest and in a copy.
    for (volume, wanted) in [
        ("orascache-agent", "oras mounts volume orascache-agent"),
        ("orascache-credentials", "oras mounts volume orascache-credentials"),
    ] {
        let found = refusal(&own(json!({"name": volume, "mountPath": "/x"})), "");
        assert!(found.contains(wanted), "{found}");
    }
    let mut copied = reviewing::patched(&fine, &response);
    copied["spec"]["initContainers"][1]["volumeMounts"][0] =
        json!({"name": "orascache-agent", "mountPath": "/x"});
    assert!(refusal(&copied, "").contains("oras mounts volume orascache-agent"));
    // A proxy that is left over from credentials which the step does not get any more.
    let mut left_over = with_credentials();
    let annotations = left_over["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove(&format!("{PREFIX}oras-env"));
    assert!(refusal(&left_over, "").contains("container oras has credentials that this step does not get"));
}

#[test]
fn a_marker_without_any_part_is_only_an_annotation() {
    let mut pod = pod(&[]);
    *pod.pointer_mut("/metadata/annotations").unwrap() = {
        let mut annotations = pod["metadata"]["annotations"].clone();
        annotations["cache.converged-computing.github.io/injected"] = json!("v1");
        annotations
    };
    assert!(review(&pod, "").patch().is_some());
}

/// Versions before gave the image to steps with reuse alone.
#[test]
fn pods_that_an_older_version_rewrote() {
    let mut older = copy(&[]);
    let words = older.pointer_mut("/spec/containers/0/command").and_then(Value::as_array_mut).unwrap();
    let number = words.len();
    words.retain(|word| !word.as_str().unwrap().starts_with("--reuse-image="));
    assert_eq!(words.len(), number - 1);
    assert_eq!(refusal(&older, ""), "");
}

#[test]
fn images_and_variables_that_others_change_in_a_step_that_is_reused() {
    let copy = copy(&[("reuse", "true")]);
    let changed = changed(copy, "/spec/containers/0/image", json!("mirror.example.org/busybox"));
    let changed = super::changed(changed, "/spec/containers/0/env", json!([{"name": "TZ", "value": "UTC"}]));
    assert_eq!(refusal(&changed, ""), "");
}
