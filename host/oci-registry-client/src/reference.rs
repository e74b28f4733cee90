//! Which artifact is meant.

use std::fmt;

/// An artifact in a registry: a repository, and a tag or digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Path of the repository, without the host.
    pub repository: String,
    /// Tag, if one is named.
    pub tag: Option<String>,
    /// Digest, if one is named. It wins over the tag.
    pub digest: Option<String>,
}

/// Tag where none is named, as everywhere.
const LATEST: &str = "latest";

impl Reference {
    /// Takes `repository[:tag][@digest]` apart.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parsed = orascache_api::reference::Reference::parse(text)?;
        Ok(Reference {
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
}

impl fmt::Display for Reference {
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
        let both = Reference::parse(&format!("flow/x:1@{digest}")).unwrap();
        assert_eq!((both.selector(), both.tag()), (digest.as_str(), "1"));
        let none = Reference::parse("flow/x").unwrap();
        assert_eq!((none.selector(), none.to_string().as_str()), ("latest", "flow/x:latest"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(Reference::parse("Flow/x").unwrap_err().contains("lower case"));
        assert!(Reference::parse("x@sha256:12").unwrap_err().contains("64 hexadecimal digits"));
    }
}
