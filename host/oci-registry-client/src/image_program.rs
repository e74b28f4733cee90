//! The program that an image starts, where it is the same on every processor.

use futures::{StreamExt, TryStreamExt};

use crate::access::Access;
use crate::client::Client;
use crate::error::Error;
use crate::image::{ImageConfig, Platform, listed};
use crate::reference::ArtifactReference;

/// Most manifests for Linux that a list may have.
const MAX_PLATFORMS: usize = 32;
/// Configurations of one image that are read at the same time.
const AT_ONCE: usize = 2;

/// The program that an image starts, on whatever node it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageProgram {
    /// The program, with its first arguments. It may be empty.
    pub entrypoint: Vec<String>,
    /// Further arguments, or the program where there is no entrypoint.
    pub command: Vec<String>,
}

impl From<ImageConfig> for ImageProgram {
    fn from(config: ImageConfig) -> Self {
        ImageProgram { entrypoint: config.entrypoint, command: config.command }
    }
}

impl Client {
    /// Reads the program that an image starts on Linux. Of a list of manifests all those for Linux
    /// are read: they must start the same program, since the node decides which one it runs.
    ///
    /// # Errors
    /// When there is no such image, its processors start different programs, it is not for Linux,
    /// it is not allowed, or patience ends.
    pub async fn image_program(&self, reference: &ArtifactReference) -> Result<ImageProgram, Error> {
        let what = reference.to_string();
        let access = Access::pull(&reference.repository);
        let raw = self.patiently(|| self.get_raw(&access, reference)).await?;
        let Some(manifests) = listed(&what, &raw)? else {
            return Ok(self.read_config(&what, &reference.repository, raw).await?.into());
        };
        let mut wanted = Vec::new();
        for one in manifests {
            let Some(platform) = &one.platform else {
                return Err(Error::protocol(&what, "its list of manifests has one without a platform"));
            };
            if platform.os == "linux" {
                wanted.push((platform.clone(), one.checked_digest(&what)?));
            }
        }
        if wanted.len() > MAX_PLATFORMS {
            let why = format!("it is for {} processors, and at most {MAX_PLATFORMS} are read", wanted.len());
            return Err(Error::protocol(&what, why));
        }
        let read = wanted.into_iter().map(|(platform, digest)| {
            let at = ArtifactReference { digest: Some(digest), ..reference.clone() };
            async move {
                let config = self.image_config(&at, &platform).await?;
                Ok::<(Platform, ImageProgram), Error>((platform, config.into()))
            }
        });
        let found: Vec<(Platform, ImageProgram)> =
            futures::stream::iter(read).buffered(AT_ONCE).try_collect().await?;
        let mut found = found.into_iter();
        let Some((first, program)) = found.next() else {
            return Err(Error::protocol(&what, "it is not for Linux"));
        };
        match found.find(|(_, other)| *other != program) {
            None => Ok(program),
            Some((other, _)) => {
                Err(Error::protocol(&what, format!("it starts another program on {other} than on {first}")))
            }
        }
    }
}
