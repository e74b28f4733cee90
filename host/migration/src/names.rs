//! Names of what a migration makes, and by which it knows objects again.

use orascache_api::names::MAX_NAME_LENGTH;

/// Annotation of what a migration makes: the name of the cache whose artifacts it holds or copies.
/// The selector of a closed Service has it too, since no pod has such a label.
pub const HOLDS: &str = "cache.converged-computing.github.io/holds";
/// Annotations of a Job: the UIDs of the pods between which it copies.
pub const FROM_POD: &str = "cache.converged-computing.github.io/from-pod";
/// As [`FROM_POD`].
pub const TO_POD: &str = "cache.converged-computing.github.io/to-pod";

/// The container that the webhook of the former operator adds to steps, and the container of its
/// registry pods.
pub const FORMER_CONTAINER: &str = "oras";
/// The webhook of the former operator, in whatever configuration.
pub const FORMER_WEBHOOK: &str = "morascache.kb.io";
/// A part of the image of the former operator.
pub const FORMER_IMAGE: &str = "converged-computing/oras-operator";

/// Field manager of the writes of a migration.
pub const FIELD_MANAGER: &str = "orascache-migrate";

const HOLDING_SUFFIX: &str = "-holding";

/// Name of the cache that holds the artifacts of another one meanwhile. Of a long name the end is
/// cut off.
pub fn holding(cache: &str) -> String {
    let room = MAX_NAME_LENGTH - HOLDING_SUFFIX.len();
    let start = cache.get(..room).unwrap_or(cache).trim_end_matches(['-', '.']);
    format!("{start}{HOLDING_SUFFIX}")
}

/// Name of the Secret to which the literal HTTP secret of a spec is moved.
pub fn http_secret(cache: &str) -> String {
    format!("{cache}-http")
}

/// Name of the registry pod of a cache.
pub fn registry_pod(cache: &str) -> String {
    format!("{cache}-0")
}

#[cfg(test)]
mod tests {
    use super::holding;

    #[test]
    fn the_name_of_a_holding_cache_is_one_that_a_cache_can_have() {
        assert_eq!(holding("demo"), "demo-holding");
        let long = "a".repeat(43) + "-bcdefghi";
        assert_eq!(holding(&long), "a".repeat(43) + "-holding");
        assert!(holding(&"b".repeat(52)).len() <= 52);
    }
}
