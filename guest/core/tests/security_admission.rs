//! Security: pods that try to get around the settings of an administrator, or to get at
//! credentials.

mod reviewing;

use orascache_contract::{Context, Response};
use orascache_core::admission;
use serde_json::{Value, json};

const PREFIX: &str = "oras.converged-computing.github.io/";
const MARKER: &str = "/metadata/annotations/cache.converged-computing.github.io~1injected";

/// A pod with these step annotations, and with inputs and output.
fn pod(annotations: &[(&str, &str)]) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step", "annotations": {}},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": "busybox", "command": ["sh"], "workingDir": "/data"},
        ]},
    });
    let usual = [
        ("oras-cache", "shared"),
        ("input-uri", "in:1"),
        ("output-uri", "out:1"),
        ("output-path", "/data/x"),
    ];
    for (name, value) in usual.iter().chain(annotations) {
        pod["metadata"]["annotations"][format!("{PREFIX}{name}")] = json!(value);
    }
    pod
}

fn review(object: &Value, settings: &str) -> Response {
    let context = Context {
        objects: vec![reviewing::cache("shared")],
        complete: true,
        settings: settings.to_owned(),
        ..Context::default()
    };
    reviewing::decided(admission::review(&reviewing::wrap(object, None), &context).expect("a review"))
}

fn refusal(object: &Value, settings: &str) -> String {
    review(object, settings).refusal().map(|refusal| refusal.message.clone()).unwrap_or_default()
}

/// A rewritten pod, as a copy of it would be created.
fn copy(annotations: &[(&str, &str)]) -> Value {
    let pod = pod(annotations);
    let response = review(&pod, "");
    assert!(response.patch().is_some(), "{response:?}");
    reviewing::patched(&pod, &response)
}

fn with_credentials() -> Value {
    copy(&[("registry", "ghcr.io"), ("oras-env", "mine")])
}

#[test]
fn registries_of_other_namespaces_are_refused_by_every_name() {
    for registry in [
        "http://shared-0.shared.victim.svc:5000",
        "http://SHARED-0.Shared.Victim.SVC:5000",
        "shared.victim.svc",
        "https://shared.victim.svc:443",
        "http://shared.victim.svc.cluster.local:5000",
        "http://shared-0.shared.victim.svc.cluster.local:5000",
        "http://shared.victim.svc.other.domain:5000",
        "http://shared.victim:5000",
        "http://shared-0.shared.victim:5000",
        "http://shared-1.shared.victim",
    ] {
        let pod = pod(&[("registry", registry)]);
        let found = refusal(&pod, "");
        assert!(found.contains("which is shared in namespace victim"), "{registry}: {found}");
        for settings in [r#"{"allowedCaches":["victim/shared"]}"#, r#"{"allowedCaches":["victim/*"]}"#] {
            assert_eq!(refusal(&pod, settings), "", "{registry}");
        }
        for settings in [r#"{"allowedCaches":["victim/other"]}"#, r#"{"allowedCaches":["lab/*"]}"#] {
            assert_ne!(refusal(&pod, settings), "", "{registry}");
        }
    }
    // Only a pod of the step's own cache may be meant by a name that could be another namespace's.
    assert!(refusal(&pod(&[("registry", "http://other-0.other:5000")]), "").contains("namespace other"));
    // A trailing dot is not part of a host here.
    assert!(refusal(&pod(&[("registry", "http://shared.victim.svc.:5000")]), "").contains("not a host"));
}

