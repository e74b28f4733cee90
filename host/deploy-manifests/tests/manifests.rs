//! The folder `manifests` contains what the code generates. `ORASCACHE_BLESS=1` writes it again.

use deploy_manifests::manifests::{AVAILABLE_REPLICAS, EXAMPLE_NAMESPACES, FOLDERS};
use deploy_manifests::names::CLIENT_CA_SECRET;
use deploy_manifests::peers::parse_peer;
use deploy_manifests::rights::all_roles;
use deploy_manifests::{CertificateSource, ClientCaSource, ManifestError, ManifestOptions};
use k8s_openapi::api::rbac::v1::PolicyRule;
use orascache_core::describe;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

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

#[test]
fn files_are_up_to_date() {
    let bless = std::env::var_os("ORASCACHE_BLESS").is_some();
    let mut different = Vec::new();
    for (path, text) in generated(&ManifestOptions::default()) {
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
    let mut expected: BTreeSet<String> = generated(&ManifestOptions::default()).into_keys().collect();
    let mut stale = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
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
                !["samples/", "certmanager/", "gates/", "listed-namespaces/"]
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
fn kustomize_builds_the_same_objects() {
    kustomize_builds(&root(), &ManifestOptions::default());
}

#[test]
fn kustomize_builds_the_same_objects_for_listed_namespaces() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("listed-namespaces");
    write(&folder, generated(&listed()));
    kustomize_builds(&folder, &listed());
}

#[test]
fn the_component_client_ca_mounts_what_the_option_mounts() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client-ca");
    let base = folder.join("base");
    write(&base, generated(&ManifestOptions::default()));
    for overlay in ["default", "certmanager", "gates"] {
        let kustomization = format!("resources: [../base/{overlay}]\ncomponents: [../base/client-ca]\n");
        write(&folder, [(format!("{overlay}/kustomization.yaml"), kustomization)]);
    }
    let client_ca = Some(ClientCaSource::Secret(CLIENT_CA_SECRET.to_owned()));
    kustomize_builds(&folder, &ManifestOptions { client_ca, ..ManifestOptions::default() });
}

/// The objects that kustomize builds from a folder. None where kubectl is missing, after saying so.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
fn kustomize(folder: &Path) -> Option<Vec<Value>> {
    let output = match Command::new("kubectl").arg("kustomize").arg(folder).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: kubectl cannot be run: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(documents(&String::from_utf8(output.stdout).expect("UTF-8")))
}

fn write(folder: &Path, files: impl IntoIterator<Item = (String, String)>) {
    for (path, text) in files {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(file, text).expect("the file is written");
    }
}

/// The folders in which kustomize builds the objects of these options, and what each of them changes.
fn overlays(options: &ManifestOptions) -> Vec<(&'static str, ManifestOptions)> {
    let options = || options.clone();
    let certificates = CertificateSource::CertManager;
    vec![
        ("default", options()),
        ("certmanager", ManifestOptions { certificates, ..options() }),
        ("gates", ManifestOptions { gates: true, ..options() }),
    ]
}

#[test]
fn kustomize_builds_what_the_options_without_webhooks_and_with_listed_namespaces_build() {
    let without = ManifestOptions { webhooks: false, ..ManifestOptions::default() };
    let namespaces = EXAMPLE_NAMESPACES.map(str::to_owned).to_vec();
    let listed = ManifestOptions { namespaces, ..ManifestOptions::default() };
    builds(&root(), [("no-webhook", without), ("listed-namespaces", listed.clone())]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("listed-without-webhooks");
    write(&folder, generated(&listed));
    builds(&folder, [("no-webhook", ManifestOptions { webhooks: false, ..listed })]);
}

#[test]
fn the_component_high_availability_changes_every_overlay_as_the_option_does() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("high-availability");
    let base = folder.join("base");
    write(&base, generated(&ManifestOptions::default()));
    let mut overlays = overlays(&ManifestOptions::default());
    overlays.push(("no-webhook", ManifestOptions { webhooks: false, ..ManifestOptions::default() }));
    for (overlay, options) in &mut overlays {
        let kustomization =
            format!("resources: [../base/{overlay}]\ncomponents: [../base/high-availability]\n");
        write(&folder, [(format!("{overlay}/kustomization.yaml"), kustomization)]);
        (options.high_availability, options.replicas) = (true, AVAILABLE_REPLICAS);
    }
    builds(&folder, overlays);
}

