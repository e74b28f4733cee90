//! How many bytes the manifests of a registry refer to.

use super::plan::Contents;
use std::collections::BTreeMap;

/// Manifests and blobs that something refers to, each counted once: a registry stores equal content
/// once, whichever repositories have it.
#[derive(Debug, Default)]
pub struct Referenced(BTreeMap<String, u64>);

impl Referenced {
    /// Adds the manifests that are known of a repository, with all blobs that they name.
    pub fn add(&mut self, contents: &Contents) {
        for (digest, named) in &contents.manifests {
            self.0.insert(digest.clone(), named.size);
            for (digest, size) in &named.blobs {
                self.0.insert(digest.clone(), *size);
            }
        }
    }

    /// The sum. Sizes are those that manifests say, and may be anything.
    pub fn bytes(&self) -> u64 {
        let sum = self.0.values().fold(0_u64, |sum, size| sum.saturating_add(*size));
        // The largest number that the API server takes.
        sum.min(i64::MAX as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::plan::Named;

    fn contents(digest: &str, size: u64, blobs: &[(&str, u64)]) -> Contents {
        let blobs = blobs.iter().map(|(digest, size)| ((*digest).to_owned(), *size)).collect();
        let named = Named { size, blobs, ..Named::default() };
        Contents { manifests: [(digest.to_owned(), named)].into(), ..Contents::default() }
    }

    #[test]
    fn content_that_several_manifests_and_repositories_name_counts_once() {
        let mut referenced = Referenced::default();
        referenced.add(&contents("m1", 10, &[("config", 2), ("layer", 1000)]));
        referenced.add(&contents("m2", 20, &[("config", 2), ("layer", 1000), ("other", 500)]));
        referenced.add(&contents("m1", 10, &[("config", 2), ("layer", 1000)]));
        assert_eq!(referenced.bytes(), 1532);
    }

    #[test]
    fn sizes_that_nobody_has_are_no_overflow() {
        let mut referenced = Referenced::default();
        referenced.add(&contents("m", 1, &[("a", u64::MAX), ("b", u64::MAX)]));
        assert_eq!(i64::try_from(referenced.bytes()), Ok(i64::MAX));
    }
}
