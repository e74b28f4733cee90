//! Security: pods that try to get around the settings of an administrator, or to get at
//! credentials.

use crate::reviewing;
use crate::steps::{pod, refusal, review, with_credentials};
use orascache_contract::Context;
use orascache_core::admission;
use serde_json::{Value, json};

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

/// A pod that runs, with a volume of this name and these ephemeral containers.
fn running(volume: &str, containers: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step"},
        "spec": {
            "volumes": [{"name": "data"}, {"name": volume}],
            "initContainers": [{"name": "oras", "restartPolicy": "Always"}],
            "containers": [{"name": "app", "command": ["sh"]}],
            "ephemeralContainers": containers,
        },
    })
}

/// The refusal of an update of `pods/ephemeralcontainers`; empty where it is allowed.
fn refusal_of_update(old: &Value, new: &Value) -> String {
    let mut review: Value = serde_json::from_str(&reviewing::wrap(new, Some(old))).unwrap();
    review["request"]["subResource"] = json!("ephemeralcontainers");
    let outcome = admission::review(&review.to_string(), &Context::<String>::default());
    let response = reviewing::decided(outcome.expect("a review"));
    assert_eq!(response.patch(), None);
    response.refusal().map(|refusal| refusal.message.clone()).unwrap_or_default()
}

fn debugger(addition: Value) -> Value {
    let mut container = json!({"name": "debugger", "image": "busybox", "stdin": true});
    container.as_object_mut().unwrap().extend(addition.as_object().unwrap().clone());
    json!([container])
}

#[test]
fn ephemeral_containers_that_reach_credentials_are_refused() {
    let mount = |name: &str| json!({"volumeMounts": [{"name": name, "mountPath": "/x"}]});
    for (addition, wanted) in [
        (json!({"targetContainerName": "oras"}), "debugger has the targetContainerName oras"),
        (mount("orascache-credentials"), "debugger mounts volume orascache-credentials"),
        (mount("orascache-agent"), "debugger mounts volume orascache-agent"),
    ] {
        let containers = debugger(addition);
        let (old, new) =
            (running("orascache-credentials", &json!([])), running("orascache-credentials", &containers));
        let found = refusal_of_update(&old, &new);
        assert!(found.starts_with("spec.ephemeralContainers: ") && found.contains(wanted), "{found}");
        // The request cannot hide the volume, since the API server keeps it.
        assert_eq!(refusal_of_update(&old, &running("other", &containers)), found);
        // A pod without credentials has nothing to protect.
        assert_eq!(refusal_of_update(&running("other", &json!([])), &running("other", &containers)), "");
        // What is there already cannot change.
        assert_eq!(refusal_of_update(&new, &new), "");
    }
}

#[test]
fn other_ephemeral_containers_pass() {
    let read_only = json!({"name": "orascache-agent", "mountPath": "/x", "readOnly": true});
    for addition in [
        json!({}),
        json!({"targetContainerName": "app"}),
        json!({"volumeMounts": [{"name": "data", "mountPath": "/x"}, read_only]}),
    ] {
        let old = running("orascache-credentials", &json!([]));
        assert_eq!(refusal_of_update(&old, &running("orascache-credentials", &debugger(addition))), "");
    }
}

/// Names of the variables of a container, and of the volumes that it mounts.
fn names(container: &Value, list: &str) -> Vec<String> {
    let items = container[list].as_array().into_iter().flatten();
    items.map(|item| item["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn only_the_container_that_connects_gets_authorities_and_forward_proxies() {
    let settings = r#"{"forwardProxy":{"https":"http://proxy.lab:3128","noProxy":[".lab"]},
        "registryCA":"-----BEGIN CERTIFICATE-----\nMAQBAgME\n-----END CERTIFICATE-----"}"#;
    let network = [("registry", "harbor.example.org"), ("registry-ca", "secret/lab-ca/ca.crt")];
    let rewritten = |annotations: &[(&str, &str)]| {
        let pod = pod(annotations);
        reviewing::patched(&pod, &review(&pod, settings))
    };

    let with_credentials = rewritten(&[&network[..], &[("oras-env", "mine")]].concat());
    let (step, sidecar) =
        (&with_credentials["spec"]["containers"][0], &with_credentials["spec"]["initContainers"][1]);
    assert_eq!(
        (names(step, "env"), names(step, "volumeMounts")),
        (vec![], vec!["orascache-agent".to_owned()])
    );
    assert!(!step["command"].to_string().contains("proxy.lab"), "{step}");
    let variables = ["HTTPS_PROXY", "NO_PROXY", "ORASCACHE_CA_FILE", "ORASCACHE_CA_PEM"];
    assert_eq!(names(sidecar, "env"), variables);

    // The command of the step gets the variables of its container, less those of the agent.
    let without = rewritten(&network);
    let step = &without["spec"]["containers"][0];
    assert_eq!(names(step, "env"), ["ORASCACHE_CA_FILE", "ORASCACHE_CA_PEM"]);
    assert!(step["command"].to_string().contains("--https-proxy=http://proxy.lab:3128"), "{step}");

    // The cache's own registry is in the cluster.
    let own = rewritten(&[]);
    assert_eq!(names(&own["spec"]["containers"][0], "env"), Vec::<String>::new());
    assert!(!own.to_string().contains("proxy.lab") && !own.to_string().contains("CERTIFICATE"), "{own}");
}

#[test]
fn refusals_and_warnings_do_not_name_the_secret_of_an_authority() {
    for value in ["secret/hidden", "secret/hidden/a/b", "hidden"] {
        let response = review(&pod(&[("registry", "ghcr.io"), ("registry-ca", value)]), "");
        assert!(!response.is_allowed() && !format!("{response:?}").contains("hidden"), "{response:?}");
    }
    let response = review(&pod(&[("registry-ca", "secret/hidden/ca.crt")]), "");
    assert!(response.is_allowed() && !response.warnings.is_empty());
    assert!(!format!("{response:?}").contains("hidden"), "{response:?}");
}

#[test]
fn flags_behind_the_program_of_an_engine_are_compared() {
    let argo = json!(["/var/run/argo/argoexec", "emissary", "--", "run"]);
    let tekton = json!(["/tekton/bin/entrypoint"]);
    for (list, command, args) in
        [("command", argo, json!(["x"])), ("args", tekton, json!(["-entrypoint", "run", "--", "x"]))]
    {
        let mut manifest = pod(&[("registry", "ghcr.io"), ("oras-env", "mine")]);
        manifest["spec"]["containers"][0]["command"] = command;
        manifest["spec"]["containers"][0]["args"] = args;
        let mut copy = reviewing::patched(&manifest, &review(&manifest, ""));
        assert_eq!(refusal(&copy, ""), "", "a copy as it was made");
        let words = copy["spec"]["containers"][0][list].as_array_mut().expect("a list");
        let registry = words.iter_mut().find(|word| **word == "--registry=https://ghcr.io");
        *registry.expect("the flag") = json!("--registry=https://elsewhere.example");
        assert!(refusal(&copy, "").contains("is not what the annotations ask for"), "{copy}");
    }
}
