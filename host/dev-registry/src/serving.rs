//! How a registry pod is to be served, as its container says it: by the variables of the distribution
//! registry, or by the configuration of zot.

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;
use serde_json::Value;

/// Annotation of a pod with the configuration of zot.
const ZOT_CONFIGURATION: &str = "cache.converged-computing.github.io/zot-configuration";

/// A key of a Secret, which the pod mounts as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretFile {
    pub(crate) secret: String,
    pub(crate) key: String,
}

/// How a registry is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Serving {
    /// The certificate and its key, where the registry speaks HTTPS.
    pub(crate) tls: Option<[SecretFile; 2]>,
    /// The htpasswd file, where the registry asks for an account.
    pub(crate) accounts: Option<SecretFile>,
    pub(crate) is_read_only: bool,
    pub(crate) refuses_deletion: bool,
}

impl Serving {
    /// Reads the container of a pod. An error is a sentence about what cannot be served here.
    pub(crate) fn of(pod: &Pod, container: &str) -> Result<Self, String> {
        let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let container = containers.find(|one| one.name == container);
        let Some(container) = container else { return Ok(Serving::default()) };
        let configuration = pod.annotations().get(ZOT_CONFIGURATION);
        let asked = match configuration.map(|text| serde_json::from_str::<Value>(text)) {
            None => Asked::of_distribution(container),
            Some(Ok(configuration)) => Asked::of_zot(&configuration),
            Some(Err(error)) => return Err(format!("the configuration of zot is no JSON: {error}")),
        };
        if asked.fetches {
            return Err("a pull-through cache fetches from another registry, which dev does not".to_owned());
        }
        let file = |path: &String| {
            secret_file(pod, container, path)
                .ok_or_else(|| format!("the registry reads {path}, but the pod mounts no Secret there"))
        };
        Ok(Serving {
            tls: match &asked.tls {
                Some([certificate, key]) => Some([file(certificate)?, file(key)?]),
                None => None,
            },
            accounts: asked.accounts.as_ref().map(file).transpose()?,
            is_read_only: asked.is_read_only,
            refuses_deletion: asked.refuses_deletion,
        })
    }
}

/// What a configuration asks for, with paths in the container.
struct Asked {
    tls: Option<[String; 2]>,
    accounts: Option<String>,
    is_read_only: bool,
    refuses_deletion: bool,
    /// Whether it is a pull-through cache.
    fetches: bool,
}

impl Asked {
    fn of_distribution(container: &Container) -> Self {
        let value = |name: &str| {
            let variable = container.env.iter().flatten().find(|variable| variable.name == name)?;
            variable.value.clone()
        };
        let (certificate, key) = (value("REGISTRY_HTTP_TLS_CERTIFICATE"), value("REGISTRY_HTTP_TLS_KEY"));
        Asked {
            tls: certificate.zip(key).map(|(certificate, key)| [certificate, key]),
            accounts: value("REGISTRY_AUTH_HTPASSWD_PATH"),
            is_read_only: value("REGISTRY_STORAGE_MAINTENANCE_READONLY")
                .and_then(|text| serde_json::from_str::<Value>(&text).ok())
                .is_some_and(|value| value["enabled"] == true),
            refuses_deletion: value("REGISTRY_STORAGE_DELETE_ENABLED").is_some_and(|value| value == "false"),
            fetches: value("REGISTRY_PROXY_REMOTEURL").is_some(),
        }
    }

