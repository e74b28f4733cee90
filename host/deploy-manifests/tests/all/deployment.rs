//! What the operator's container is told, together with what its pod mounts.

use deploy_manifests::{CertificateSource, ClientCaSource, ManifestOptions};
use orascache_contract::Observed;
use orascache_core::describe;
use serde_json::{Value, json};
use std::path::Path;

/// The Deployment that is applied.
fn deployment(options: &ManifestOptions) -> Value {
    let objects = deploy_manifests::objects(options, &describe()).expect("these options can be used");
    objects.into_iter().find(|object| object["kind"] == "Deployment").expect("a Deployment")
}

fn container(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]
}

/// The value of an argument, with variables replaced as the kubelet does.
fn argument(deployment: &Value, name: &str) -> Option<String> {
    let container = container(deployment);
    let arguments = container["args"].as_array().expect("arguments").iter().filter_map(Value::as_str);
    let given = arguments.filter_map(|argument| argument.strip_prefix(name)?.strip_prefix('=')).next()?;
    let mut value = given.to_owned();
    for variable in container["env"].as_array().expect("variables") {
        let from_pod = &variable["valueFrom"]["fieldRef"]["fieldPath"];
        let resolved = match from_pod.as_str() {
            Some("metadata.namespace") => deployment["metadata"]["namespace"].as_str(),
            _ => variable["value"].as_str(),
        };
        let name = variable["name"].as_str().expect("a name");
        value = value.replace(&format!("$({name})"), resolved.unwrap_or_default());
    }
    Some(value)
}

#[test]
fn every_cache_admits_the_operator_in_whatever_namespace_it_runs() {
    for namespace in ["orascache-system", "elsewhere"] {
        let options = ManifestOptions { namespace: namespace.to_owned(), ..ManifestOptions::default() };
        let default = argument(&deployment(&options), "--default-setting").expect("the argument");
        let (name, value) = default.split_once('=').expect("a setting");
        let settings = json!({name: value}).to_string();
        let primary = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache",
            "metadata":{"name":"demo","namespace":"lab","uid":"u"}}"#;
        let observed = Observed { primary, settings: settings.as_str(), ..Observed::default() };
        let plan = orascache_core::reconcile(&observed).expect("the settings are accepted");
        let policy = plan.apply.iter().find(|object| object.contains("NetworkPolicy")).expect("a policy");
        assert!(policy.contains(&format!("\"{namespace}\"")), "{policy}");
    }
}

#[test]
fn a_client_ca_is_mounted_where_the_operator_reads_it() {
    let sources = [
        (
            ClientCaSource::Secret("callers".to_owned()),
            json!({"secretName": "callers", "items": [{"key": "ca.crt", "path": "ca.crt"}]}),
            "secret",
        ),
        (
            ClientCaSource::ConfigMap("callers".to_owned()),
            json!({"name": "callers", "items": [{"key": "ca.crt", "path": "ca.crt"}]}),
            "configMap",
        ),
    ];
    for (client_ca, expected, kind) in sources {
        for certificates in [CertificateSource::Managed, CertificateSource::CertManager] {
            let client_ca = Some(client_ca.clone());
            let deployment =
                deployment(&ManifestOptions { certificates, client_ca, ..ManifestOptions::default() });
            let file = argument(&deployment, "--webhook-client-ca").expect("the argument");
            let file = Path::new(&file);
            assert_eq!(file.file_name().expect("a file"), "ca.crt");
            let mounts = container(&deployment)["volumeMounts"].as_array().expect("mounts");
            let folder = file.parent().expect("a folder").to_str();
            let mount = mounts.iter().find(|mount| mount["mountPath"].as_str() == folder).expect("the mount");
            assert_eq!((&mount["readOnly"], mount.get("subPath")), (&json!(true), None));
            let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes");
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).expect("the volume");
            assert_eq!(volume[kind], expected);
        }
    }
    assert_eq!(argument(&deployment(&ManifestOptions::default()), "--webhook-client-ca"), None);
}
