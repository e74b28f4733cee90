//! The folder `manifests` contains what the code generates. `ORASCACHE_BLESS=1` writes it again.

mod kustomize;

use deploy_manifests::manifests::FOLDERS;
use deploy_manifests::peers::parse_peer;
use deploy_manifests::rights::all_roles;
use deploy_manifests::{CertificateSource, ManifestError, ManifestOptions};
use k8s_openapi::api::rbac::v1::PolicyRule;
use orascache_core::describe;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The list of all objects for OrasCaches.
fn objects(options: &ManifestOptions) -> Result<Vec<Value>, ManifestError> {
    deploy_manifests::objects(options, &describe())
}

/// The files for OrasCaches.
fn files(options: &ManifestOptions) -> Result<Vec<(String, String)>, ManifestError> {
    deploy_manifests::files(options, &describe())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests")
}

fn generated(options: &ManifestOptions) -> BTreeMap<String, String> {
    let files = files(options).expect("these options can be used");
    let count = files.len();
    let files: BTreeMap<_, _> = files.into_iter().collect();
    assert_eq!(files.len(), count, "no path is generated twice");
    files
}

/// All documents of a YAML file.
fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Objects by kind, namespace and name.
fn by_identity(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let identity = |object: &Value| {
        ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"]
            .map(|part| text(object, part))
            .join(" ")
    };
    let count = objects.len();
    let map: BTreeMap<_, _> = objects.into_iter().map(|object| (identity(&object), object)).collect();
    assert_eq!(map.len(), count, "no object is listed twice");
    map
}

/// All files below `manifests`.
fn all_files() -> BTreeMap<String, String> {
    let mut files = generated(&ManifestOptions::default());
    files.extend(deploy_manifests::chart::files(&describe()).expect("a chart"));
    files
}

#[test]
fn files_are_up_to_date() {
    let bless = std::env::var_os("ORASCACHE_BLESS").is_some();
    let mut different = Vec::new();
    for (path, text) in all_files() {
        let file = root().join(&path);
        if bless {
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder is made");
            std::fs::write(&file, &text).expect("the file is written");
        }
        if std::fs::read_to_string(&file).unwrap_or_default() != text {
            different.push(path);
        }
    }
    assert!(different.is_empty(), "out of date: {different:?}; run this test with ORASCACHE_BLESS=1");
}

#[test]
fn there_are_no_other_files() {
    let mut expected: BTreeSet<String> = all_files().into_keys().collect();
    let mut stale = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                // The manifest of the plugin for kubectl is a template for releases, and no object.
                if !path.ends_with("krew") {
                    folders.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            if !expected.remove(&name) {
                stale.push(name);
            }
        }
    }
    assert!(
        stale.is_empty(),
        "the code does not generate {stale:?}: delete them, or list samples in samples.rs"
    );
    assert!(expected.is_empty(), "missing: {expected:?}; run these tests with ORASCACHE_BLESS=1");
}

#[test]
fn every_file_is_part_of_a_kustomization() {
    let files = generated(&ManifestOptions::default());
    // Samples have none: `kubectl apply -f samples` takes a folder only without a kustomization.
    for folder in FOLDERS.into_iter().filter(|folder| *folder != "samples") {
        let kustomization = &documents(&files[&format!("{folder}/kustomization.yaml")])[0];
        let list = |name: &str| kustomization[name].as_array().cloned().unwrap_or_default();
        let resources = list("resources").into_iter();
        // Other patches are inline.
        let patches = list("patches").into_iter().filter_map(|patch| patch.get("path").cloned());
        let named: BTreeSet<String> =
            resources.chain(patches).map(|path| path.as_str().expect("a path").to_owned()).collect();
        for path in &named {
            match path.strip_prefix("../") {
                Some(other) => assert!(FOLDERS.contains(&other), "{folder} names {path}"),
                None => assert!(files.contains_key(&format!("{folder}/{path}")), "{folder} names {path}"),
            }
        }
        for path in files.keys().filter_map(|path| path.strip_prefix(&format!("{folder}/"))) {
            assert!(path == "kustomization.yaml" || named.contains(path), "{folder} leaves {path} out");
        }
    }
}

/// Options for two listed namespaces and a bounded webhook port.
fn listed() -> ManifestOptions {
    ManifestOptions {
        namespaces: vec!["team-a".to_owned(), "team-b".to_owned()],
        webhook_from: vec![parse_peer("10.0.0.0/28").expect("a peer")],
        ..ManifestOptions::default()
    }
}

#[test]
fn folders_contain_all_objects() {
    for options in [ManifestOptions::default(), listed()] {
        let in_folders = generated(&options)
            .into_iter()
            .filter(|(path, _)| path.ends_with(".yaml") && !path.ends_with("kustomization.yaml"))
            .filter(|(path, _)| {
                !["samples/", "certmanager/", "gates/", "kubewarden/", "listed-namespaces/"]
                    .iter()
                    .any(|other| path.starts_with(other))
            })
            .flat_map(|(_, text)| documents(&text))
            .collect();
        let objects = objects(&options).expect("these options can be used");
        assert_eq!(by_identity(in_folders), by_identity(objects));
    }
}

