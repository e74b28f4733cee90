//! What an image says about the program in it (OCI image-spec, "Image Configuration" and "Image
//! Index").

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::access::Access;
use crate::client::Client;
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::{Descriptor, Manifest};
use crate::manifest_transfer::RawManifest;
use crate::reference::ArtifactReference;

/// Largest configuration that is read, in bytes. Those of real images have some ten thousand.
const MAX_CONFIG: usize = 1 << 20;
/// How many lists of manifests may lead to each other.
const MAX_LISTS: usize = 3;
/// Media types of the configurations of images: those of OCI and Docker.
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// An operating system and a processor, with the names of Go, as `linux/arm64`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// Operating system.
    pub os: String,
    /// Architecture of the processor.
    pub architecture: String,
    /// Variant of the architecture, as `v7` of `arm`. None means any.
    #[serde(default)]
    pub variant: Option<String>,
}

impl Platform {
    /// Linux on a processor like this one.
    pub fn of_this_machine() -> Self {
        // Where the two languages name a processor alike, nothing is translated.
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "loongarch64" => "loong64",
            other => other,
        };
        Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    fn serves(&self, wanted: &Platform) -> bool {
        let is_variant = wanted.variant.is_none() || self.variant == wanted.variant;
        self.os == wanted.os && self.architecture == wanted.architecture && is_variant
    }
}

impl FromStr for Platform {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some((*variant).to_owned())),
            _ => return Err("write it like linux/arm64 or linux/arm/v7"),
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err("a part of it is empty: write it like linux/arm64");
        }
        Ok(Platform { os: (*os).to_owned(), architecture: (*architecture).to_owned(), variant })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// What an image says about the program in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageConfig {
    /// Digest of the manifest for the platform.
    pub digest: Digest,
    /// The program that is started, with its first arguments. It may be empty.
    pub entrypoint: Vec<String>,
    /// Further arguments, or the program where there is no entrypoint.
    pub command: Vec<String>,
}

/// The parts of a list of manifests that choose one of them.
#[derive(Deserialize)]
struct List {
    manifests: Option<Vec<Listed>>,
}

/// A manifest in a list.
#[derive(Deserialize)]
pub(crate) struct Listed {
    pub(crate) digest: String,
    pub(crate) platform: Option<Platform>,
}

impl Listed {
    /// Its digest, if content can be compared with it.
    pub(crate) fn checked_digest(&self, what: &str) -> Result<String, Error> {
        let digest = &self.digest;
        if Digest::parse(digest).is_none() {
            return Err(Error::protocol(what, format!("\"{digest}\" is no digest that can be verified")));
        }
        Ok(digest.clone())
    }
}

/// The parts of a configuration that are read.
#[derive(Deserialize)]
struct Config {
    config: Option<Process>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Process {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
}

impl Client {
    /// Reads the configuration of an image for a platform.
    ///
    /// # Errors
    /// When there is no such image, it is for other platforms, it is not allowed, or patience ends.
    pub async fn image_config(
        &self,
        reference: &ArtifactReference,
        platform: &Platform,
    ) -> Result<ImageConfig, Error> {
        let what = reference.to_string();
        let access = Access::pull(&reference.repository);
        let mut at = reference.clone();
        for _ in 0..=MAX_LISTS {
            let raw = self.patiently(|| self.get_raw(&access, &at)).await?;
            match choose(&what, &raw, platform)? {
                Some(digest) => at = ArtifactReference { digest: Some(digest), ..at },
                None => return self.read_config(&what, &at.repository, raw).await,
            }
        }
        Err(Error::protocol(&what, "its lists of manifests are nested too deep"))
    }

    pub(crate) async fn read_config(
        &self,
        what: &str,
        repository: &str,
        raw: RawManifest,
    ) -> Result<ImageConfig, Error> {
        let manifest = Manifest::parse(what, &raw.content_type, &raw.bytes)?;
        let is_image = |config: &Descriptor| IMAGE_CONFIGS.contains(&config.media_type.as_str());
        let Some(config) = manifest.config.filter(is_image) else {
            return Err(Error::protocol(what, "it is an artifact and no image"));
        };
        let bytes = self.read_blob(repository, &config, MAX_CONFIG).await?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|error| Error::protocol(what, format!("its configuration cannot be read: {error}")))?;
        let process = config.config.unwrap_or_default();
        let (entrypoint, command) = (process.entrypoint.unwrap_or_default(), process.cmd.unwrap_or_default());
        Ok(ImageConfig { digest: raw.digest, entrypoint, command })
    }
}

/// The manifests in a list of them. None where this is a manifest itself.
pub(crate) fn listed(what: &str, raw: &RawManifest) -> Result<Option<Vec<Listed>>, Error> {
    let wrong = |error| Error::protocol(what, format!("its manifest cannot be read: {error}"));
    let list: List = serde_json::from_slice(&raw.bytes).map_err(wrong)?;
    Ok(list.manifests)
}

/// The digest of the manifest for a platform, where this is a list of manifests.
fn choose(what: &str, raw: &RawManifest, platform: &Platform) -> Result<Option<String>, Error> {
    let Some(manifests) = listed(what, raw)? else { return Ok(None) };
    let is_wanted = |listed: &&Listed| listed.platform.as_ref().is_some_and(|own| own.serves(platform));
    match manifests.iter().find(is_wanted) {
        Some(listed) => listed.checked_digest(what).map(Some),
        None => {
            // Signatures and other additions are listed with an unknown platform.
            let known = manifests.iter().filter_map(|listed| listed.platform.as_ref());
            let known = known.filter(|own| own.os != "unknown").map(Platform::to_string);
            let known = known.collect::<Vec<_>>().join(", ");
            Err(Error::protocol(what, format!("it is not for {platform}, but for {known}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawManifest {
        let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
        RawManifest { digest: Digest::of(text.as_bytes()), bytes, content_type: String::new() }
    }

    #[test]
    fn platforms_are_read_as_they_are_printed() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for text in ["linux", "linux/", "/amd64", "a/b/c/d", ""] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
        assert_eq!(Platform::of_this_machine().os, "linux");
    }

    #[test]
    fn the_manifest_of_the_platform_is_chosen() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let list = serde_json::json!({"manifests": [
            {"digest": digest("0"), "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": digest("1")},
            {"digest": digest("2"), "platform": {"os": "linux", "architecture": "arm", "variant": "v6"}},
            {"digest": digest("3"), "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
            {"digest": "x", "platform": {"os": "linux", "architecture": "amd64"}},
        ]});
        let list = raw(&list.to_string());
        let chosen = |platform: &str| choose("a:1", &list, &platform.parse().unwrap());
        assert_eq!(chosen("linux/arm").unwrap(), Some(digest("2")));
        assert_eq!(chosen("linux/arm/v7").unwrap(), Some(digest("3")));
        assert!(chosen("linux/amd64").unwrap_err().to_string().contains("\"x\" is no digest"));
        let said = chosen("linux/s390x").unwrap_err().to_string();
        assert_eq!(said, "a:1: it is not for linux/s390x, but for linux/arm/v6, linux/arm/v7, linux/amd64");
        assert_eq!(choose("a:1", &raw("{}"), &Platform::of_this_machine()).unwrap(), None);
        assert!(choose("a:1", &raw("<html>"), &Platform::of_this_machine()).is_err());
    }
}
