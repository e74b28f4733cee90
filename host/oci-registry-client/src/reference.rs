//! Which artifact of a registry is meant.

use std::fmt;
use std::str::FromStr;

use orascache_api::reference::Reference;

/// An artifact in a registry: a repository, and a tag or digest.
///
/// The grammar is shared with admission, so that both accept and refuse the same texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactReference {
    /// Path of the repository, without the host.
    pub repository: String,
    /// The tag, if there is one.
    pub tag: Option<String>,
    /// The digest, if there is one. It wins over the tag.
    pub digest: Option<String>,
}

/// The tag that a reference without tag and digest means (distribution's reference package,
/// "TagNameOnly").
const LATEST: &str = "latest";

impl ArtifactReference {
    /// Reads `repository[:tag][@digest]`.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parsed = Reference::parse(text)?;
        Ok(ArtifactReference {
            repository: parsed.repository.to_owned(),
            tag: parsed.tag.map(str::to_owned),
            digest: parsed.digest.map(str::to_owned),
        })
    }

    /// What selects the manifest: the digest, or else the tag, or else `latest`.
    pub fn selector(&self) -> &str {
        self.digest.as_deref().unwrap_or_else(|| self.tag())
    }

    /// The tag, or `latest`.
    pub fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or(LATEST)
    }

    /// The same artifact, pinned to a digest. The tag stays, for people who read the text.
    ///
    /// ```
    /// use oci_registry_client::ArtifactReference;
    ///
    /// let reference = ArtifactReference::parse("flow/words:run-1").unwrap();
    /// assert_eq!(reference.pinned("sha256:1"), "flow/words:run-1@sha256:1");
    /// ```
    pub fn pinned(&self, digest: &str) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("{}{tag}@{digest}", self.repository)
    }
}

impl FromStr for ArtifactReference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        ArtifactReference::parse(text)
    }
}

impl fmt::Display for ArtifactReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => write!(f, ":{}", self.tag()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_wins_over_a_tag_and_latest_is_the_default() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let both = ArtifactReference::parse(&format!("flow/x:1@{digest}")).unwrap();
        assert_eq!((both.selector(), both.tag()), (digest.as_str(), "1"));
        let none = ArtifactReference::parse("flow/x").unwrap();
        assert_eq!((none.selector(), none.to_string().as_str()), ("latest", "flow/x:latest"));
        assert_eq!(none.pinned("sha256:1"), "flow/x@sha256:1");
    }

    #[test]
    fn errors_name_the_part_that_is_wrong() {
        assert!(ArtifactReference::parse("Flow/x").unwrap_err().contains("lower case"));
        assert!(ArtifactReference::parse("x@sha256:12").unwrap_err().contains("64 hexadecimal digits"));
    }
}