    fn of_zot(configuration: &Value) -> Self {
        let http = &configuration["http"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let policy = &http["accessControl"]["repositories"]["**"];
        let may = |action: &str| {
            ["anonymousPolicy", "defaultPolicy"]
                .iter()
                .filter_map(|name| policy[name].as_array())
                .any(|actions| actions.iter().any(|one| one == action))
        };
        Asked {
            tls: text(&http["tls"]["cert"]).zip(text(&http["tls"]["key"])).map(|(cert, key)| [cert, key]),
            accounts: text(&http["auth"]["htpasswd"]["path"]),
            is_read_only: policy.is_object() && !may("create"),
            refuses_deletion: policy.is_object() && !may("delete"),
            fetches: configuration["extensions"]["sync"]["enable"] == true,
        }
    }
}

/// The key of a Secret that is mounted at a path.
fn secret_file(pod: &Pod, container: &Container, path: &str) -> Option<SecretFile> {
    let mounts = container.volume_mounts.iter().flatten();
    let (name, file) =
        mounts.filter_map(|mount| Some((&mount.name, below(path, &mount.mount_path)?))).next()?;
    let volume = pod.spec.as_ref()?.volumes.iter().flatten().find(|volume| volume.name == *name)?;
    let source = volume.secret.as_ref()?;
    let key = match &source.items {
        Some(items) => items.iter().find(|item| item.path == file)?.key.clone(),
        None => file.to_owned(),
    };
    Some(SecretFile { secret: source.secret_name.clone()?, key })
}

fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::{SecretFile, Serving};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    fn pod(variables: &[(&str, &str)], configuration: Option<Value>) -> Pod {
        let variables: Vec<Value> =
            variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let annotations = configuration.map(|configuration| {
            json!({"cache.converged-computing.github.io/zot-configuration": configuration.to_string()})
        });
        let items = json!([{"key": "crt", "path": "tls.crt"}, {"key": "key", "path": "tls.key"}]);
        serde_json::from_value(json!({
            "metadata": {"name": "demo-0", "annotations": annotations},
            "spec": {
                "containers": [{
                    "name": "registry", "env": variables,
                    "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "accounts", "mountPath": "/accounts"}],
                }],
                "volumes": [
                    {"name": "tls", "secret": {"secretName": "demo-tls", "items": items}},
                    {"name": "accounts", "secret": {"secretName": "demo-account"}},
                ],
            },
        }))
        .expect("a pod")
    }

    fn everything() -> Serving {
        let file = |secret: &str, key: &str| SecretFile { secret: secret.to_owned(), key: key.to_owned() };
        Serving {
            tls: Some([file("demo-tls", "crt"), file("demo-tls", "key")]),
            accounts: Some(file("demo-account", "htpasswd")),
            is_read_only: true,
            refuses_deletion: true,
        }
    }

    #[test]
    fn variables_of_distribution_say_how_a_registry_is_served() {
        let pod = pod(
            &[
                ("REGISTRY_HTTP_TLS_CERTIFICATE", "/tls/tls.crt"),
                ("REGISTRY_HTTP_TLS_KEY", "/tls/tls.key"),
                ("REGISTRY_AUTH_HTPASSWD_PATH", "/accounts/htpasswd"),
                ("REGISTRY_STORAGE_MAINTENANCE_READONLY", r#"{"enabled":true}"#),
                ("REGISTRY_STORAGE_DELETE_ENABLED", "false"),
            ],
            None,
        );
        assert_eq!(Serving::of(&pod, "registry"), Ok(everything()));
    }

    #[test]
    fn the_configuration_of_zot_says_how_a_registry_is_served() {
        let configuration = json!({"http": {
            "tls": {"cert": "/tls/tls.crt", "key": "/tls/tls.key"},
            "auth": {"htpasswd": {"path": "/accounts/htpasswd"}},
            "accessControl": {"repositories": {"**": {"defaultPolicy": ["read"]}}},
        }});
        assert_eq!(Serving::of(&pod(&[], Some(configuration)), "registry"), Ok(everything()));
    }

    #[test]
    fn what_cannot_be_served_is_said() {
        let missing = Serving::of(&pod(&[("REGISTRY_AUTH_HTPASSWD_PATH", "/gone/a")], None), "registry");
        assert!(missing.is_err_and(|message| message.contains("/gone/a")));
        for pod in [
            pod(&[("REGISTRY_PROXY_REMOTEURL", "https://ghcr.io")], None),
            pod(&[], Some(json!({"extensions": {"sync": {"enable": true}}}))),
        ] {
            assert!(Serving::of(&pod, "registry").is_err_and(|message| message.contains("pull-through")));
        }
        assert_eq!(Serving::of(&pod(&[], None), "registry"), Ok(Serving::default()));
    }
}
