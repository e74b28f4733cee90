//! Secrets and ConfigMaps that a pod reads.

use k8s_openapi::api::core::v1::{ConfigMap, Container, Secret, Volume};
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};

/// Why a container cannot be started now: reason and message of its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub reason: &'static str,
    pub message: String,
}

impl Obstacle {
    /// What the container's variables refer to is not there.
    pub(crate) fn configuration(message: String) -> Self {
        Self { reason: "CreateContainerConfigError", message }
    }

    /// The container cannot be made.
    pub(crate) fn creation(message: String) -> Self {
        Self { reason: "CreateContainerError", message }
    }

    /// A volume is not there yet.
    pub(crate) fn volume(message: String) -> Self {
        Self { reason: "ContainerCreating", message }
    }
}

/// The content of a Secret or a ConfigMap, by key.
pub(crate) type Data = BTreeMap<String, Vec<u8>>;

/// The kinds of objects with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Secret,
    ConfigMap,
}

impl Source {
    /// As the kubelet writes it in messages about the object.
    pub(crate) fn lowercase(self) -> &'static str {
        match self {
            Source::Secret => "secret",
            Source::ConfigMap => "configmap",
        }
    }

    /// As the kubelet writes it in messages about a key.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Source::Secret => "Secret",
            Source::ConfigMap => "ConfigMap",
        }
    }
}

/// The objects of one namespace that were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub namespace: String,
    pub found: BTreeMap<(Source, String), Data>,
}

impl Objects {
    /// Reads objects. Those that do not exist are left out.
    pub(crate) async fn read(
        client: &Client,
        namespace: &str,
        wanted: BTreeSet<(Source, String)>,
    ) -> kube::Result<Self> {
        let mut found = BTreeMap::new();
        for (source, name) in wanted {
            let data = match source {
                Source::Secret => secret(client, namespace, &name).await?,
                Source::ConfigMap => map(client, namespace, &name).await?,
            };
            found.extend(data.map(|data| ((source, name), data)));
        }
        Ok(Self { namespace: namespace.to_owned(), found })
    }

    /// The data of an object. `None` when it does not exist.
    pub(crate) fn get(&self, source: Source, name: &str) -> Option<&Data> {
        self.found.get(&(source, name.to_owned()))
    }
}

async fn secret(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<Data>> {
    let secret = Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await?;
    let data = secret.map(|secret| secret.data.unwrap_or_default());
    Ok(data.map(|data| data.into_iter().map(|(key, value)| (key, value.0)).collect()))
}

async fn map(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<Data>> {
    let Some(map) = Api::<ConfigMap>::namespaced(client.clone(), namespace).get_opt(name).await? else {
        return Ok(None);
    };
    let texts = map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
    let binary = map.binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
    Ok(Some(texts.chain(binary).collect()))
}

/// The objects that the variables of a container refer to.
pub(crate) fn of_container(container: &Container) -> BTreeSet<(Source, String)> {
    let mut wanted = BTreeSet::new();
    for source in container.env_from.iter().flatten() {
        wanted.extend(source.secret_ref.iter().map(|found| (Source::Secret, found.name.clone())));
        wanted.extend(source.config_map_ref.iter().map(|found| (Source::ConfigMap, found.name.clone())));
    }
    for value in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
        wanted.extend(value.secret_key_ref.iter().map(|found| (Source::Secret, found.name.clone())));
        wanted.extend(value.config_map_key_ref.iter().map(|found| (Source::ConfigMap, found.name.clone())));
    }
    wanted
}

/// The objects that volumes consist of.
pub(crate) fn of_volumes(volumes: &[Volume]) -> BTreeSet<(Source, String)> {
    let mut wanted = BTreeSet::new();
    for volume in volumes {
        let secret = volume.secret.as_ref().and_then(|secret| secret.secret_name.clone());
        wanted.extend(secret.map(|name| (Source::Secret, name)));
        wanted.extend(volume.config_map.iter().map(|map| (Source::ConfigMap, map.name.clone())));
        for source in volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
            wanted.extend(source.secret.iter().map(|found| (Source::Secret, found.name.clone())));
            wanted.extend(source.config_map.iter().map(|found| (Source::ConfigMap, found.name.clone())));
        }
    }
    wanted
}