#[test]
fn kustomize_builds_the_same_objects_from_another_registry() {
    let options =
        ManifestOptions { registry: Some("mirror.test:5000/k8s".to_owned()), ..ManifestOptions::default() };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mirrored");
    write(&folder, generated(&options));
    kustomize_builds(&folder, &options);
}

fn kustomize_builds(root: &Path, options: &ManifestOptions) {
    builds(root, overlays(options));
}

fn builds(root: &Path, folders: impl IntoIterator<Item = (&'static str, ManifestOptions)>) {
    for (folder, options) in folders {
        let Some(built) = kustomize(&root.join(folder)) else { return };
        let objects = objects(&options).expect("these options can be used");
        let (mut built, mut expected) = (by_identity(built), by_identity(objects));
        built.values_mut().chain(expected.values_mut()).for_each(|object| {
            sort_volumes(object);
            whole_numbers(object);
        });
        assert_eq!(
            built.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "objects of {folder}"
        );
        for (identity, object) in expected {
            assert_eq!(built[&identity], object, "{identity} of {folder}");
        }
    }
}

#[test]
fn a_prefix_of_kustomize_reaches_every_place_that_has_a_name() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefixed");
    write(&folder.join("base"), generated(&ManifestOptions::default()));
    // As the README says.
    let readme = &generated(&ManifestOptions::default())["README.md"];
    let (_, section) = readme.split_once("## Change names").expect("a section");
    let (_, code) = section.split_once("```yaml\n").expect("code");
    let (names, _) = code.split_once("```").expect("its end");
    let kustomization =
        "resources: [base/default]\nnamePrefix: my-\nnameSuffix: -x\nconfigurations: [names.yaml]\n";
    for (name, text) in [("names.yaml", names), ("kustomization.yaml", kustomization)] {
        std::fs::write(folder.join(name), text).expect("the file is written");
    }
    let Some(built) = kustomize(&folder) else { return };
    let of = |kind: &str| built.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
    let service = text(of("Service")[0], "/metadata/name");
    assert_eq!(service, "my-orascache-webhook-x");
    let configurations = [of("MutatingWebhookConfiguration"), of("ValidatingWebhookConfiguration")].concat();
    assert_eq!(configurations.len(), 2);
    for configuration in &configurations {
        assert_eq!(text(configuration, "/metadata/name"), "my-orascache-x");
        for webhook in configuration["webhooks"].as_array().expect("webhooks") {
            assert_eq!(text(webhook, "/clientConfig/service/name"), service);
        }
    }
    let rules = of("ClusterRole").into_iter().flat_map(|role| role["rules"].as_array().into_iter().flatten());
    let named: Vec<&Value> = rules.filter(|rule| rule.get("resourceNames").is_some()).collect();
    assert_eq!(named.len(), 1, "the two webhook configurations");
    assert_eq!(named[0]["resourceNames"], json!(["my-orascache-x"]));
    let variables = of("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let variable = |name: &str| {
        let all = variables.as_array().expect("variables");
        all.iter().find(|variable| variable["name"] == name).expect(name)["value"].clone()
    };
    assert_eq!(variable("ORASCACHE_WEBHOOK_SERVICE"), service);
    assert_eq!(variable("ORASCACHE_WEBHOOK_CONFIGURATION"), "my-orascache-x");
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

/// kustomize writes numbers of schemas such as 1.0 as 1.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().map(|number| number as i64);
            if let Some(whole) = whole.filter(|whole| number.as_f64() == Some(*whole as f64)) {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// kustomize may reorder lists that it merges by name.
fn sort_volumes(object: &mut Value) {
    // The order of arguments that begin with -- means nothing.
    if let Some(Value::Array(arguments)) = object.pointer_mut("/spec/template/spec/containers/0/args") {
        arguments.sort_by_key(Value::to_string);
    }
    for list in ["/spec/template/spec/volumes", "/spec/template/spec/containers/0/volumeMounts"] {
        if let Some(list) = object.pointer_mut(list).and_then(Value::as_array_mut) {
            list.sort_by_key(|item| text(item, "/name").to_owned());
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
