//! Which registries the administrator lets be asked for images, and the way to them.

use oci_registry_client::{ArtifactReference, Endpoint, Network};
use orascache_contract::{ArtifactAspect, ArtifactQuestion};
use serde::Deserialize;

/// The setting that names registries, for messages.
const SETTING: &str = "imageConfigRegistries";

/// The settings about images. The component checks them, and asks for images of these registries
/// only. They are read here too, so that a component which asks for more gets nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Allowed {
    image_config_registries: Option<Vec<String>>,
    #[serde(rename = "registryCA")]
    registry_ca: Option<String>,
}

impl Allowed {
    /// Reads settings, JSON text. Text that is none allows nothing.
    pub(super) fn read(settings: &str) -> Self {
        serde_json::from_str(settings).unwrap_or_default()
    }

    /// The artifact that a question is about.
    ///
    /// # Errors
    /// Why it is not asked, as the rest of a sentence.
    pub(super) fn check(&self, question: &ArtifactQuestion) -> Result<ArtifactReference, String> {
        let registry = &question.registry;
        if question.aspect != ArtifactAspect::ImageConfig {
            return Err("this host looks for nothing but images while it answers reviews".to_owned());
        }
        if question.credentials.is_some() {
            return Err("images are asked for without credentials".to_owned());
        }
        let prefix = if question.plain_http { "http://" } else { "" };
        let is_named = |named: &String| named.strip_prefix(prefix).is_some_and(|named| named == registry);
        if !self.registries().any(is_named) {
            return Err(format!("the setting {SETTING} does not name {prefix}{registry}"));
        }
        let text = format!("{}@{}", question.repository, question.reference);
        ArtifactReference::parse(&text).map_err(|why| format!("{text} cannot be asked for: {why}"))
    }

    /// The registry of a question, and a network in which no other host has a private address, but
    /// for those that the administrator names.
    ///
    /// # Errors
    /// What is wrong with a setting, as the rest of a sentence.
    pub(super) fn way_to(&self, question: &ArtifactQuestion) -> Result<(Endpoint, Network), String> {
        let scheme = if question.plain_http { "http" } else { "https" };
        let endpoint = Endpoint::parse(&format!("{scheme}://{}", question.registry));
        let endpoint = endpoint.map_err(|error| error.to_string())?;
        let all: Vec<Endpoint> = self.registries().filter_map(|named| endpoint_of(named)).collect();
        let mut network = Network::from_environment().public_beside(&all);
        if let Some(pem) = &self.registry_ca {
            network =
                network.trusting(pem.as_bytes()).map_err(|why| format!("the setting registryCA {why}"))?;
        }
        Ok((endpoint, network))
    }

    fn registries(&self) -> impl Iterator<Item = &String> {
        self.image_config_registries.iter().flatten()
    }
}

fn endpoint_of(named: &str) -> Option<Endpoint> {
    let has_scheme = named.starts_with("http://");
    let text = if has_scheme { named.to_owned() } else { format!("https://{named}") };
    Endpoint::parse(&text).ok()
}
