//! What is wrong with an OrasCache, and what to write instead.
//!
//! The rules of the CRD and the checks of the component say it in the same words. A sentence that
//! begins with "must" follows the value that it is about, which the API server and the component
//! put in front.

/// `metadata.name` cannot be the name of a Service.
pub const NAME: &str = "the name must start with a letter and hold only lower case letters, digits and '-', because a Service of the same name is made";
/// `metadata.name` is too long.
pub const NAME_LENGTH: &str =
    "the name must have at most 52 characters, because the pods of its StatefulSet are labelled with it";
/// `spec.image` is no image reference. Follows the value.
pub const IMAGE: &str = "must be an image reference, like registry.example.org/name:tag";
/// `spec.replicas` is less than 0. Follows the value.
pub const REPLICAS: &str = "must be at least 0";
/// `spec.progressDeadlineSeconds` is out of bounds. Follows the value.
pub const PROGRESS_DEADLINE: &str = "must be a number of seconds from 1 to 604800";
/// `spec.replicas` is more than the storage permits.
pub const SHARED_STORAGE: &str = "more than one replica needs storage that several pods can write: set spec.storage.accessModes to [ReadWriteMany], name such a claim in spec.storage.existingClaim, or set spec.replicas to 1";
/// `spec.secrets.registryHttp` and `spec.secret` exclude each other.
pub const TWO_HTTP_SECRETS: &str = "secret and secrets.registryHttp both give the registry's HTTP secret: keep secret and remove secrets.registryHttp";
/// `spec.storage` names no place for artifacts, or several.
pub const ONE_STORAGE: &str = "give one of size, for a claim that is made for the cache, existingClaim, for one that exists, and emptyDir, for the disk of the node";
/// `spec.storage` has fields that say nothing about a claim that exists.
pub const FIELDS_OF_OWN_CLAIM: &str = "storageClassName, accessModes and whenDeleted belong to a claim that is made for the cache: remove them, or give size";
/// `spec.storage.size` is no size. Follows the value.
pub const SIZE: &str = "must be a size, like 20Gi";
/// `spec.storage.size` is less than it was.
pub const SHRINKS: &str = "storage cannot shrink: set size to at least what it was";
/// `spec.storage.storageClassName` is another one than it was.
pub const STORAGE_CLASS_IS_FIXED: &str =
    "storageClassName cannot change once the claim exists: set it back to what it was";
/// `spec.storage.accessModes` are others than they were.
pub const ACCESS_MODES_ARE_FIXED: &str =
    "accessModes cannot change once the claim exists: set them back to what they were";
/// `spec.networkPolicy` is off and names namespaces nevertheless.
pub const POLICY_IS_OFF: &str =
    "without a policy every namespace reaches the registry: remove allowedNamespaces, or set enabled to true";
/// An item of `spec.networkPolicy.allowedNamespaces` cannot name a namespace. Follows the value.
pub const NAMESPACE: &str =
    "must be the name of a namespace: up to 63 lower case letters, digits and '-', without '-' at the ends";
/// `spec.service.nodePort` of a Service that has none.
pub const NODE_PORT_IS_INTERNAL: &str = "nodes have a port for the types NodePort and LoadBalancer alone: set type to one of them, or remove nodePort";
/// `spec.service.sourceRanges` of a Service that nobody outside of the cluster reaches.
pub const SOURCE_RANGES_ARE_INTERNAL: &str = "clients outside of the cluster need the type NodePort or LoadBalancer: set type to one of them, or remove sourceRanges";

#[cfg(test)]
mod tests {
    use super::NAME_LENGTH;
    use crate::names::MAX_NAME_LENGTH;

    #[test]
    fn the_longest_name_is_the_one_that_the_sentence_gives() {
        assert!(NAME_LENGTH.contains(&format!("at most {MAX_NAME_LENGTH} characters")));
    }
}
