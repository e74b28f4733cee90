//! The layout of a component as an OCI artifact (CNCF TAG Runtime, "Wasm OCI Artifact Layout").

use std::collections::BTreeMap;
use std::io::{self, Read};

use oci_registry_client::{
    Client, Descriptor, Digest, Manifest, Reference, VerifyingReader, channel, media_type,
};
use serde::Serialize;

use crate::error::Error;
use crate::signature::{self, PublicKey};

/// Media type of the configuration.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// Media type of the layer.
const LAYER: &str = "application/wasm";
/// Largest component that is pulled: it is held in memory.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// What a component looks like from outside, for the configuration.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Description {
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Names of its imports.
    pub imports: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    architecture: &'static str,
    os: &'static str,
    layer_digests: [&'a str; 1],
    component: &'a Description,
}

/// What must be true of a component before it is used.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A tag is enough.
    pub allow_unpinned: bool,
    /// Somebody with this key signed it.
    pub key: Option<PublicKey>,
}

/// A component from a registry.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// Its bytes.
    pub component: Vec<u8>,
    /// Digest of its manifest, by which it can be pinned.
    pub digest: Digest,
}

/// Pushes a component under a tag. Nothing in it depends on the time: the same component has the same digest.
///
/// # Errors
/// When the registry does not take it.
pub async fn push(
    client: &Client,
    reference: &Reference,
    component: &[u8],
    description: &Description,
) -> Result<Digest, Error> {
    let layer = Digest::of(component);
    let config = Config {
        architecture: "wasm",
        // Of components, whatever they import.
        os: "wasip2",
        layer_digests: [layer.as_str()],
        component: description,
    };
    let config = serde_json::to_vec(&config)
        .map_err(|error| Error::NotAComponent(reference.to_string(), error.to_string()))?;
    let layer = client.push_bytes(&reference.repository, component, LAYER).await?;
    let config = client.push_bytes(&reference.repository, &config, CONFIG).await?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media_type::MANIFEST.to_owned()),
        artifact_type: None,
        config,
        layers: vec![layer],
        annotations: BTreeMap::new(),
    };
    Ok(client.push_manifest(reference, &manifest).await?)
}

/// Pulls a component that may be trusted.
///
/// # Errors
/// When it is not pinned or not signed as [`Trust`] asks, is no component, or cannot be pulled.
pub async fn pull(client: &Client, reference: &Reference, trust: &Trust) -> Result<Pulled, Error> {
    let name = format!("{}/{reference}", client.endpoint().host());
    let fetched = client.manifest(reference).await?;
    let pinned = Reference { digest: Some(fetched.digest.to_string()), ..reference.clone() };
    if reference.digest.is_none() && !trust.allow_unpinned {
        return Err(Error::Unpinned(name, format!("{}/{pinned}", client.endpoint().host())));
    }
    if let Some(key) = &trust.key {
        signature::check(client, &pinned, &fetched.digest, key).await?;
    }
    let wrong = |why: &str| Error::NotAComponent(name.clone(), why.to_owned());
    if fetched.manifest.config.media_type != CONFIG {
        return Err(wrong(&format!(
            "its configuration is {}, not {CONFIG}",
            fetched.manifest.config.media_type
        )));
    }
    let [layer] = fetched.manifest.layers.as_slice() else {
        return Err(wrong(&format!("it has {} layers, not one", fetched.manifest.layers.len())));
    };
    if layer.media_type != LAYER {
        return Err(wrong(&format!("its layer is {}, not {LAYER}", layer.media_type)));
    }
    let component = read(client, &reference.repository, layer, MAX_COMPONENT)
        .await?
        .map_err(|error| Error::Damaged(name, error.to_string()))?;
    Ok(Pulled { component, digest: fetched.digest })
}

/// A blob of at most so many bytes, checked against its digest.
pub(crate) async fn read(
    client: &Client,
    repository: &str,
    blob: &Descriptor,
    limit: u64,
) -> Result<io::Result<Vec<u8>>, Error> {
    if blob.size > limit {
        let sentence = format!("it has {} bytes, and {limit} are allowed", blob.size);
        return Ok(Err(io::Error::new(io::ErrorKind::InvalidData, sentence)));
    }
    let (sender, reader) = channel();
    let mut content = VerifyingReader::new(reader, blob.checked_digest()?, blob.size);
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map(|_| bytes)
    });
    let pulled = client.pull_blob(repository, blob, &sender).await;
    drop(sender);
    let read = reading.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    match pulled {
        Ok(()) | Err(oci_registry_client::Error::Stopped) => Ok(read),
        Err(error) => Err(error.into()),
    }
}
