//! The module as policy servers load it.

use super::{MODULE, folder};
use guest_build::{custom_section, is_module, module_imports};
use orascache_tests::KUBEWARDEN;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// policy-evaluator checks this before it runs a module (`policy_metadata.rs`).
#[test]
fn the_module_has_imports_exports_and_metadata_of_a_policy() {
    assert!(is_module(KUBEWARDEN));
    let imports = module_imports(KUBEWARDEN).expect("a module");
    assert!(!imports.is_empty() && imports.iter().all(|(module, _)| module == "wapc"), "{imports:?}");
    let exports: BTreeSet<&str> = MODULE.exports().map(|export| export.name()).collect();
    for wanted in ["memory", "wapc_init", "__guest_call"] {
        assert!(exports.contains(wanted), "{wanted} in {exports:?}");
    }
    assert!(!exports.contains("_initialize") && !exports.contains("_start"), "{exports:?}");
    assert!(KUBEWARDEN.len() < 537 << 10, "{} bytes", KUBEWARDEN.len());

    let section =
        custom_section(KUBEWARDEN, "io.kubewarden.metadata").expect("a module").expect("the section");
    let metadata: Value = serde_json::from_slice(section).expect("JSON");
    assert_eq!(metadata["protocolVersion"], "v1");
    assert_eq!(metadata["executionMode"], "kubewarden-wapc");
    assert_eq!(metadata["policyType"], "kubernetes");
    assert_eq!(metadata["mutating"], true);
    assert!(metadata["backgroundAudit"].is_boolean());
    let rules = metadata["rules"].as_array().expect("rules");
    let resources: Vec<&Value> = rules.iter().map(|rule| &rule["resources"][0]).collect();
    assert_eq!(resources, ["pods", "pods/ephemeralcontainers", "jobs", "orascaches"]);
    for rule in rules {
        for list in ["apiGroups", "apiVersions", "resources", "operations"] {
            assert!(
                rule[list]
                    .as_array()
                    .is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string)),
                "{rule}"
            );
        }
    }
    assert_eq!(
        metadata["contextAwareResources"],
        json!([
            {"apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache"},
            {"apiVersion": "v1", "kind": "Namespace"},
        ])
    );
    let annotations = metadata["annotations"].as_object().expect("annotations");
    assert!(annotations.values().all(Value::is_string));
    let annotation =
        |name: &str| annotations[&format!("io.kubewarden.policy.{name}")].as_str().expect("text");
    assert_eq!(annotation("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(annotation("license"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(annotation("source"), env!("CARGO_PKG_REPOSITORY"));
    assert_eq!(
        annotation("usage"),
        fs::read_to_string(folder("guest/kubewarden/README.md")).expect("a file")
    );
    for name in ["title", "description", "author", "url", "ociUrl", "severity", "category"] {
        assert!(!annotation(name).is_empty(), "{name}");
    }

    // The page for Artifact Hub has the same values.
    let page = fs::read_to_string(folder("guest/kubewarden/artifacthub-pkg.yml")).expect("a file");
    let page: Value = serde_saphyr::from_str(&page).expect("YAML");
    assert_eq!(page["version"], annotation("version"));
    assert_eq!(page["name"], annotation("title"));
    assert_eq!(page["description"], annotation("description"));
    let image = format!("{}:v{}", annotation("ociUrl"), annotation("version"));
    assert_eq!(page["containersImages"], json!([{"name": "policy", "image": image}]));
    for (name, member) in
        [("kubewarden/rules", "rules"), ("kubewarden/contextAwareResources", "contextAwareResources")]
    {
        let listed: Value =
            serde_saphyr::from_str(page["annotations"][name].as_str().expect("text")).expect("YAML");
        assert_eq!(listed, metadata[member], "{name}");
    }
}