#[test]
fn other_hosts_are_not_limited_by_allowed_caches() {
    for registry in [
        "ghcr.io",
        "registry.example.org:5000",
        "http://10.0.0.1:5000",
        "[fd00::1]:5000",
        "localhost:5000",
        "http://shared-0.shared.lab.svc:5000",
        "http://shared.lab:5000",
        "http://other:5000",
        "http://shared-0.shared:5000",
    ] {
        assert_eq!(refusal(&pod(&[("registry", registry)]), r#"{"allowedCaches":[]}"#), "", "{registry}");
    }
    // The domain of the cluster tells Services from other hosts.
    let elsewhere = pod(&[("registry", "a.b.svc.example.org")]);
    assert_eq!(refusal(&elsewhere, r#"{"clusterDomain":"cluster.local"}"#), "");
}

#[test]
fn search_domains_do_not_lead_to_other_namespaces() {
    for (registry, search, is_refused) in [
        ("http://shared:5000", "victim.svc.cluster.local", true),
        ("http://shared-0.shared:5000", "victim.svc", true),
        ("http://shared-0:5000", "Shared.Victim.svc.", true),
        ("http://shared:5000", "lab.svc.cluster.local", false),
        ("http://shared:5000", "example.org", false),
        ("ghcr.io", "victim.svc.cluster.local", false),
    ] {
        let mut pod = pod(&[("registry", registry)]);
        pod["spec"]["dnsConfig"] = json!({"searches": ["example.com", search]});
        assert_eq!(refusal(&pod, "").contains("namespace victim"), is_refused, "{registry} and {search}");
    }
}

#[test]
fn a_job_may_not_name_registries_of_other_namespaces() {
    let pod = pod(&[("registry", "http://shared.victim.svc:5000")]);
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"},
        "spec": {"template": {"metadata": pod["metadata"], "spec": pod["spec"]}},
    });
    assert!(refusal(&job, "").contains("shared in namespace victim"));
}

#[test]
fn credentials_are_files_of_the_proxy_alone() {
    let pod = with_credentials();
    let proxy = &pod["spec"]["initContainers"][1];
    assert_eq!((&proxy["name"], &proxy["env"]), (&json!("oras"), &Value::Null));
    assert_eq!(proxy["securityContext"]["runAsUser"], 65531);
    assert!(proxy["command"].as_array().unwrap().contains(&json!("--credentials=/orascache-credentials")));
    let volume =
        pod["spec"]["volumes"].as_array().unwrap().iter().find(|one| one["name"] == "orascache-credentials");
    assert_eq!(volume.unwrap()["projected"]["defaultMode"], 0o444);
    for container in [&pod["spec"]["initContainers"][0], &pod["spec"]["containers"][0]] {
        assert!(!container.to_string().contains("credentials"), "{container}");
    }
}

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
fn changed_parts_of_a_copy_are_refused() {
    let proxy = "/spec/initContainers/1";
    let evil = "--registry=https://evil.example.net";
    for (path, value, wanted) in [
        ("/spec/containers/0/command/2", json!(evil), "the command of container app is not"),
        ("/spec/containers/0/command/4", json!("--input=other:1"), "the command of container app is not"),
        ("/spec/containers/0/command/1", json!("pull"), "the command of container app is not"),
        ("/spec/containers/0/command/3", json!("word"), "the command of container app is not"),
        // Kubernetes expands variables, so that any flag may come out of one.
        ("/spec/containers/0/command/6", json!("--$(FLAG)"), "the command of container app is not"),
        ("/spec/containers/0/command/6", json!("--x=$$$(FLAG)"), "the command of container app is not"),
        (
            "/spec/containers/0/volumeMounts/0/mountPath",
            json!("/other"),
            "does not mount volume orascache-agent",
        ),
        ("/spec/containers/0/volumeMounts/0/readOnly", json!(false), "mounts volume orascache-agent"),
        ("/spec/initContainers/0/command", json!(["sh"]), "no init container oras-install installs"),
        (
            "/spec/volumes/0",
            json!({"name": "orascache-agent", "hostPath": {"path": "/"}}),
            "is not an emptyDir",
        ),
        (&format!("{proxy}/command/2"), json!(evil), "container oras does not serve"),
        (&format!("{proxy}/command/6"), json!("--push=other:1"), "container oras does not serve"),
        // Arguments continue the command.
        (&format!("{proxy}/args"), json!(["--pull=other:1"]), "container oras does not serve"),
        ("/spec/initContainers/0/args", json!(["/other"]), "no init container oras-install installs"),
        (
            &format!("{proxy}/env"),
            json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "other", "key": "a"}}}]),
            "credentials that are not those",
        ),
        (
            &format!("{proxy}/envFrom"),
            json!([{"secretRef": {"name": "other"}}]),
            "credentials that are not those",
        ),
        ("/spec/volumes/1/projected/sources/0/secret/name", json!("other"), "credentials that are not those"),
        (
            "/spec/volumes/1",
            json!({"name": "orascache-credentials", "secret": {"secretName": "other"}}),
            "credentials that are not those",
        ),
        (
            "/metadata/annotations/oras.converged-computing.github.io~1registry",
            json!("quay.io"),
            "is not what the annotations ask for",
        ),
        (
            "/metadata/annotations/oras.converged-computing.github.io~1oras-env",
            json!("other"),
            "credentials that are not those",
        ),
    ] {
        let mut pod = with_credentials();
        match pod.pointer_mut(path) {
            Some(place) => *place = value,
            None => {
                let (parent, name) = path.rsplit_once('/').unwrap();
                pod.pointer_mut(parent).unwrap()[name] = value;
            }
        }
        let found = refusal(&pod, "");
        assert!(found.contains(wanted), "{path}: {found}");
        // No Secret is named, neither the expected one nor the one that is there.
        assert!(!found.contains("mine") && !found.contains("other\""), "{found}");
    }
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
fn a_marker_without_any_part_is_only_an_annotation() {
    let mut pod = pod(&[]);
    *pod.pointer_mut("/metadata/annotations").unwrap() = {
        let mut annotations = pod["metadata"]["annotations"].clone();
        annotations[MARKER.rsplit_once('/').unwrap().1.replace("~1", "/")] = json!("v1");
        annotations
    };
    assert!(review(&pod, "").patch().is_some());
}

#[test]
fn refusals_and_warnings_name_no_secret() {
    let cache = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "vault", "namespace": "lab"}, "spec": {"secrets": {"orasEnv": "bank-keys"}},
    });
    let context = Context { objects: vec![cache.to_string()], complete: true, ..Context::default() };
    for registry in ["ghcr.io", "http://ghcr.io", "http://shared.victim:5000"] {
        let mut pod = pod(&[("oras-cache", "vault"), ("registry", registry)]);
        for shares in [false, true] {
            pod["spec"]["shareProcessNamespace"] = json!(shares);
            let outcome = admission::review(&reviewing::wrap(&pod, None), &context).expect("a review");
            assert!(!format!("{:?}", reviewing::decided(outcome)).contains("bank-keys"), "{registry}");
        }
    }
}
