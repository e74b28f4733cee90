//! Copies and updates that are refused.

use super::{INSTALL, PROXY, changed};
use crate::reviewing;
use crate::steps::{copy, refusal, with_credentials};
use serde_json::{Value, json};

#[test]
fn copies_are_held_to_the_settings_of_today() {
    let pod =
        copy(&[("registry", "ghcr.io"), ("oras-env", "mine"), ("oras-container", "lab.example/agent:2")]);
    for (settings, wanted) in [
        (
            r#"{"allowedRegistries":["quay.io"]}"#,
            "registry is ghcr.io, which the administrator does not allow",
        ),
        (r#"{"allowedAgentImages":["other.example/"]}"#, "oras-container is lab.example/agent:2, which the"),
        (
            r#"{"requiredAnnotations":[{"annotation":"example.org/cost-centre"}]}"#,
            "example.org/cost-centre is missing",
        ),
    ] {
        let found = refusal(&pod, settings);
        assert!(found.contains(wanted), "{found}");
    }
}

#[test]
fn changed_flags_of_a_copy_are_refused() {
    let evil = "--registry=https://evil.example.net";
    let of_step = "the command of container app is not";
    let (of_proxy, of_install) = ("init container oras is not", "init container oras-install is not");
    for (path, value, wanted) in [
        ("/spec/containers/0/command/2", json!(evil), of_step),
        ("/spec/containers/0/command/4", json!("--input=other:1"), of_step),
        ("/spec/containers/0/command/1", json!("pull"), of_step),
        ("/spec/containers/0/command/3", json!("word"), of_step),
        // Kubernetes expands variables, so that any flag may come out of one.
        ("/spec/containers/0/command/6", json!("--$(FLAG)"), of_step),
        ("/spec/containers/0/command/6", json!("--x=$$$(FLAG)"), of_step),
        ("/spec/containers/0/command/6", json!("--ca-file=/data/evil.pem"), of_step),
        ("/spec/containers/0/terminationMessagePath", json!("/other"), of_step),
        (&format!("{INSTALL}/command"), json!(["sh"]), of_install),
        (&format!("{INSTALL}/args"), json!(["/other"]), of_install),
        (&format!("{PROXY}/command/2"), json!(evil), of_proxy),
        (&format!("{PROXY}/command/6"), json!("--push=other:1"), of_proxy),
        (&format!("{PROXY}/command/-"), json!("--ca-file=/x.pem"), of_proxy),
        // Arguments continue the command.
        (&format!("{PROXY}/args"), json!(["--pull=other:1"]), of_proxy),
        ("/metadata/annotations/oras.converged-computing.github.io~1registry", json!("quay.io"), of_proxy),
    ] {
        let found = refusal(&changed(with_credentials(), path, value.clone()), "");
        assert!(found.contains(wanted), "{path} {value}: {found}");
    }
}

#[test]
fn changed_members_of_added_containers_are_refused() {
    let mount = |path: &str| json!({"name": "evil", "mountPath": path, "readOnly": true});
    let variable = |name: &str| json!([{"name": name, "value": "x"}]);
    let probe = json!({"exec": {"command": ["cat", "/orascache-credentials/ORAS_PUSH_PASS"]}});
    for container in [INSTALL, PROXY] {
        for (member, value, place) in [
            ("env", variable("HTTPS_PROXY"), "env[HTTPS_PROXY]"),
            ("env", variable("ORASCACHE_CA_PEM"), "env[ORASCACHE_CA_PEM]"),
            ("env", variable("LD_PRELOAD"), "env[LD_PRELOAD]"),
            ("env", variable("PATH"), "env[PATH]"),
            ("env", variable("TZDIR"), "env[TZDIR]"),
            (
                "env",
                json!([{"name": "AWS_KEY", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]),
                "env[AWS_KEY]",
            ),
            ("envFrom", json!([{"secretRef": {"name": "other"}}]), "envFrom"),
            ("envFrom", json!([{"configMapRef": {"name": "other"}}]), "envFrom"),
            ("lifecycle", json!({"postStart": {"exec": {"command": ["sh"]}}}), "lifecycle"),
            ("livenessProbe", probe.clone(), "livenessProbe"),
            ("startupProbe", probe.clone(), "startupProbe"),
            ("workingDir", json!("/data"), "workingDir"),
            ("stdin", json!(true), "stdin"),
            ("ports", json!([{"containerPort": 1}]), "ports"),
            ("volumeDevices", json!([{"name": "x", "devicePath": "/dev/x"}]), "volumeDevices"),
            ("terminationMessagePath", json!("/orascache/proxy.sock"), "terminationMessagePath"),
            ("someday", json!({"new": 1}), "someday"),
            ("resources", json!({"claims": [{"name": "x"}]}), "resources.claims"),
            ("volumeMounts/-", mount("/etc/ssl/certs"), "volumeMounts[/etc/ssl/certs]"),
            (
                "volumeMounts/-",
                mount("/var/run/secrets/../../../lib"),
                "volumeMounts[/var/run/secrets/../../../lib]",
            ),
            ("volumeMounts/-", mount("/var/run/secretsx"), "volumeMounts[/var/run/secretsx]"),
            ("volumeMounts/0/subPath", json!("x"), "volumeMounts[/orascache].subPath"),
            ("securityContext/privileged", json!(true), "securityContext.privileged"),
            (
                "securityContext/allowPrivilegeEscalation",
                json!(true),
                "securityContext.allowPrivilegeEscalation",
            ),
            (
                "securityContext/readOnlyRootFilesystem",
                json!(false),
                "securityContext.readOnlyRootFilesystem",
            ),
            ("securityContext/runAsNonRoot", json!(null), "securityContext.runAsNonRoot"),
            ("securityContext/capabilities/add", json!(["SYS_PTRACE"]), "securityContext.capabilities.add"),
            ("securityContext/capabilities/drop", json!(["NET_RAW"]), "securityContext.capabilities.drop[0]"),
            ("securityContext/procMount", json!("Unmasked"), "securityContext.procMount"),
            (
                "securityContext/seccompProfile/type",
                json!("Unconfined"),
                "securityContext.seccompProfile.type",
            ),
            (
                "securityContext/appArmorProfile",
                json!({"type": "Unconfined"}),
                "securityContext.appArmorProfile",
            ),
            ("securityContext/seLinuxOptions", json!({"type": "spc_t"}), "securityContext.seLinuxOptions"),
            ("securityContext", json!(null), "securityContext"),
        ] {
            let pod = changed(with_credentials(), &format!("{container}/{member}"), value.clone());
            let found = refusal(&pod, "");
            let wanted = format!("is not as it is made for this step, in {place} (");
            assert!(found.contains(&wanted), "{container} {member} {value}: {found}");
        }
        let found = refusal(
            &changed(with_credentials(), &format!("{container}/securityContext/runAsUser"), json!(0)),
            "",
        );
        assert!(found.contains("runs as another user than it was given"), "{found}");
    }
    for (path, value, place) in [
        ("restartPolicy", json!(null), "restartPolicy"),
        ("restartPolicy", json!("Never"), "restartPolicy"),
        ("volumeMounts/1/readOnly", json!(false), "volumeMounts[/orascache-credentials].readOnly"),
        ("volumeMounts", json!([]), "volumeMounts[/orascache]"),
    ] {
        let found = refusal(&changed(with_credentials(), &format!("{PROXY}/{path}"), value), "");
        assert!(
            found.contains(&format!("init container oras is not as it is made for this step, in {place} (")),
            "{path}: {found}"
        );
    }
    // The user of the proxy keeps the step away from it.
    for user in [json!(1000), json!(null)] {
        let pod = changed(with_credentials(), &format!("{PROXY}/securityContext/runAsUser"), user);
        assert!(refusal(&pod, "").contains("container oras runs as another user"));
    }
}

#[test]
fn changed_volumes_of_a_copy_are_refused() {
    let token = json!({"serviceAccountToken": {"path": "token", "audience": "evil"}});
    let key = json!({"key": "theirs", "path": "x"});
    let another = json!({"name": "orascache-credentials", "secret": {"secretName": "theirs"}});
    for (path, value, wanted) in [
        (
            "/spec/volumes/0",
            json!({"name": "orascache-agent", "hostPath": {"path": "/"}}),
            "volume orascache-agent is not",
        ),
        ("/spec/volumes/0/emptyDir/sizeLimit", json!("900Gi"), "in emptyDir.sizeLimit"),
        ("/spec/volumes/0/emptyDir/medium", json!("Memory"), "in emptyDir.medium"),
        ("/spec/volumes/1/projected/defaultMode", json!(0o777), "in projected.defaultMode"),
        ("/spec/volumes/1/projected/sources/-", token, "in projected.sources"),
        (
            "/spec/volumes/1/projected/sources/0/secret/items/-",
            key.clone(),
            "in projected.sources[0].secret.items",
        ),
        (
            "/spec/volumes/1/projected/sources/0/secret/items/0",
            key,
            "in projected.sources[0].secret.items[0].key",
        ),
        (
            "/spec/volumes/1/projected/sources/0/secret/items",
            json!(null),
            "in projected.sources[0].secret.items",
        ),
        (
            "/spec/volumes/1/projected/sources/0/secret/name",
            json!("theirs"),
            "in projected.sources[0].secret.name",
        ),
        ("/spec/volumes/1", another, "volume orascache-credentials is not"),
        (
            "/metadata/annotations/oras.converged-computing.github.io~1oras-env",
            json!("theirs"),
            "in projected.sources[0].secret.name",
        ),
    ] {
        let found = refusal(&changed(with_credentials(), path, value), "");
        assert!(found.contains(wanted), "{path}: {found}");
        // No Secret is named, neither the expected one nor the one that is there.
        assert!(!found.contains("mine") && !found.contains("theirs"), "{found}");
    }
}

#[test]
fn changed_parts_of_the_step_of_a_copy_are_refused() {
    let mounts = "/spec/containers/0/volumeMounts";
    let over_agent = json!({"name": "evil", "mountPath": "/orascache/orascache-agent", "subPath": "sh"});
    let variable = |source: &Value| json!({"name": "ORASCACHE_POD", "valueFrom": source});
    let other = json!({"fieldRef": {"fieldPath": "metadata.uid"}});
    let pod = || copy(&[("input-uri_1", "in:{pod}"), ("registry", "ghcr.io"), ("oras-env", "mine")]);
    for (path, value, wanted) in [
        (format!("{mounts}/0/mountPath"), json!("/other"), "in volumeMounts[/orascache]"),
        (format!("{mounts}/0/readOnly"), json!(false), "mounts volume orascache-agent"),
        (format!("{mounts}/0/subPath"), json!("x"), "in volumeMounts[/orascache].subPath"),
        (format!("{mounts}/-"), over_agent, "in volumeMounts[/orascache/orascache-agent]"),
        ("/spec/containers/0/env".to_owned(), json!([]), "in env[ORASCACHE_POD]"),
        ("/spec/containers/0/env/0".to_owned(), variable(&other), "in env[ORASCACHE_POD].valueFrom.fieldRef"),
        (
            "/spec/containers/0/env/-".to_owned(),
            json!({"name": "ORASCACHE_POD", "value": "x"}),
            "in env[ORASCACHE_POD]",
        ),
        (
            "/spec/containers/0/env/-".to_owned(),
            json!({"name": "ORASCACHE_JOB", "value": "x"}),
            "in env[ORASCACHE_JOB]",
        ),
        (format!("{PROXY}/env/0"), variable(&other), "init container oras is not"),
        (format!("{PROXY}/env"), json!([]), "in env[ORASCACHE_POD]"),
    ] {
        let found = refusal(&changed(pod(), &path, value), "");
        assert!(found.contains(wanted), "{path}: {found}");
    }
    // Variables of the user are those of the user, in a copy as in the manifest.
    let own = json!({"name": "HTTPS_PROXY", "value": "http://proxy.example.org"});
    assert_eq!(refusal(&changed(pod(), "/spec/containers/0/env/-", own), ""), "");
}

#[test]
fn dropped_parts_of_a_copy_are_refused() {
    for (list, index, wanted) in [
        ("initContainers", 0, "there is no init container oras-install"),
        ("initContainers", 1, "there is no init container oras:"),
        ("volumes", 0, "there is no volume orascache-agent"),
        ("volumes", 1, "there is no volume orascache-credentials"),
    ] {
        let mut pod = with_credentials();
        pod["spec"][list].as_array_mut().unwrap().remove(index);
        let found = refusal(&pod, "");
        assert!(found.contains(wanted), "{list} {index}: {found}");
    }
    // A container of another list does not count.
    let mut pod = with_credentials();
    let mut proxy = pod["spec"]["initContainers"].as_array_mut().unwrap().remove(1);
    proxy.as_object_mut().unwrap().remove("restartPolicy");
    pod["spec"]["containers"].as_array_mut().unwrap().push(proxy);
    let found = refusal(&pod, "");
    assert!(
        found.contains("no init container oras:")
            && found.contains("oras mounts volume orascache-credentials"),
        "{found}"
    );
}

#[test]
fn an_update_gives_an_added_container_no_image_that_is_not_allowed() {
    let old = with_credentials();
    let update = |new: &Value, settings: &str| {
        let context =
            orascache_contract::Context::<String> { settings: settings.to_owned(), ..Default::default() };
        let outcome = orascache_core::admission::review(&reviewing::wrap(new, Some(&old)), &context);
        let response = reviewing::decided(outcome.expect("a review"));
        response.refusal().map(|refusal| refusal.message.clone()).unwrap_or_default()
    };
    let none = r#"{"allowedAgentImages":[]}"#;
    let evil = changed(old.clone(), &format!("{PROXY}/image"), json!("evil.example.net/agent:1"));
    assert!(update(&evil, none).contains("oras gets an image that the administrator does not allow"));
    assert_eq!(update(&evil, r#"{"allowedAgentImages":["evil.example.net/"]}"#), "");
    // What stays is not judged: finalizers can be removed under any settings.
    let finalizers = changed(old.clone(), "/metadata/finalizers", json!([]));
    assert_eq!(update(&finalizers, r#"{"allowedAgentImages":[],"agentImage":"new.example/agent:2"}"#), "");
    let of_step = changed(old.clone(), "/spec/containers/0/image", json!("busybox:2"));
    assert_eq!(update(&of_step, none), "");
}

#[test]
fn the_image_of_copied_parts_must_be_allowed() {
    let mut pod = with_credentials();
    pod["spec"]["initContainers"][1]["image"] = json!("evil.example.net/agent:1");
    let found = refusal(&pod, r#"{"allowedAgentImages":[]}"#);
    assert!(found.contains("container oras has an image that the administrator does not allow"), "{found}");
    assert_eq!(refusal(&with_credentials(), r#"{"allowedAgentImages":[]}"#), "");
}

#[test]
fn a_copy_may_not_share_the_processes_of_its_proxy() {
    let mut pod = with_credentials();
    pod["spec"]["shareProcessNamespace"] = json!(true);
    assert!(refusal(&pod, "").contains("shareProcessNamespace is true"));
}

#[test]
fn a_proxy_that_trusts_another_authority_or_goes_through_another_forward_proxy() {
    let network = [("registry", "harbor.example.org"), ("registry-ca", "configmap/lab-ca/ca.crt")];
    let copy = copy(&[&network[..], &[("oras-env", "mine")]].concat());
    assert_eq!(refusal(&copy, ""), "");
    for (path, value) in [
        ("/spec/volumes/2/configMap/name".to_owned(), json!("other")),
        (format!("{PROXY}/env/0/value"), json!("/x/ca.pem")),
        (format!("{PROXY}/env/-"), json!({"name": "HTTPS_PROXY", "value": "http://evil:1"})),
        (format!("{PROXY}/env/-"), json!({"name": "ORASCACHE_CA_PEM", "value": "x"})),
        (format!("{PROXY}/volumeMounts/-"), json!({"name": "x", "mountPath": "/orascache-ca/ca.pem"})),
    ] {
        let found = refusal(&changed(copy.clone(), &path, value), "");
        assert!(found.contains("is not as it is made for this step"), "{path}: {found}");
    }
}

#[test]
fn a_step_that_leaves_statements_in_another_way_than_its_annotations_say() {
    let annotation = "/metadata/annotations/oras.converged-computing.github.io~1provenance";
    for said in ["true", "false"] {
        let copy = copy(&[("provenance", said)]);
        assert_eq!(refusal(&copy, ""), "");
        let other = if said == "true" { "false" } else { "true" };
        let found = refusal(&changed(copy, annotation, json!(other)), "");
        assert!(found.contains("is not what the annotations ask for"), "{found}");
    }
}

#[test]
fn a_step_that_is_reused_in_another_way_than_its_annotations_say() {
    let copy = copy(&[("reuse", "true"), ("reuse-files", "/a")]).to_string();
    for (from, to) in [("--reuse-file=/a", "--reuse-file=/b"), ("--reuse=true", "--reuse=false")] {
        let changed: Value = serde_json::from_str(&copy.replace(from, to)).unwrap();
        assert!(refusal(&changed, "").contains("is not what the annotations ask for"), "{to}");
    }
}