#[test]
fn webhooks_for_listed_namespaces_review_nothing_else() {
    let objects = objects(&listed()).expect("these options can be used");
    let configurations =
        objects.iter().filter(|object| text(object, "/kind").ends_with("WebhookConfiguration"));
    let webhooks: Vec<&Value> =
        configurations.flat_map(|object| object["webhooks"].as_array().into_iter().flatten()).collect();
    assert_eq!(webhooks.len(), 10);
    for webhook in webhooks {
        let selector = &webhook["namespaceSelector"];
        if text(webhook, "/name").starts_with("settings.") {
            let own = json!({"matchLabels": {"kubernetes.io/metadata.name": "orascache-system"}});
            assert_eq!(*selector, own);
        } else {
            let requirement = json!({
                "key": "kubernetes.io/metadata.name",
                "operator": "In",
                "values": ["team-a", "team-b"],
            });
            assert_eq!(*selector, json!({"matchExpressions": [requirement]}));
        }
    }
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    let arguments = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    assert!(arguments.as_array().expect("arguments").contains(&json!("--namespaces=team-a,team-b")));
}

#[test]
fn the_readme_lists_every_rule_of_every_role_with_its_reason() {
    for options in [ManifestOptions::default(), listed()] {
        let readme = &generated(&options)["README.md"];
        let roles = all_roles(&options, &describe());
        let mut listed_rules = BTreeSet::new();
        for right in roles.iter().flat_map(|role| &role.rights) {
            let row =
                format!("| {} | {} | {} |", right.resource_text(), right.verbs.join(", "), right.reason);
            assert!(readme.contains(&row), "{row}");
            listed_rules.insert(serde_json::to_string(&right.rule()).expect("JSON"));
        }
        for object in objects(&options).expect("these options can be used") {
            for rule in object["rules"].as_array().into_iter().flatten() {
                let rule: PolicyRule = serde_json::from_value(rule.clone()).expect("a rule");
                let text = serde_json::to_string(&rule).expect("JSON");
                assert!(listed_rules.contains(&text), "{}: {text}", object["kind"]);
            }
        }
    }
}

#[test]
fn options_reach_every_object() {
    for certificates in [CertificateSource::Managed, CertificateSource::CertManager] {
        let options = ManifestOptions {
            image: "registry.test/o@sha256:0".to_owned(),
            namespace: "elsewhere".to_owned(),
            replicas: 5,
            certificates,
            ..ManifestOptions::default()
        };
        let objects = objects(&options).expect("these options can be used");
        let all = serde_json::to_string(&objects).expect("JSON");
        assert!(!all.contains("orascache-system") && !all.contains("ghcr.io/converged-computing"));
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
        assert_eq!(deployment["spec"]["replicas"], 5);
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], options.image);
        let agent =
            container["env"].as_array().into_iter().flatten().find(|one| one["name"] == "AGENT_IMAGE");
        assert_eq!(agent.expect("the agent's image")["value"], options.image);
    }
    let options = ManifestOptions { namespace: "elsewhere".to_owned(), ..ManifestOptions::default() };
    for (path, text) in files(&options).expect("these options can be used") {
        assert!(!text.contains("orascache-system"), "{path}");
    }
    assert!(files(&ManifestOptions { replicas: 0, ..ManifestOptions::default() }).is_err());
    assert!(objects(&ManifestOptions { image: String::new(), ..ManifestOptions::default() }).is_err());
}

/// Every reference from one object to another must name an existing object.
#[test]
fn references_between_objects_resolve() {
    for certificates in [CertificateSource::Managed, CertificateSource::CertManager] {
        let objects = objects(&ManifestOptions { certificates, ..ManifestOptions::default() })
            .expect("the defaults can be used");
        let find = |kind: &str, name: &str| {
            objects
                .iter()
                .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
                .unwrap_or_else(|| panic!("there is no {kind} {name}"))
        };
        let pod = &find("Deployment", "orascache")["spec"]["template"];
        let labels = &pod["metadata"]["labels"];
        let service = find("Service", "orascache-webhook");
        for selector in [
            &find("Deployment", "orascache")["spec"]["selector"]["matchLabels"],
            &find("PodDisruptionBudget", "orascache")["spec"]["selector"]["matchLabels"],
            &find("NetworkPolicy", "orascache")["spec"]["podSelector"]["matchLabels"],
            &service["spec"]["selector"],
        ] {
            assert_eq!(selector, labels);
        }
        let container = &pod["spec"]["containers"][0];
        let ports: Vec<&str> =
            container["ports"].as_array().into_iter().flatten().map(|port| text(port, "/name")).collect();
        assert!(ports.contains(&text(service, "/spec/ports/0/targetPort")));
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert!(ports.contains(&text(container, &format!("/{probe}/httpGet/port"))), "{probe}");
        }
        find("ServiceAccount", text(pod, "/spec/serviceAccountName"));
        for kind in ["RoleBinding", "ClusterRoleBinding"] {
            for binding in objects.iter().filter(|object| object["kind"] == kind) {
                find(text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"));
                assert_eq!(text(binding, "/subjects/0/namespace"), "orascache-system");
                find("ServiceAccount", text(binding, "/subjects/0/name"));
            }
        }
        for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
            let configuration = find(kind, "orascache");
            for webhook in configuration["webhooks"].as_array().expect("webhooks") {
                let client = &webhook["clientConfig"]["service"];
                assert_eq!(client["name"], service["metadata"]["name"]);
                assert_eq!(client["namespace"], service["metadata"]["namespace"]);
                assert_eq!(client["port"], service["spec"]["ports"][0]["port"]);
                assert!(webhook["clientConfig"].get("caBundle").is_none());
            }
            let injection = configuration["metadata"]["annotations"].get("cert-manager.io/inject-ca-from");
            let issued = certificates == CertificateSource::CertManager;
            assert_eq!(injection.is_some(), issued);
            if let Some(injection) = injection.and_then(Value::as_str) {
                let (namespace, name) = injection.split_once('/').expect("namespace and name");
                assert_eq!(find("Certificate", name)["metadata"]["namespace"], namespace);
            }
        }
    }
}
