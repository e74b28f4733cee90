//! kustomize builds the objects that the options say.

use super::{by_identity, documents, generated, listed, objects, root, text};
use deploy_manifests::manifests::{AVAILABLE_REPLICAS, EXAMPLE_NAMESPACES};
use deploy_manifests::names::CLIENT_CA_SECRET;
use deploy_manifests::{CertificateSource, ClientCaSource, ManifestOptions};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

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
