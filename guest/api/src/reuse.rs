//! Reuse: what the agent leaves in a registry, so that a step that was done is not done again.

/// What every tag of a key begins with. The rest is the key: 64 hexadecimal digits.
const KEY_TAG_PREFIX: &str = "key-";
/// Number of hexadecimal digits of a key, which is a SHA-256.
const KEY_LENGTH: usize = 64;

/// Longest text of the annotation `reuse-salt`, in bytes.
pub const MAX_SALT_LENGTH: usize = 1024;
/// Most files that the annotation `reuse-files` can name. Each becomes a flag of the agent.
pub const MAX_FILES: usize = 1000;

/// Annotations of manifests that the agent pushes, besides [`crate::steps::INPUTS_ANNOTATION`].
pub mod annotation {
    /// The key of the step: 64 hexadecimal digits.
    pub const KEY: &str = "cache.converged-computing.github.io/key";
    /// The image of the step's container, as the pod has it.
    pub const IMAGE: &str = "cache.converged-computing.github.io/image";
    /// Digest of the command and its arguments.
    pub const COMMAND: &str = "cache.converged-computing.github.io/command";
    /// Name of the pod that did the step.
    pub const POD: &str = "cache.converged-computing.github.io/pod";
}

/// The tag that stands for a key, in the repository of the output.
///
/// ```
/// use orascache_api::reuse::{is_key_tag, key_tag};
///
/// assert!(is_key_tag(&key_tag(&"0a".repeat(32))));
/// assert!(!is_key_tag("key-1"));
/// ```
pub fn key_tag(key: &str) -> String {
    format!("{KEY_TAG_PREFIX}{key}")
}

/// Whether a tag stands for a key.
pub fn is_key_tag(tag: &str) -> bool {
    tag.strip_prefix(KEY_TAG_PREFIX).is_some_and(|key| {
        key.len() == KEY_LENGTH && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_keys_are_tags_of_keys() {
        assert!(is_key_tag(&format!("key-{}", "0123456789abcdef".repeat(4))));
        for tag in ["", "key-", "latest", &"a".repeat(68)] {
            assert!(!is_key_tag(tag), "{tag}");
        }
        assert!(!is_key_tag(&format!("key-{}", "A".repeat(64))));
        assert!(!is_key_tag(&format!("key-{}", "a".repeat(65))));
    }
}
