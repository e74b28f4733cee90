//! Why a pod's containers cannot start: something that they mount or read is missing.

use crate::controller::Error;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvFromSource, EnvVarSource, PersistentVolumeClaim, Pod, Secret, Volume,
};
use kube::{Api, Client, ResourceExt};

/// Reason and message of a waiting container, in the kubelet's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Obstacle {
    /// A reference of the container's configuration leads nowhere.
    fn configuration(message: String) -> Self {
        Self { reason: "CreateContainerConfigError", message }
    }
}

/// The first obstacle of a pod.
pub(super) async fn find(client: &Client, pod: &Pod) -> Result<Option<Obstacle>, Error> {
    let namespace = pod.namespace().unwrap_or_default();
    let Some(spec) = &pod.spec else { return Ok(None) };
    for volume in spec.volumes.iter().flatten() {
        if let Some(message) = volume_obstacle(client, &namespace, volume).await? {
            return Ok(Some(Obstacle { reason: "ContainerCreating", message }));
        }
    }
    for container in &spec.containers {
        if let Some(obstacle) = image_obstacle(container) {
            return Ok(Some(obstacle));
        }
        for source in container.env_from.iter().flatten() {
            if let Some(obstacle) = variables_obstacle(client, &namespace, source).await? {
                return Ok(Some(obstacle));
            }
        }
        for source in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
            if let Some(obstacle) = variable_obstacle(client, &namespace, source).await? {
                return Ok(Some(obstacle));
            }
        }
    }
    Ok(None)
}

/// What a volume needs and does not find, as a sentence.
async fn volume_obstacle(client: &Client, namespace: &str, volume: &Volume) -> Result<Option<String>, Error> {
    if let Some(claim) = &volume.persistent_volume_claim {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
        let is_missing = api.get_metadata_opt(&claim.claim_name).await?.is_none();
        return Ok(is_missing.then(|| format!("persistentvolumeclaim {:?} not found", claim.claim_name)));
    }
    let mut secrets = Vec::new();
    let mut maps = Vec::new();
    if let Some(source) = volume.secret.as_ref().filter(|source| source.optional != Some(true)) {
        secrets.extend(source.secret_name.as_deref());
    }
    if let Some(source) = volume.config_map.as_ref().filter(|source| source.optional != Some(true)) {
        maps.push(source.name.as_str());
    }
    let projected = volume.projected.as_ref().and_then(|projected| projected.sources.as_ref());
    for source in projected.into_iter().flatten() {
        let secret = source.secret.as_ref().filter(|source| source.optional != Some(true));
        secrets.extend(secret.map(|source| source.name.as_str()));
        let map = source.config_map.as_ref().filter(|source| source.optional != Some(true));
        maps.extend(map.map(|source| source.name.as_str()));
    }
    let failed = |what: String| format!("MountVolume.SetUp failed for volume {:?} : {what}", volume.name);
    for name in secrets {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        if api.get_metadata_opt(name).await?.is_none() {
            return Ok(Some(failed(format!("secret {name:?} not found"))));
        }
    }
    for name in maps {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        if api.get_metadata_opt(name).await?.is_none() {
            return Ok(Some(failed(format!("configmap {name:?} not found"))));
        }
    }
    Ok(None)
}

/// What `envFrom` needs and does not find.
async fn variables_obstacle(
    client: &Client,
    namespace: &str,
    source: &EnvFromSource,
) -> Result<Option<Obstacle>, Error> {
    if let Some(reference) = source.secret_ref.as_ref().filter(|source| source.optional != Some(true)) {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        if api.get_metadata_opt(&reference.name).await?.is_none() {
            return Ok(Some(Obstacle::configuration(format!("secret {:?} not found", reference.name))));
        }
    }
    if let Some(reference) = source.config_map_ref.as_ref().filter(|source| source.optional != Some(true)) {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        if api.get_metadata_opt(&reference.name).await?.is_none() {
            return Ok(Some(Obstacle::configuration(format!("configmap {:?} not found", reference.name))));
        }
    }
    Ok(None)
}

fn image_obstacle(container: &Container) -> Option<Obstacle> {
    let image = container.image.as_deref().unwrap_or_default();
    (!is_image_name(image)).then(|| Obstacle {
        reason: "InvalidImageName",
        message: format!("Failed to apply default image tag {image:?}: couldn't parse image name"),
    })
}

async fn variable_obstacle(
    client: &Client,
    namespace: &str,
    source: &EnvVarSource,
) -> Result<Option<Obstacle>, Error> {
    if let Some(reference) = source.secret_key_ref.as_ref().filter(|key| key.optional != Some(true)) {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let Some(secret) = api.get_opt(&reference.name).await? else {
            let message = format!("secret {:?} not found", reference.name);
            return Ok(Some(Obstacle::configuration(message)));
        };
        if !secret.data.as_ref().is_some_and(|data| data.contains_key(&reference.key)) {
            let message =
                format!("couldn't find key {} in Secret {namespace}/{}", reference.key, reference.name);
            return Ok(Some(Obstacle::configuration(message)));
        }
    }
    if let Some(reference) = source.config_map_key_ref.as_ref().filter(|key| key.optional != Some(true)) {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        if api.get_metadata_opt(&reference.name).await?.is_none() {
            let message = format!("configmap {:?} not found", reference.name);
            return Ok(Some(Obstacle::configuration(message)));
        }
    }
    Ok(None)
}

/// Whether a container runtime could parse an image name: a tag may have capital letters, a
/// repository not.
fn is_image_name(image: &str) -> bool {
    let name = image.split_once('@').map_or(image, |(name, _digest)| name);
    // A colon before a slash starts the port of a registry, not a tag.
    let name = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    let repository = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => name,
    };
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter);
    !image.contains(char::is_whitespace)
        && repository.split('/').all(|part| !part.is_empty() && part.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::is_image_name;

    #[test]
    fn tags_and_hosts_may_have_capital_letters() {
        for image in
            ["i", "i:RC1", "ghcr.io/o/i:V1", "Host.example/o/i", "localhost:5000/i", "h.io/i@sha256:00"]
        {
            assert!(is_image_name(image), "{image}");
        }
        for image in ["", "I", "ghcr.io/O/i", "o//i", "i i", ":tag"] {
            assert!(!is_image_name(image), "{image}");
        }
    }
}
