//! The layout of a component in a registry (CNCF TAG Runtime, "Wasm OCI Artifact Layout").

use std::collections::BTreeMap;

use oci_registry_client::{ArtifactReference, Client, Digest, Manifest, media_type};
use serde::Serialize;

use crate::bounded_blob;
use crate::error::Error;
use crate::signature::{self, PublicKey};

/// Media type of the configuration.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// Media type of the layer.
const LAYER: &str = "application/wasm";
/// Largest component that is pulled, in bytes. It is held in memory.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// The interface of a component, for the configuration.
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

/// The conditions under which a component is used.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Whether a reference may name a tag only.
    pub allow_unpinned: bool,
    /// The key with which the component must be signed, if any.
    pub key: Option<PublicKey>,
    /// The name that the signature must be for, as `host/repository`. By default, the name that the
    /// component is pulled by. A component that was copied from another registry, together with its
    /// signature, has the name of that one.
    pub signed_as: Option<String>,
}

/// A component from a registry.
#[derive(Clone, Debug)]
pub struct PulledComponent {
    /// Its bytes.
    pub component: Vec<u8>,
    /// Digest of its manifest, by which it can be pinned.
    pub digest: Digest,
}

/// Pushes a component under a tag. It holds no time: the same component has the same digest.
///
/// # Errors
/// When the registry does not accept it.
pub async fn push(
    client: &Client,
    reference: &ArtifactReference,
    component: &[u8],
    description: &Description,
) -> Result<Digest, Error> {
    let layer = Digest::of(component);
    let config = Config {
        architecture: "wasm",
        // The layout prescribes this for all components, whatever they import.
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
        config: Some(config),
        layers: vec![layer],
        subject: None,
        annotations: BTreeMap::new(),
    };
    Ok(client.push_manifest(reference, &manifest).await?)
}

/// Pulls a component that fulfils the conditions of [`Trust`].
///
/// # Errors
/// When it is not pinned or not signed as required, is no component, or cannot be pulled.
pub async fn pull(
    client: &Client,
    reference: &ArtifactReference,
    trust: &Trust,
) -> Result<PulledComponent, Error> {
    let host = client.endpoint().host();
    let name = format!("{host}/{reference}");
    let fetched = client.manifest(reference).await?;
    let pinned = ArtifactReference { digest: Some(fetched.digest.to_string()), ..reference.clone() };
    if reference.digest.is_none() && !trust.allow_unpinned {
        return Err(Error::Unpinned(name, format!("{host}/{pinned}")));
    }
    if let Some(key) = &trust.key {
        let signed_as = trust.signed_as.as_deref();
        signature::verify(client, &pinned, &fetched.digest, key, signed_as).await?;
    }
    let wrong = |why: &str| Error::NotAComponent(name.clone(), why.to_owned());
    let config = fetched.manifest.config.map(|config| config.media_type).unwrap_or_default();
    if config != CONFIG {
        return Err(wrong(&format!("its configuration is \"{config}\", not {CONFIG}")));
    }
    let [layer] = fetched.manifest.layers.as_slice() else {
        return Err(wrong(&format!("it has {} layers, not one", fetched.manifest.layers.len())));
    };
    if layer.media_type != LAYER {
        return Err(wrong(&format!("its layer is \"{}\", not {LAYER}", layer.media_type)));
    }
    let component = bounded_blob::pull(client, &reference.repository, layer, MAX_COMPONENT)
        .await?
        .map_err(|error| Error::Damaged(name, error.to_string()))?;
    Ok(PulledComponent { component, digest: fetched.digest })
}
